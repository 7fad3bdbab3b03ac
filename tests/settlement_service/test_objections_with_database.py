"""Handover and objections on the real database: a claim leaves its batch and is held, its award stays reserved."""

from uuid import UUID

import pytest

from clearing.claims.objections import PER_SOURCE, Complaint, notice_of, object_publicly, object_to_claim
from clearing.claims.records import ClaimView, view_claim
from clearing.claims.vault import open_vault
from settlement.batches.batch import Batch
from settlement.ledger import budget_account, lock_accounts, obligations_account, open_transfers
from tenants.kernel.clock import FixedClock
from tenants.kernel.database import Scope, Work, transaction
from tenants.kernel.errors import Conflict, NotFound, TooManyRequests
from tests.settlement_service.bench import CUT, OFFICE, OVER, PUBLISHED, Bench, shanghai
from tests.settlement_service.claims import ACCOUNT_NUMBER, approved_claim

VAULT = open_vault(OFFICE.secrets)


def approve(bench: Bench, *amounts: str) -> list[UUID]:
    with transaction(bench.app, Scope((bench.tenant,)), FixedClock(CUT)) as work:
        return [approved_claim(work, VAULT, bench.tenant, amount) for amount in amounts]


def object_to(bench: Bench, claim_id: UUID) -> ClaimView:
    with transaction(bench.app, Scope((bench.tenant,)), FixedClock(PUBLISHED)) as work:
        return object_to_claim(work, VAULT, claim_id, Complaint("发票重复", "13800000000"), "reviewer")


def publicly(bench: Bench, batch: Batch, claim_no: str, source: str = "192.0.2.1", day: str = "2024-10-10") -> None:
    with transaction(bench.app, Scope((bench.tenant,)), FixedClock(shanghai(day, 23))) as work:
        notice = notice_of(work, bench.tenant, batch.batch_no)
        object_publicly(work, VAULT, notice, claim_no, Complaint("未实际开展服务", "电话 025-00000000"), source)


def view(bench: Bench, claim_id: UUID) -> ClaimView:
    return bench.do(lambda c: view_claim(c, claim_id))


def test_an_approved_claim_is_handed_over_with_its_account_sealed(bench: Bench) -> None:
    [claim_id] = approve(bench, "100.00")
    [row] = bench.rows("select * from obligation where tenant = %s", bench.tenant)
    assert (row.id, row.amount_fen, row.payee_name) == (claim_id, 10000, "徐州测试科技有限公司")
    assert ACCOUNT_NUMBER.encode() not in bytes(row.account_sealed)
    assert view(bench, claim_id).state_now == "approved"
    batch = bench.publish(bench.cut())
    assert view(bench, claim_id).state_now == "in_publicity"
    bench.set_account()
    bench.seal(batch)
    assert view(bench, claim_id).state_now == "payable"
    bench.instruct(bench.release(batch))
    assert view(bench, claim_id).state_now == "instructed"


def test_a_platform_is_told_of_each_state_of_the_batch_its_claims_are_in(bench: Bench) -> None:
    approve(bench, "100.00")
    bench.publish(bench.cut())
    notices = bench.rows(
        "select kind, platform from outbox where tenant = %s and kind like 'batch.%%' order by id", bench.tenant
    )
    assert [tuple(notice) for notice in notices] == [("batch.cut", "jssic"), ("batch.in_publicity", "jssic")]


def test_an_objection_holds_the_claim_and_keeps_its_award_reserved(bench: Bench) -> None:
    first, second = approve(bench, "100.00", "50.00")
    batch = bench.publish(bench.cut())
    held = object_to(bench, first)
    assert (held.row.state, held.row.award_fen) == ("on_hold", 10000)
    [hold] = held.holds
    assert (hold.code, hold.place, hold.resolved_at) == ("objection", batch.batch_no, None)
    restated = bench.read(batch)
    assert (restated.item_count, restated.total_fen) == (1, 5000)
    assert view(bench, second).state_now == "in_publicity"
    budget = budget_account("provincial", 2024)
    states = bench.do(lambda c: lock_accounts(c, bench.tenant, [budget]))
    assert states[budget].taken.fen == 15000
    pending = bench.do(lambda c: open_transfers(c, bench.tenant, [first]))
    assert sorted((transfer.reason, transfer.amount.fen) for transfer in pending) == [
        ("award", 10000),
        ("quota", 10000),
    ]
    [owed] = bench.rows(
        "select sum(case when credit = %s then amount_fen else -amount_fen end)::bigint as fen from ledger_transfer "
        "where tenant = %s and kind in ('post', 'posted') and %s in (debit, credit)",
        obligations_account("provincial", 2024),
        bench.tenant,
        obligations_account("provincial", 2024),
    )
    assert owed.fen == 5000


def test_an_objections_contact_is_kept_sealed(bench: Bench) -> None:
    [claim_id] = approve(bench, "100.00")
    bench.publish(bench.cut())
    object_to(bench, claim_id)
    [row] = bench.rows("select * from objection where tenant = %s", bench.tenant)
    assert row.reason == "发票重复"
    assert b"13800000000" not in bytes(row.contact_sealed)


def test_the_public_objects_through_the_last_day_of_the_notice(bench: Bench) -> None:
    first, second = approve(bench, "100.00", "50.00")
    batch = bench.publish(bench.cut())
    publicly(bench, batch, view(bench, first).row.claim_no)
    assert view(bench, first).row.state == "on_hold"
    with pytest.raises(Conflict) as refused:
        publicly(bench, batch, view(bench, second).row.claim_no, day="2024-10-11")
    assert refused.value.code == "publicity.over"
    with pytest.raises(NotFound):
        publicly(bench, batch, "CL-TT-2024-999999x")
    with pytest.raises(Conflict) as again:
        publicly(bench, batch, view(bench, first).row.claim_no)
    assert again.value.code == "claim.not_in_publicity"


def test_a_flood_of_objections_from_one_address_is_stopped(bench: Bench) -> None:
    claim_ids = approve(bench, *["1.00"] * (PER_SOURCE + 1))
    batch = bench.publish(bench.cut())
    numbers = [view(bench, claim_id).row.claim_no for claim_id in claim_ids]
    for claim_no in numbers[:PER_SOURCE]:
        publicly(bench, batch, claim_no)
    with pytest.raises(TooManyRequests) as refused:
        publicly(bench, batch, numbers[-1])
    assert refused.value.retry_after_seconds
    publicly(bench, batch, numbers[-1], source="192.0.2.2")


def test_a_notice_exists_from_publication_on_and_not_for_a_cancelled_batch(bench: Bench) -> None:
    batch = bench.cut()

    def look(work: Work) -> Batch:
        return notice_of(work, bench.tenant, batch.batch_no)

    def looked() -> Batch:
        with transaction(bench.app, Scope((bench.tenant,)), FixedClock(OVER)) as work:
            return look(work)

    with pytest.raises(NotFound):
        looked()
    bench.publish(batch)
    assert looked().id == batch.id
    bench.cancel(batch)
    with pytest.raises(NotFound):
        looked()
