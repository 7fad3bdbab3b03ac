"""Money asked back: within what was paid, back in parts, in the year it came from, its enterprise banned."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from clearing.claims.sampling import settle_due
from settlement.ledger import budget_account, quota_account, quota_used_account
from tenants.kernel.clock import FixedClock
from tenants.kernel.database import Scope, transaction
from tests.settlement_service.bank_files import FILES, open_desk
from tests.settlement_service.bank_files import Desk as BankDesk
from tests.settlement_service.bench import APPROVED, OVER, Bench
from tests.settlement_service.claims import approved_claim
from tests.settlement_service.desk import Desk

USCC = "91320300MA1TEST00X"


@pytest.fixture
def paid(desk: Desk, bench: Bench, tmp_path: Path) -> tuple[UUID, BankDesk]:
    """A claim of 408,000 yuan that the bank paid."""
    desk.hire("authority", "reviews:write", person="zhao")
    with transaction(desk.service.engine, Scope((desk.tenant,)), FixedClock(APPROVED)) as work:
        claim_id = approved_claim(work, desk.service.vault, desk.tenant, "408000.00")
    desk.move_to(OVER)
    bank = open_desk(bench, tmp_path)
    bank.hand_in(FILES["camt.053"](bank.payments))
    return claim_id, bank


def ask(desk: Desk, claim_id: UUID, amount: str, **more: Any) -> Any:
    body = {"amount": amount, "reason": "虚假材料", **more}
    return desk.post("authority", f"/v1/claims/{claim_id}/clawbacks", json=body)


def come(desk: Desk, claim_id: UUID, clawback_id: str, amount: str, reference: str) -> Any:
    body = {"amount": amount, "bank_reference": reference}
    return desk.post("maker", f"/v1/claims/{claim_id}/clawbacks/{clawback_id}/recoveries", json=body)


def state(desk: Desk, bench: Bench, claim_id: UUID) -> str:
    [row] = bench.rows("select state_now from claim_now where tenant = %s and id = %s", desk.tenant, claim_id)
    return str(row.state_now)


def test_what_comes_back_of_a_cap_that_schemes_share_is_free_in_that_cap(
    desk: Desk, bench: Bench, tmp_path: Path
) -> None:
    desk.hire("authority", "reviews:write", person="zhao")
    with transaction(desk.service.engine, Scope((desk.tenant,)), FixedClock(APPROVED)) as work:
        claim_id = approved_claim(work, desk.service.vault, desk.tenant, "100.00", cap="annual")
    desk.move_to(OVER)
    bank = open_desk(bench, tmp_path)
    bank.hand_in(FILES["camt.053"](bank.payments))
    clawback_id = ask(desk, claim_id, "40.00").get_json()["id"]
    answer = come(desk, claim_id, clawback_id, "40.00", "银行流水1")
    assert answer.status_code == 201, answer.get_json()
    assert bank.balance(quota_account("annual", 2024, USCC)) == -6_000


def test_a_part_is_asked_back_and_comes_back_to_its_year(desk: Desk, bench: Bench, paid: Any) -> None:
    claim_id, bank = paid
    assert state(desk, bench, claim_id) == "paid"
    before = bank.balance(budget_account("provincial", 2024))
    asked = ask(desk, claim_id, "8000.00")
    assert (asked.status_code, asked.get_json()["outstanding"]) == (201, "8000.00")
    assert (bank.year("paid"), bank.year("clawback"), state(desk, bench, claim_id)) == (40_000_000, 800_000, "paid")
    clawback_id = asked.get_json()["id"]
    first = come(desk, claim_id, clawback_id, "3000.00", "银行流水1")
    assert (first.status_code, first.get_json()["recovered"]) == (201, "3000.00")
    assert come(desk, claim_id, clawback_id, "3000.00", "银行流水1").get_json()["code"] == "clawback.recovered"
    assert come(desk, claim_id, clawback_id, "5000.01", "银行流水2").get_json()["code"] == "clawback.recovered"
    assert come(desk, claim_id, clawback_id, "5000.00", "银行流水2").get_json()["outstanding"] == "0.00"
    assert bank.year("clawback") == 0
    assert bank.balance(budget_account("provincial", 2024)) - before == 800_000
    assert bank.balance(quota_account("provincial", 2024, USCC)) == -40_000_000
    assert bank.balance(quota_used_account("provincial", 2024)) == 40_000_000
    [listed] = desk.get("authority", f"/v1/claims/{claim_id}/clawbacks").get_json()["items"]
    assert listed["recovered"] == "8000.00"


def test_a_claim_asked_back_whole_is_clawed_back_and_frees_its_identities(
    desk: Desk, bench: Bench, paid: Any, owner: Engine
) -> None:
    claim_id, _ = paid
    with owner.begin() as connection:
        connection.exec_driver_sql("select * from bind_scope(%s, null)", (desk.tenant,))
        key = UUID(int=claim_id.int ^ 1).bytes
        connection.exec_driver_sql(
            "insert into registry_key (digest, exclusion_group, kind, key_version) values (%s, 'g', 'contract', 1)",
            (key,),
        )
        connection.exec_driver_sql(
            "insert into registry_holding (digest, exclusion_group, holder_id, holder_kind, tenant, scheme, platform, "
            "enterprise_digest, month, status, claimed_fen) "
            "values (%s, 'g', %s, 'claim', %s, 'provincial', 'jssic', '', '2024-08', 'taken', 0)",
            (key, claim_id, desk.tenant),
        )
    assert ask(desk, claim_id, "407999.99").status_code == 201
    assert bench.rows("select 1 from registry_holding where holder_id = %s", claim_id)
    assert ask(desk, claim_id, "0.02").get_json()["code"] == "clawback.too_much"
    assert ask(desk, claim_id, "0.01").status_code == 201
    assert state(desk, bench, claim_id) == "clawed_back"
    assert bench.rows("select 1 from registry_holding where holder_id = %s", claim_id) == []


def test_a_sanction_bans_the_enterprise_from_today_through_its_last_day(desk: Desk, bench: Bench, paid: Any) -> None:
    claim_id, _ = paid
    assert ask(desk, claim_id, "1.00", sanction_until="2024-10-10").status_code == 422
    assert ask(desk, claim_id, "1.00", sanction_until="2027-10-10").get_json()["sanction_until"] == "2027-10-10"
    [row] = bench.rows("select uscc, kind, from_on, through_on from standing where tenant = %s", desk.tenant)
    assert (row.uscc, row.kind, str(row.from_on), str(row.through_on)) == (USCC, "sanction", "2024-10-11", "2027-10-10")
    told = bench.rows("select payload from outbox where tenant = %s and kind = 'payout.clawed_back'", desk.tenant)
    assert len(told) == 1


def test_what_was_not_paid_is_not_asked_back(desk: Desk, bench: Bench) -> None:
    desk.hire("authority", "reviews:write", person="zhao")
    with transaction(desk.service.engine, Scope((desk.tenant,)), desk.clock) as work:
        claim_id = approved_claim(work, desk.service.vault, desk.tenant, "100.00")
    assert ask(desk, claim_id, "1.00").get_json()["code"] == "claim.not_paid"
    assert ask(desk, claim_id, "0.00").status_code == 422
    assert bench.rows("select 1 from clawback where tenant = %s", desk.tenant) == []


def test_the_database_itself_keeps_clawbacks_within_what_was_paid(desk: Desk, bench: Bench, paid: Any) -> None:
    claim_id, _ = paid
    asked = ask(desk, claim_id, "400000.00").get_json()
    clawback = (
        "insert into clawback (tenant, id, claim_id, amount_fen, reason, made_by, made_at) "
        "values (%s, gen_random_uuid(), %s, 800001, 'x', 'x', now())"
    )
    with pytest.raises(DBAPIError, match="more is clawed back"):
        bench.change(clawback, desk.tenant, claim_id)
    recovery = (
        "insert into clawback_recovery (tenant, id, clawback_id, amount_fen, bank_reference, recorded_by, recorded_at) "
        "values (%s, gen_random_uuid(), %s, 40000001, 'x', 'x', now())"
    )
    with pytest.raises(DBAPIError, match="more is recovered"):
        bench.change(recovery, desk.tenant, asked["id"])
    for table in ("clawback", "clawback_recovery"):
        for statement in (f"update {table} set tenant = tenant", f"delete from {table}"):  # noqa: S608 - our own tables
            with pytest.raises(DBAPIError):
                bench.change(statement)


def unsound(desk: Desk, claim_id: UUID, **more: Any) -> Any:
    """The claim, which nobody reviewed, is sampled and found unsound."""
    base = f"/v1/tenants/{desk.tenant}/samples"
    period = {"scheme": "provincial", "from_on": "2024-09-01", "through_on": "2024-10-01", "share": "1"}
    drawn = desk.post("authority", base, json=period)
    assert drawn.status_code == 201, drawn.get_json()
    [line] = [each["line"] for each in drawn.get_json()["items"] if each["claim_id"] == str(claim_id)]
    body = {"outcome": "unsound", "reason": "报告不实", **more}
    answer = desk.post("authority", f"{base}/{drawn.get_json()['id']}/items/{line}/decision", json=body)
    assert answer.status_code == 200, answer.get_json()
    return next(each for each in answer.get_json()["items"] if each["line"] == line)


def test_a_paid_claim_that_a_sample_finds_unsound_is_asked_back_and_its_enterprise_banned(
    desk: Desk, bench: Bench, paid: Any
) -> None:
    claim_id, bank = paid
    item = unsound(desk, claim_id, sanction_until="2027-10-11")
    [asked] = desk.get("authority", f"/v1/claims/{claim_id}/clawbacks").get_json()["items"]
    assert (item["consequence"], item["clawback_id"], asked["amount"]) == ("clawed_back", asked["id"], "408000.00")
    assert (asked["sanction_until"], asked["reason"]) == ("2027-10-11", "抽查不实：报告不实")
    assert (state(desk, bench, claim_id), bank.year("paid"), bank.year("clawback")) == ("clawed_back", 0, 40_800_000)


def test_what_is_sealed_is_asked_back_once_it_is_paid(desk: Desk, bench: Bench, tmp_path: Path) -> None:
    desk.hire("authority", "reviews:write", person="zhao")
    with transaction(desk.service.engine, Scope((desk.tenant,)), FixedClock(APPROVED)) as work:
        claim_id = approved_claim(work, desk.service.vault, desk.tenant, "1000.00")
    desk.move_to(OVER)
    bank = open_desk(bench, tmp_path)
    item = unsound(desk, claim_id, amount="600.00")
    assert (item["consequence"], item["clawback_id"]) == ("due", None)
    with transaction(desk.service.engine, Scope((desk.tenant,)), FixedClock(OVER)) as work:
        assert settle_due(work, desk.service.vault, demonstration=True) == 0
    bank.hand_in(FILES["camt.053"](bank.payments))
    for count in (1, 0):
        with transaction(desk.service.engine, Scope((desk.tenant,)), FixedClock(OVER)) as work:
            assert settle_due(work, desk.service.vault, demonstration=True) == count
    [asked] = desk.get("authority", f"/v1/claims/{claim_id}/clawbacks").get_json()["items"]
    assert asked["amount"] == "600.00"
