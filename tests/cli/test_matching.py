"""``clearing matching``: what linked regions owe, that they paid it, and what comes back of it, by commands."""

import json
from datetime import timedelta
from itertools import cycle
from typing import Any
from uuid import uuid4

import pytest

from tenants.kernel.money import Money
from tests.cli.commands import command
from tests.cli.regions import Regions
from tests.cli.shell import refused
from tests.verification.story import Body

MINE = ("--tenant", "jiangsu")
UNKNOWN = str(uuid4())
PLACE = "/v1/tenants/jiangsu/matching"
BY = ("--person", "出纳-王")
OUTSIDE, IN_BOOKS = "320700", "320509"
"""Divisions that match awards: Lianyungang, which is no tenant here, and Wujiang, which is one."""


@pytest.fixture(scope="module")
def due(regions: Regions, tmp_path_factory: pytest.TempPathFactory) -> list[Body]:
    """What linked regions owe Jiangsu's enterprises, for claims whose payment the bank has told of."""
    chance = cycle((OUTSIDE, IN_BOOKS))

    def place(body: Body) -> None:
        body["enterprise"] |= {
            "division": next(chance), "types": ["high_tech"], "type_proofs": {"high_tech": {"issued_on": "2023-08-24"}},
        }  # fmt: skip

    regions.world.dress = place
    batch = regions.batch(8)
    regions.world.dress = None
    told = tmp_path_factory.mktemp("bank") / "answer.xml"
    told.write_bytes(regions.answer(*regions.payments(batch)))
    command(regions.story, "bank", "import", *MINE, "--batch", batch["batch_no"], *BY, str(told))
    return everything(regions)


def everything(regions: Regions) -> list[Body]:
    return list(regions.get(f"{PLACE}?state=all&limit=500")["items"])


def paid_out(regions: Regions) -> list[Body]:
    """Those of awards that the bank has paid, and nobody asked back."""
    paid = {claim["id"] for claim in regions.story.in_state("jiangsu", "paid")}
    found = [each for each in everything(regions) if each["claim_id"] in paid and each["to_recover"] == "0.00"]
    return [each for each in found if Money.parse(each["amount"]) > Money(200)]


def outside(regions: Regions) -> Body:
    """One that a region owes which is no tenant here, and has not paid."""
    return next(each for each in paid_out(regions) if each["linked_tenant"] is None and each["paid_on"] is None)


def words(regions: Regions, one: Body, document: str, on: Any = None) -> tuple[str, ...]:
    return one["claim_id"], "--on", f"{on or regions.today}", "--document", document


def claw_back(regions: Regions, one: Body) -> Money:
    """The whole award is asked back; what of its matching is to be recovered."""
    award = regions.story.claim(one["claim_id"])["assessment"]["award"]
    said = {"amount": award, "reason": "虚假材料"}
    regions.story.call("reviewer of authority", "POST", f"/v1/claims/{one['claim_id']}/clawbacks", said)
    [found] = [each for each in everything(regions) if each["claim_id"] == one["claim_id"]]
    return Money.parse(found["to_recover"])


