"""Home tells each person what waits for them and what is late, and what the year's money does."""

import json
import re
from html import unescape
from typing import Any

import pytest

from clearing.console.home_figures import Figures
from clearing.relay import STUCK_ATTEMPTS
from tenants.kernel.database import Work, open_engine
from tenants.kernel.ids import new_id
from tests.console.test_policies import drafted
from tests.console.world import World, approved, plain


@pytest.fixture
def counted_anew(world: World) -> None:
    world.app.extensions["console-figures"] = Figures(world.clock)


def tiles(page: str) -> dict[str, int]:
    """What the tiles say, and how many."""
    found = re.findall(r'<a class="tile[^"]*" href="[^"]*"><strong>(\d+)</strong>([^<]*)', page)
    return {text.strip(): int(count) for count, text in found}


def test_an_approver_sees_the_version_that_waits_and_its_author_the_draft_that_does_not(world: World) -> None:
    author = world.visitor("tenant-admin")
    place = drafted(author, "2043-01-01")
    drafts = tiles(author.see("/console"))["份政策草稿尚未提交"]
    before = tiles(world.visitor("policy-approver").see("/console")).get("个政策版本待您批准", 0)
    author.send(place, f"{place}/submit")
    assert tiles(author.see("/console")).get("份政策草稿尚未提交", 0) == drafts - 1
    assert tiles(world.visitor("policy-approver").see("/console"))["个政策版本待您批准"] == before + 1
    assert "个政策版本待您批准" not in author.see("/console")


def test_the_operator_alone_sees_that_a_job_is_stuck(world: World) -> None:
    job = new_id()

    def put(work: Work) -> None:
        work.connection.exec_driver_sql(
            "insert into outbox (id, tenant, kind, subject_id, payload, created_at, next_attempt_at, attempts) "
            "values (%s, 'jiangsu', 'test.stuck', %s, '{}', now(), '2100-01-01', %s)",
            (job, job, STUCK_ATTEMPTS),
        )

    world.story.do(put)
    try:
        assert tiles(world.visitor("clearing-operator").see("/console"))["项后台任务多次失败：test.stuck"] == 1
        assert "test.stuck" not in world.visitor("auditor").see("/console")
    finally:
        owner = open_engine(world.story.addresses.owner_url)
        with owner.begin() as connection:  # the job is nobody's: the auditor would find it
            connection.exec_driver_sql("select * from bind_scope('jiangsu', null)")
            assert connection.exec_driver_sql("delete from outbox where id = %s", (job,)).rowcount == 1
        owner.dispose()


@pytest.mark.usefixtures("counted_anew")
def test_money_saved_by_refused_duplicates_is_what_they_would_have_been_awarded(world: World) -> None:
    page = plain(world.visitor("auditor").see("/console"))
    found = re.search(r"已驳回重复申请 (\d+) 笔，避免重复支出 ([\d,.]+) 元", page)
    assert found, page
    claims = world.story.call("auditor", "GET", "/v1/claims?state=rejected&limit=500").get_json()["items"]
    duplicates = [
        one for one in claims
        if any(f["rule"].startswith("duplicate.") and f["verdict"] == "reject" for f in one["assessment"]["findings"])
        and one["tenant"] in {"jiangsu", "wujiang"}
    ]  # fmt: skip
    assert duplicates
    assert int(found[1]) >= len(duplicates)
    saved_fen = int(found[2].replace(",", "").replace(".", ""))
    assert saved_fen >= sum(int(one["assessment"]["computed"].replace(".", "")) for one in duplicates)


@pytest.mark.usefixtures("counted_anew")
def test_the_budget_burns_down_month_by_month_in_chart_and_table(world: World) -> None:
    page = world.visitor("tenant-admin").see("/console")
    figures = re.findall(r'data-figure="([^"]+)"', page)
    year = int(re.findall(r"(\d{4}) 年度预算", plain(page))[0])
    budget: Any = world.story.call(
        "auditor", "GET", f"/v1/tenants/jiangsu/schemes/provincial/budgets/{year}"
    ).get_json()
    if budget["amount"] is None:
        assert not figures
        return
    (figure,) = (json.loads(unescape(each)) for each in figures)
    amounts = figure["data"][0]["y"]
    assert amounts == sorted(amounts, key=lambda text: -int(text.replace(".", ""))), "what is left only shrinks"
    assert amounts[-1] == budget["left"], "where it ends is what the ledger says"
    for amount in amounts:
        whole, _, fen = amount.partition(".")
        assert f"{int(whole):,}.{fen}" in page, "the table beside it says the same"


def test_a_page_does_not_wait_for_figures_that_are_not_counted_yet(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Figures, "of", lambda *_: None)
    page = world.visitor("auditor").see("/console")
    assert "正在统计全部申请" in page
    assert 'data-refresh="2"' in page


def test_a_late_batch_is_shown_to_everybody_and_its_step_is_a_link_for_whom_it_is_open_to(world: World) -> None:
    approved(world, 1)
    batch = world.story.cut("jiangsu", "provincial")
    world.story.step("maker", "jiangsu", batch, "publish")
    world.pass_the_notice("jiangsu", str(batch["id"]))
    step = f"/console/batches/jiangsu/{batch['id']}/seal"
    assert step in world.visitor("finance-maker").see("/console")
    page = world.visitor("auditor").see("/console")
    assert batch["batch_no"] in page
    assert step not in page
    world.story.step("maker", "jiangsu", batch, "cancel")
