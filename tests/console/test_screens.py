"""What the screens show and do, page by page, without a browser."""

import csv
import io
import json
import re
from datetime import date, timedelta
from html import escape
from html.parser import HTMLParser
from typing import Any

import openpyxl
import pytest

from clearing.checkpoints import Checkpoints
from clearing.demonstration.claims import cross_redemption
from tenants.kernel.money import Money
from tests.console.world import Visitor, World, approved, hidden_fields, instructed, plain

PAGES = (
    "/console", "/console/claims", "/console/queue", "/console/batches/jiangsu", "/console/account",
    "/console/audit/jiangsu", "/console/policies", "/console/instruction", "/console/settings/jiangsu",
    "/console/reservations",
)  # fmt: skip
HOSTILE = "<script>alert(1)</script>\"'=HYPERLINK(1)"


def reviews(visitor: Visitor, claim: dict[str, Any], **form: str) -> tuple[int, str]:
    """Send the review's form as the page holds it."""
    answer = visitor.send(f"/console/claims/{claim['id']}", f"/console/claims/{claim['id']}/review", **form)
    return answer.status_code, answer.get_data(as_text=True)


class Inline(HTMLParser):
    """The attributes of a page's tags that would style or script it, as a browser reads them: a text is none."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [f"<{tag} {name}>" for name, _ in attrs if name == "style" or name.startswith("on")]


def inline_in(page: str) -> list[str]:
    reader = Inline()
    reader.feed(page)
    return reader.found


def test_what_is_inline_is_seen_however_it_is_written() -> None:
    assert inline_in("<p title='a > b' ONCLICK=x()><i style>") == ["<p onclick>", "<i style>"]
    assert inline_in("<p>&lt;img src=x onerror=alert(1)&gt;</p>") == []


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("login", ["center-reviewer", "finance-maker", "auditor", "tenant-admin"])
def test_every_page_keeps_its_policy_and_holds_nothing_inline(world: World, login: str, language: str) -> None:
    visitor = world.visitor(login)
    visitor.browser.get(f"/console/language/{language}")
    for path in PAGES:
        answer = visitor.browser.get(path, follow_redirects=True)
        policy = answer.headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        page = answer.get_data(as_text=True)
        assert inline_in(page) == [], path
        assert not re.search(r"<style|javascript:|https?://(?!www\.w3\.org)", page), path
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", page))
        assert f'lang="{"en" if language == "en" else "zh-CN"}"' in page
        assert answer.headers["Cache-Control"] == "no-store"


def test_an_english_page_speaks_english(world: World) -> None:
    visitor = world.visitor("center-reviewer")
    visitor.browser.get("/console/language/en")
    claim = world.one_in_review()
    for path, said in (("/console", "claims in review"), (f"/console/claims/{claim['id']}", "Why this amount")):
        page = visitor.see(path)
        assert said in page
        assert re.sub(r"<p class=\"cite\".*?</p>|<bdi>.*?</bdi>|lang=\"zh-CN\">中文", "", page, flags=re.DOTALL)
    assert "None of your roles may do this." in visitor.see("/console/batches/jiangsu", 403)


def test_our_files_are_kept_for_ever_and_under_no_other_address(world: World) -> None:
    page = world.app.test_client().get("/console/sign-in").get_data(as_text=True)
    for path in re.findall(r'(?:src|href)="(/console/static/[^"]+)"', page):
        answer = world.app.test_client().get(path)
        assert (answer.status_code, "immutable" in answer.headers["Cache-Control"]) == (200, True)
        stale = re.sub(r"/[0-9a-f]{16}/", "/0123456789abcdef/", path)
        assert world.app.test_client().get(stale).status_code == 404


def test_a_list_counts_sums_and_exports_what_is_filtered(world: World) -> None:
    visitor = world.visitor("auditor")
    page = visitor.see("/console/claims?tenant=jiangsu&state=in_review")
    stored = world.story.in_state("jiangsu", "in_review")
    total = sum(Money.parse(claim["assessment"]["award"]).fen for claim in stored)
    said = re.search(r"共 ([\d,]+) 条 · 核定合计（元） ([\d,.]+)", plain(page))
    assert said is not None
    assert (int(said[1]), said[2].replace(",", "")) == (len(stored), str(Money(total)))
    answer = visitor.browser.get("/console/claims/export.csv?tenant=jiangsu&state=in_review")
    text = answer.get_data().decode("utf-8-sig")
    heading, *lines, count, summed = csv.reader(io.StringIO(text))
    assert heading[0] == "申请编号"
    assert [line[0] for line in lines] == [claim["claim_no"] for claim in stored]
    assert (count[1], summed[1]) == (str(len(stored)), str(Money(total)))
    with visitor.browser.get("/console/claims/export.xlsx?tenant=jiangsu&state=in_review") as file:
        book = openpyxl.load_workbook(io.BytesIO(file.get_data()))
    rows = list(book.worksheets[0].iter_rows(min_row=2))
    assert len(rows) == len(stored)
    assert {cell.data_type for row in rows for cell in row[:12]} <= {"s", "n"} - {"n"} | {"inlineStr", "s"}
    assert rows[0][8].value == stored[0]["enterprise"]["uscc"]


def test_an_address_of_a_list_is_read_page_by_page(world: World) -> None:
    visitor = world.visitor("auditor")
    seen: list[str] = []
    path: str | None = "/console/claims?limit=7&tenant=jiangsu"
    while path is not None:
        page = visitor.see(path)
        seen += re.findall(r">(CL-JS-\d+-\d+)<", page)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        path = None if following is None else following[1].replace("&amp;", "&")
    every = world.story.call("auditor", "GET", "/v1/claims?tenant=jiangsu&limit=500").get_json()["items"]
    assert seen == [claim["claim_no"] for claim in every]


NONSENSE = (
    "quota_year=abc", "submitted_from=1.1.2024", "cursor=%21", "limit=0", "state=nonsense", "unheard=of",
    "enterprise=%27--", "quota_year=２０２４",
)  # fmt: skip


@pytest.mark.parametrize("query", NONSENSE)
def test_a_filter_that_is_nonsense_is_said_so_and_stays_typed(world: World, query: str) -> None:
    visitor = world.visitor("auditor")
    answer = visitor.browser.get(f"/console/claims?claim_no=CL-1&{query}")
    assert answer.status_code in {200, 422}
    assert 'value="CL-1"' in answer.get_data(as_text=True)


def test_a_control_character_in_an_address_is_refused(world: World) -> None:
    assert world.visitor("auditor").browser.get("/console/claims?claim_no=%00").status_code == 400


def test_a_claim_tells_why_with_its_clauses_and_its_history(world: World) -> None:
    claim = world.one_in_review()
    page = world.visitor("auditor").see(f"/console/claims/{claim['id']}")
    trace = world.story.call("auditor", "GET", f"/v1/claims/{claim['id']}/trace").get_json()["items"][-1]["trace"]
    text = plain(page)
    for entry in trace:
        assert " ".join(entry["message"]["zh"].split()) in text, entry["rule"]
        assert " ".join(entry["cite"].split()) in text
    assert "提交申请" in text
    assert all(each["number"] in text for each in claim["invoices"])
    assert claim["payee"]["account_number"] in text
    assert claim["payee"]["account_number"].startswith("****")


def test_a_hostile_name_is_a_name(world: World) -> None:
    claim = world.one_in_review()
    visitor = world.visitor("center-reviewer")
    status, _ = reviews(visitor, claim, outcome="reject", reason=HOSTILE)
    assert status == 303
    page = visitor.see(f"/console/claims/{claim['id']}")
    assert "<script>alert" not in page
    assert escape(HOSTILE, quote=False)[:20] in page


def test_a_review_by_form_is_the_review_of_the_interface(world: World) -> None:
    claim = world.one_in_review()
    visitor = world.visitor("center-reviewer")
    lowered = str(Money.parse(claim["assessment"]["award"]) - Money(100))
    status, page = reviews(visitor, claim, outcome="approve", award=lowered)
    assert (status, "请填写理由" in page, lowered in page) == (422, True, True)
    status, _ = reviews(visitor, claim, outcome="approve", award=lowered, reason="核减一元")
    assert status == 303
    stored = world.story.claim(claim["id"])
    assert stored["assessment"]["award"] == lowered
    event = world.story.call("auditor", "GET", f"/v1/claims/{claim['id']}/history").get_json()["items"][-1]
    assert (event["action"], event["actor"]) == ("claim.review.approve", "p-center-reviewer")


def test_a_decision_about_a_claim_that_changed_meanwhile_does_nothing_and_keeps_the_text(world: World) -> None:
    claim = world.one_in_review()
    visitor = world.visitor("center-reviewer")
    page, path = f"/console/claims/{claim['id']}", f"/console/claims/{claim['id']}/review"
    seen = hidden_fields(visitor.see(page), path)
    world.story.call(
        "reviewer of center", "POST", f"/v1/claims/{claim['id']}/reviews",
        {"stage": claim["next_stage"], "outcome": "correct", "reason": "补正"},
    )  # fmt: skip
    answer = visitor.browser.post(path, data=seen | {"outcome": "reject", "reason": "我写了很久的理由"})
    assert answer.status_code == 412
    assert "申请有了变化" in answer.get_data(as_text=True)
    assert world.story.claim(claim["id"])["state"] == "needs_correction"


def test_the_queue_leads_from_claim_to_claim_and_never_to_ones_own_second_stage(world: World) -> None:
    claim = world.one_in_review()
    visitor = world.visitor("second-reviewer")
    seen: set[str] = set()
    last = ""
    for _ in range(200):
        answer = visitor.browser.get(f"/console/queue?after={last}")
        assert answer.status_code == 303
        found = re.search(r"/claims/([0-9a-f-]{36})", answer.headers["Location"])
        assert found is not None
        last = found[1]
        if last in seen:
            break
        seen.add(last)
    waiting = {one["id"] for tenant in ("jiangsu", "wujiang") for one in world.story.in_state(tenant, "in_review")}
    assert seen == waiting
    assert claim["id"] in seen
    answer = visitor.send(
        f"/console/claims/{claim['id']}?from=queue", f"/console/claims/{claim['id']}/review", outcome="approve"
    )
    assert answer.headers["Location"].startswith(f"/console/queue?after={claim['id']}")


def test_who_decided_a_stage_is_told_so_before_the_next(world: World) -> None:
    claim = next(one for one in world.story.in_state("wujiang", "in_review") if one["next_stage"] == "center")
    visitor = world.visitor("second-reviewer")
    assert reviews(visitor, claim, outcome="approve")[0] == 303
    page = visitor.see(f"/console/claims/{claim['id']}")
    assert "您已审核过这笔申请的前一环节" in page
    assert "提交决定" not in page
    status, page = reviews(world.visitor("authority-approver"), claim, outcome="approve")
    assert status == 303
    assert world.story.claim(claim["id"])["state"] == "approved"


def test_a_hold_is_decided_beside_the_other_side(world: World) -> None:
    claim = world.one_on_hold()
    hold = next(hold for hold in claim["holds"] if hold["other_side"])
    visitor = world.visitor("center-reviewer")
    page = visitor.see(f"/console/claims/{claim['id']}")
    assert "另一方" in page
    path = f"/console/claims/{claim['id']}/holds/{hold['id']}"
    answer = visitor.send(f"/console/claims/{claim['id']}", path, outcome="reject", reason=" ")
    assert answer.status_code == 422
    answer = visitor.send(f"/console/claims/{claim['id']}", path, outcome="reject", reason="同一张发票")
    assert answer.status_code == 303
    assert world.story.claim(claim["id"])["state"] == "rejected"


def test_a_batch_goes_its_whole_way_by_forms(world: World) -> None:
    approved(world, 3)
    maker, releaser = world.visitor("finance-maker"), world.visitor("finance-releaser")
    preview = plain(maker.see("/console/batches/jiangsu/cut"))
    answer = maker.send("/console/batches/jiangsu/cut", "/console/batches/jiangsu/cut")
    place = answer.headers["Location"].partition("?")[0]
    batch_id = place.rpartition("/")[2]
    batch = world.story.call("auditor", "GET", f"/v1/tenants/jiangsu/batches/{batch_id}").get_json()
    assert batch["count"] >= 3
    assert f"{Money.parse(batch['total'])}" in preview.replace(",", "")
    assert maker.send(f"{place}/publish", f"{place}/publish").status_code == 303
    early = maker.send(f"{place}/seal", f"{place}/seal", **maker.proof())
    assert early.status_code == 409
    world.pass_the_notice("jiangsu", batch_id)
    unproved = maker.send(f"{place}/seal", f"{place}/seal", password="wrong", code="123456")
    assert (unproved.status_code, "密码或动态码不正确" in unproved.get_data(as_text=True)) == (403, True)
    page = maker.see(f"{place}/seal")
    assert page.count("人民币大写") == 1
    assert "两个总数一致" in page
    assert maker.send(f"{place}/seal", f"{place}/seal", **maker.proof()).status_code == 303
    assert maker.browser.get(f"{place}/release").status_code == 403
    late = releaser.see(f"{place}/release")
    assert releaser.send(f"{place}/release", f"{place}/release", **releaser.proof()).status_code == 303
    back = releaser.browser.post(f"{place}/release", data=hidden_fields(late, f"{place}/release") | releaser.proof())
    assert back.status_code == 303, "the same step by the same person is done already"
    other = world.visitor("second-releaser")
    own = {"form_token": hidden_fields(other.see(place), "/console/sign-out")["form_token"]}
    stale = hidden_fields(late, f"{place}/release") | other.proof() | own
    refused = other.browser.post(f"{place}/release", data=stale)
    assert refused.status_code == 412
    assert "正在签发" in releaser.see(place)
    instructed(world)
    page = releaser.see(place)
    for name in ("pain.001.xml", "payouts.csv", "payouts.xlsx", "payouts.jsonl", "payment-list.pdf", "manifest.json"):
        assert name in page
        got = releaser.browser.get(f"{place}/files/{name}")
        assert (got.status_code, got.headers["X-Content-Type-Options"]) == (200, "nosniff")
        assert got.headers["Content-Disposition"].startswith("attachment")
    assert "此操作已不能进行或已经完成" in releaser.see(f"{place}/release")


def test_who_made_a_batch_is_told_that_another_releases_it(world: World) -> None:
    world.invite("both", "finance_maker", "finance_releaser")
    both = world.visitor("both")
    answer = both.send(
        "/console/batches/wujiang/cut", "/console/batches/wujiang/cut", scheme="delta", mode="common_use"
    )
    place = answer.headers["Location"].partition("?")[0]
    both.send(f"{place}/publish", f"{place}/publish")
    page = both.see(place)
    assert "封存" in page
    batch_id = place.rpartition("/")[2]
    world.story.call("maker", "POST", f"/v1/tenants/wujiang/batches/{batch_id}/cancel", {})
    stale = both.send(place, "/console/sign-out")
    assert stale.status_code == 303


def test_two_people_at_one_batch_see_what_the_other_did(world: World) -> None:
    world.invite("other-maker", "finance_maker")
    first, second = world.visitor("finance-maker"), world.visitor("other-maker")
    answer = first.send("/console/batches/jiangsu/cut", "/console/batches/jiangsu/cut")
    assert answer.status_code == 303, plain(answer.get_data(as_text=True))
    place = answer.headers["Location"].partition("?")[0]
    seen = hidden_fields(second.see(f"{place}/cancel"), f"{place}/cancel")
    assert first.send(f"{place}/publish", f"{place}/publish").status_code == 303
    answer = second.browser.post(f"{place}/cancel", data=seen | {"reason": "重复"})
    assert answer.status_code == 412
    assert "批次有了变化" in answer.get_data(as_text=True)
    assert "重复" in answer.get_data(as_text=True), "what was typed stays"
    assert second.send(f"{place}/cancel", f"{place}/cancel", reason="重复").status_code == 303


def test_the_home_page_of_each_role_shows_what_waits_for_it(world: World) -> None:
    approved(world, 1)
    maker = world.visitor("finance-maker")
    place = (
        maker.send("/console/batches/jiangsu/cut", "/console/batches/jiangsu/cut").headers["Location"].partition("?")[0]
    )
    number = re.search(r"BT-JS-\d+-\d+", maker.see(place))
    assert number is not None
    assert number[0] in maker.see("/console")
    assert number[0] not in world.visitor("finance-releaser").see("/console")
    assert "开始审核" in world.visitor("center-reviewer").see("/console")
    assert "待办批次" not in world.visitor("tenant-admin").see("/console")
    assert maker.send(f"{place}/cancel", f"{place}/cancel").status_code == 303


def test_an_address_where_nothing_is_says_so_as_a_page(world: World) -> None:
    visitor = world.visitor("auditor")
    for path in ("/console/nothing", "/console/claims/x", "/console/batches/jiangsu/x/y"):
        assert "未能完成" in visitor.see(path, 404)


def released(world: World) -> str:
    """The lines of ``payouts.jsonl`` of a batch that was released just now."""
    approved(world, 1)
    batch = world.story.cut("jiangsu", "provincial")
    world.story.step("maker", "jiangsu", batch, "publish")
    world.pass_the_notice("jiangsu", str(batch["id"]))
    world.story.step("maker", "jiangsu", batch, "seal")
    world.story.step("releaser", "jiangsu", batch, "release")
    instructed(world)
    path = f"/v1/tenants/jiangsu/batches/{batch['id']}/files/payouts.jsonl"
    return world.story.call("auditor", "GET", path).get_data(as_text=True)


def test_anybody_may_verify_a_payout_instruction_by_pasting_or_uploading_it(world: World) -> None:
    line = released(world).splitlines()[0]
    token = json.loads(line)["jws"]
    head, payload, signature = token.split(".")
    for given, genuine in (
        (line, True),
        (token, True),
        (f"{head}.{payload[:-2]}AA.{signature}", False),
        (line.replace('"instruction_id":"0', '"instruction_id":"1'), False),
        ("nonsense", False),
        ('{"x": 1}', False),
        ("." * 500, False),
        ("你好.你好.你好", False),
    ):
        for form in ({"text": given}, {"file": (io.BytesIO(given.encode()), "payouts.jsonl")}):
            page = world.app.test_client().post("/console/instruction", data=form).get_data(as_text=True)
            assert ("真实有效" in page, "不可信" in page) == (genuine, not genuine), given[:80]
        body = {"instructions": [given]}
        item = world.app.test_client().post("/v1/payouts/verification", json=body).get_json()["items"][0]
        assert item["genuine"] is genuine
        assert "account_number" not in (item["instruction"] or {})


@pytest.mark.parametrize("form", [{}, {"text": "\n" * 90}, {"text": "x\n" * 60}, {"file": "\0" * 200_000}])
def test_an_upload_of_the_wrong_kind_is_refused_and_the_text_stays(world: World, form: dict[str, str]) -> None:
    sent = {name: (io.BytesIO(text.encode()), "x") if name == "file" else text for name, text in form.items()}
    answer = world.app.test_client().post("/console/instruction", data=sent)
    assert answer.status_code in {413, 422}
    assert "拨付指令" in answer.get_data(as_text=True)


def test_the_auditor_searches_exports_verifies_and_proves(world: World) -> None:
    claim = world.one_in_review()
    assert reviews(world.visitor("center-reviewer"), claim, outcome="approve")[0] == 303
    visitor = world.visitor("auditor")
    page = visitor.see(f"/console/audit/jiangsu?object={claim['claim_no']}")
    assert plain(page).count(claim["claim_no"]) == 2
    page = visitor.see("/console/audit/jiangsu?actor=p-center-reviewer&action=claim.review.approve")
    assert claim["claim_no"] in page
    page = visitor.see("/console/audit/jiangsu?actor=nobody")
    assert "没有符合条件的记录" in page
    got = (
        visitor.browser.get(f"/console/audit/jiangsu/export.csv?object={claim['claim_no']}")
        .get_data()
        .decode("utf-8-sig")
    )
    assert len([line for line in csv.reader(io.StringIO(got)) if claim["claim_no"] in line]) == 2
    assert "审计链完整" in visitor.see("/console/audit/jiangsu/check")
    Checkpoints.of(world.service.settings).write(world.service.engine)
    number = int(re.findall(r'/console/audit/jiangsu/(\d+)"', visitor.see("/console/audit/jiangsu"))[0])
    assert "由服务的检查点密钥签名" in visitor.see(f"/console/audit/jiangsu/{number}")
    assert "没有这个审计记录" in visitor.see("/console/audit/jiangsu/999999", 404)
    assert world.visitor("stranger").browser.get("/console/audit/jiangsu/1").status_code == 404


def test_the_policies_are_read_value_by_value_with_their_citations(world: World) -> None:
    visitor = world.visitor("tenant-admin")
    page = visitor.see("/console/policies")
    assert "jiangsu/provincial/2024-01-01" in page
    page = plain(visitor.see("/console/policies/jiangsu/provincial/jiangsu/provincial/2024-01-01"))
    assert "zones[north].rate 0.35 苏科规范〔2024〕2号 支持额度：不超过实际发生金额的35%（苏北）" in page
    assert "未定" in page
    assert visitor.browser.get("/console/policies/jiangsu/provincial/x").status_code == 404


def test_the_operator_moves_the_demonstration_clock_forward_only(world: World) -> None:
    visitor = world.visitor("clearing-operator")
    assert visitor.send("/console/clock", "/console/clock", day="2020-01-01").status_code == 409
    assert visitor.send("/console/clock", "/console/clock", day="soon").status_code == 422
    today = date.fromisoformat(str(world.story.do(lambda work: work.at.date())))
    assert visitor.send("/console/clock", "/console/clock", day=str(today + timedelta(days=2))).status_code == 303
    assert world.visitor("auditor").browser.get("/console/clock").status_code == 403


def test_the_administrator_sets_budget_and_account_as_the_interface_does(world: World) -> None:
    visitor = world.visitor("tenant-admin")
    page, path = "/console/settings/jiangsu", "/console/settings/jiangsu/budgets/provincial/2025"
    assert visitor.send(page, path, amount="1,000", reason="x").status_code == 422
    assert visitor.send(page, path, amount="1234567.80", reason="年初下达").status_code == 303
    budget = world.story.call("auditor", "GET", "/v1/tenants/jiangsu/schemes/provincial/budgets/2025").get_json()
    assert (budget["amount"], budget["left"]) == ("1234567.80", "1234567.80")
    assert "1,234,567.80" in visitor.see(page)
    account = {
        "account_name": "江苏省财政厅", "account_number": "6222021001112223334", "bank_name": "某银行",
        "cnaps": "102301000017",
    }  # fmt: skip
    path = "/console/settings/jiangsu/payout-account"
    assert visitor.send(page, path, password="no", code="123456", **account).status_code == 403
    wrong = visitor.send(page, path, **account | {"cnaps": "1"}, **visitor.proof())
    assert (wrong.status_code, "江苏省财政厅" in wrong.get_data(as_text=True)) == (422, True)
    assert visitor.send(page, path, **account, **visitor.proof()).status_code == 303
    assert "****3334" in visitor.see(page)
    assert world.visitor("auditor").browser.get("/console/settings/jiangsu").status_code == 200


def test_the_center_confirms_and_gives_up_quota(world: World) -> None:
    draft = cross_redemption(5, None, Money(300_000)).body
    parts = ("uscc", "name", "division", "types", "type_proofs", "prior_year_revenue", "established_on", "resident_of")
    body = {
        "external_id": "reservation-1", "tenant": draft["tenant"], "scheme": draft["scheme"], "mode": draft["mode"],
        "requested_at": "2024-09-26T09:00:00+08:00", "amount": "3000.00",
        "enterprise": {name: draft["enterprise"][name] for name in parts if name in draft["enterprise"]},
        "provider": draft["provider"], "contract": draft["contract"],
    }  # fmt: skip
    made = world.story.call("delta", "POST", "/v1/reservations", body).get_json()
    visitor = world.visitor("center-reviewer")
    place = f"/console/reservations/{made['id']}"
    assert made["reservation_no"] in visitor.see("/console/reservations")
    assert visitor.send("/console/reservations", f"{place}/confirm").status_code == 303
    assert visitor.send("/console/reservations", f"{place}/cancel").status_code == 303
    stored = world.story.call("delta", "GET", f"/v1/reservations/{made['id']}").get_json()
    assert stored["state"] == "cancelled"