@pytest.mark.usefixtures("due")
def test_what_is_due_is_listed_to_the_last_as_over_the_interface(
    regions: Regions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clearing.cli.pages.PAGE", 2)
    for state in ("open", "all", "paid", "overdue", "waiting", "to_recover"):
        items = json.loads(command(regions.story, "matching", "list", *MINE, "--state", state, "--json"))["items"]
        assert items == regions.get(f"{PLACE}?state={state}&limit=500")["items"]
    assert len(everything(regions)) > 2
    one = outside(regions)
    shown = command(regions.story, "matching", "list", *MINE)
    assert one["claim_no"] in shown
    assert one["amount"] in shown
    assert "none" in command(regions.story, "matching", "list", "--tenant", "qingpu", "--state", "all")
    theirs = json.loads(command(regions.story, "matching", "list", "--tenant", "wujiang", "--json"))["items"]
    assert {each["linked_tenant"] for each in theirs} <= {"wujiang"}, "a linked tenant sees what it owes itself"


@pytest.mark.usefixtures("due")
def test_what_each_region_owes_adds_up_to_what_is_due(regions: Regions) -> None:
    rows = json.loads(command(regions.story, "matching", "regions", *MINE, "--json"))["items"]
    assert rows == regions.get(f"{PLACE}/regions")["items"]
    owed = regions.get(f"{PLACE}?state=open&limit=500")["items"]
    for row in rows:
        mine = [Money.parse(each["amount"]).fen for each in owed if each["division"] == row["division"]]
        assert (row["count"], Money.parse(row["amount"]).fen) == (len(mine), sum(mine))
    shown = command(regions.story, "matching", "regions", *MINE)
    assert all(row["division"] in shown and row["amount"] in shown for row in rows)
    assert "none" in command(regions.story, "matching", "regions", "--tenant", "qingpu")
    for name in ("list", "regions"):
        assert "没有区域 atlantis" in refused(regions.story, "matching", name, "--tenant", "atlantis")


@pytest.mark.usefixtures("due")
def test_the_payment_of_a_region_is_recorded_once_with_its_voucher(regions: Regions) -> None:
    one = outside(regions)
    said = words(regions, one, "徐财〔2024〕7号")
    made = json.loads(command(regions.story, "matching", "paid", *MINE, *said, *BY))
    assert made == {"claim_id": one["claim_id"], "paid_on": f"{regions.today}", "document": "徐财〔2024〕7号"}
    [row] = regions.rows(
        "select paid_on, paid_document, paid_by from matching_due where claim_id = %s", one["claim_id"]
    )
    assert (row.paid_on, row.paid_document, row.paid_by) == (regions.today, "徐财〔2024〕7号", "出纳-王")
    booked = "select count(*) as n, sum(amount_fen)::bigint as fen from ledger_transfer where reason = %s"
    [row] = regions.rows(booked, "徐财〔2024〕7号")
    assert (row.n, row.fen) == (1, Money.parse(one["amount"]).fen)
    assert json.loads(command(regions.story, "matching", "paid", *MINE, *said, *BY)) == made
    assert regions.rows(booked, "徐财〔2024〕7号")[0].n == 1, "the same again changes nothing"
    other = refused(regions.story, "matching", "paid", *MINE, *words(regions, one, "徐财〔2024〕8号"), *BY)
    assert "已登记支付" in other
    paid = json.loads(command(regions.story, "matching", "list", *MINE, "--state", "paid", "--json"))["items"]
    assert one["claim_id"] in {each["claim_id"] for each in paid}


def test_a_payment_that_cannot_be_is_refused(regions: Regions, due: list[Body]) -> None:
    one, tomorrow = outside(regions), regions.today + timedelta(days=1)
    ahead = refused(regions.story, "matching", "paid", *MINE, *words(regions, one, "徐财1", tomorrow), *BY)
    assert "不能晚于今天" in ahead
    in_books = next(each for each in due if each["linked_tenant"] is not None)
    theirs = refused(regions.story, "matching", "paid", *MINE, *words(regions, in_books, "徐财1"), *BY)
    assert "自动登记" in theirs
    absent = {**one, "claim_id": UNKNOWN}
    assert "没有这个应付配套" in refused(regions.story, "matching", "paid", *MINE, *words(regions, absent, "1"), *BY)
    said = words(regions, one, "徐财1")
    assert "没有这个应付配套" in refused(regions.story, "matching", "paid", "--tenant", "qingpu", *said, *BY)
    assert "没有区域 atlantis" in refused(regions.story, "matching", "paid", "--tenant", "atlantis", *said, *BY)
    for document, person in (
        ("", "出纳-王"),
        ("徐财\n2024-01-01 * 假分录", "出纳-王"),
        ("徐财1", ""),
        ("长" * 201, "王"),
    ):
        bad = words(regions, one, document)
        refused(regions.story, "matching", "paid", *MINE, *bad, "--person", person)
    assert outside(regions)["claim_id"] == one["claim_id"], "it is owed as before"


@pytest.mark.usefixtures("due")
def test_what_comes_back_of_an_award_that_was_asked_back_is_recorded_by_its_vouchers(regions: Regions) -> None:
    one = outside(regions)
    early = refused(regions.story, "matching", "recover", *MINE, *words(regions, one, "收1"), "--amount", "1.00", *BY)
    assert "尚未支付" in early
    command(regions.story, "matching", "paid", *MINE, *words(regions, one, "徐财〔2024〕9号"), *BY)
    whole = claw_back(regions, one)
    assert str(whole) == one["amount"]
    said = words(regions, one, "收〔2024〕1号")
    made = json.loads(command(regions.story, "matching", "recover", *MINE, *said, "--amount", "1.50", *BY))
    assert (made["asked_back"], made["recovered"]) == (str(whole), "1.50")
    again = json.loads(command(regions.story, "matching", "recover", *MINE, *said, "--amount", "1.50", *BY))
    assert again == made
    [row] = regions.rows("select amount_fen, recorded_by from matching_recovery where claim_id = %s", one["claim_id"])
    assert (row.amount_fen, row.recorded_by) == (150, "出纳-王")
    other = refused(regions.story, "matching", "recover", *MINE, *said, "--amount", "1.51", *BY)
    assert "该凭证已登记" in other
    more = words(regions, one, "收〔2024〕2号")
    much = refused(regions.story, "matching", "recover", *MINE, *more, "--amount", str(whole), *BY)
    assert f"尚可收回 {whole - Money(150):,} 元" in much
    listed = json.loads(command(regions.story, "matching", "list", *MINE, "--state", "to_recover", "--json"))["items"]
    [shown] = [each for each in listed if each["claim_id"] == one["claim_id"]]
    assert (shown["recovered"], shown["to_recover"]) == ("1.50", str(whole - Money(150)))
    rest = ("--amount", str(whole - Money(150)))
    assert json.loads(command(regions.story, "matching", "recover", *MINE, *more, *rest, *BY))["to_recover"] == "0.00"


def test_a_recovery_that_cannot_be_is_refused(regions: Regions, due: list[Body]) -> None:
    in_books = next(each for each in due if each["linked_tenant"] is not None)
    one = outside(regions)
    amount = ("--amount", "1.00")
    tomorrow = words(regions, one, "收1", regions.today + timedelta(days=1))
    assert "不能晚于今天" in refused(regions.story, "matching", "recover", *MINE, *tomorrow, *amount, *BY)
    theirs = words(regions, in_books, "收1")
    assert "由其登记收回" in refused(regions.story, "matching", "recover", *MINE, *theirs, *amount, *BY)
    absent = words(regions, {**one, "claim_id": UNKNOWN}, "收1")
    assert "没有这个应付配套" in refused(regions.story, "matching", "recover", *MINE, *absent, *amount, *BY)
    said = words(regions, one, "收1")
    for wrong in ("1,5", "-1.00", "一元", "1.005"):
        told = refused(regions.story, "matching", "recover", *MINE, *said, f"--amount={wrong}", *BY)
        assert "金额应为 1234.56" in told
    atlantis = ("--tenant", "atlantis")
    assert "没有区域 atlantis" in refused(regions.story, "matching", "recover", *atlantis, *said, *amount, *BY)
    for document, person in (("", "出纳-王"), ("收\x1b[2J1", "出纳-王"), ("收1", " ")):
        bad = words(regions, one, document)
        refused(regions.story, "matching", "recover", *MINE, *bad, *amount, "--person", person)


@pytest.mark.usefixtures("due")
def test_a_region_that_is_a_tenant_records_itself_what_comes_back_to_it(regions: Regions) -> None:
    batch = regions.story.cut("wujiang", "provincial", kind="matching")
    regions.story.step("maker", "wujiang", batch, "publish")
    regions.world.pass_the_notice("wujiang", str(batch["id"]))
    regions.story.step("maker", "wujiang", batch, "seal")
    regions.story.step("releaser", "wujiang", batch, "release")
    regions.story.jobs()
    one = next(each for each in paid_out(regions) if each["linked_tenant"] == "wujiang" and each["paid_on"])
    assert one["document"] == batch["batch_no"], "its batch paid it"
    assert claw_back(regions, one) > Money(200)
    said = (*words(regions, one, "吴财收〔2024〕1号"), "--amount", "2.00", *BY)
    province = refused(regions.story, "matching", "recover", *MINE, *said)
    assert "由其登记收回" in province
    made = json.loads(command(regions.story, "matching", "recover", "--tenant", "wujiang", *said))
    assert (made["province"], made["recovered"]) == ("jiangsu", "2.00")
    told = regions.rows(
        "select tenant, body::json ->> 'actor' as actor from audit_entry "
        "where action = 'matching.recovered' and body like %s order by tenant",
        "%吴财收〔2024〕1号%",
    )
    assert [tuple(row) for row in told] == [("jiangsu", "出纳-王"), ("wujiang", "出纳-王")]
    booked = regions.rows(
        "select tenant, amount_fen from ledger_transfer where reason = '吴财收〔2024〕1号' order by tenant"
    )
    assert [tuple(row) for row in booked] == [("jiangsu", 200), ("wujiang", 200)]
