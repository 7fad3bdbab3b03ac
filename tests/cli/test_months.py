"""``clearing month differences``: the lines of a month's bank answers that did not simply match."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tenants.kernel.money import Money
from tests.cli.commands import command
from tests.cli.regions import Regions
from tests.cli.shell import refused

MINE = ("--tenant", "jiangsu")
STRANGER = "[/]甲[b]乙:bank:[red]有限公司"
"""What a table may take for a style, for a picture, or for a style's end without its beginning."""


@pytest.fixture(scope="module")
def month(regions: Regions, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The month in which a payment differed, one came back, and a stranger's was told of."""
    batch = regions.batch(3)
    first, second, third = regions.payments(batch)
    stray = replace(first, end_to_end_id="B" * 26, amount=Money(778), name=STRANGER)
    wrong = replace(second, amount=second.amount + Money(1))
    told: Path = tmp_path_factory.mktemp("bank") / "answer.xml"
    told.write_bytes(regions.answer(first, wrong, replace(third, state="returned"), stray))
    words = (*MINE, "--batch", batch["batch_no"], "--person", "出纳-王", str(told))
    command(regions.story, "bank", "import", *words, ok=1)
    return f"{regions.today:%Y-%m}"


def test_differences_are_those_of_the_interface_to_the_last_and_end_with_findings(
    regions: Regions, month: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = f"/v1/tenants/jiangsu/months/{month}/differences"
    whole = regions.get(f"{place}?limit=500")
    monkeypatch.setattr("clearing.cli.pages.PAGE", 1)
    shown = json.loads(command(regions.story, "month", "differences", *MINE, month, "--json", ok=1))
    assert shown["items"] == whole["items"]
    assert len(shown["items"]) >= 3
    for name, total in shown["totals"].items():
        mine = [each for each in shown["items"] if each["class"] == name]
        assert total["count"] == len(mine)
        assert Money.parse(total["amount"]).fen == sum(Money.parse(each["amount"]).fen for each in mine)
    [stored] = regions.rows(
        "select count(*) as lines from bank_line l join bank_statement s on s.tenant = l.tenant "
        "and s.id = l.statement_id where l.tenant = 'jiangsu' and l.line_class <> 'matched' "
        "and to_char(s.imported_at at time zone 'Asia/Shanghai', 'YYYY-MM') = %s",
        month,
    )
    assert stored.lines == len(shown["items"])


def test_differences_of_one_class_are_listed_for_people(regions: Regions, month: str) -> None:
    one = ("--class", "unknown")
    items = json.loads(command(regions.story, "month", "differences", *MINE, month, *one, "--json", ok=1))["items"]
    assert {each["class"] for each in items} == {"unknown"}
    assert "7.78" in {each["left_in_suspense"] for each in items}
    shown = command(regions.story, "month", "differences", *MINE, month, *one, ok=1)
    assert "7.78" in shown
    assert STRANGER in shown
    assert shown.count("credit") + shown.count("debit") == len(items)
    assert "none" in command(regions.story, "month", "differences", *MINE, month, "--class", "duplicate")


def test_a_month_without_differences_ends_well_and_one_that_is_none_is_refused(regions: Regions, month: str) -> None:
    quiet = json.loads(command(regions.story, "month", "differences", *MINE, "2024-01", "--json"))
    assert quiet["items"] == []
    assert {total["count"] for total in quiet["totals"].values()} == {0}
    others = json.loads(command(regions.story, "month", "differences", "--tenant", "qingpu", month, "--json"))
    assert others["items"] == [], "of another tenant's lines nothing is shown"
    for wrong in ("2024-13", "2024-1", "next", "２０２４-01"):
        assert "月份须为 YYYY-MM" in refused(regions.story, "month", "differences", *MINE, wrong)
    assert "没有区域 atlantis" in refused(regions.story, "month", "differences", "--tenant", "atlantis", month)
