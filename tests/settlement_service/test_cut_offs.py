"""Cut-offs for applications (运市科函〔2024〕6号 四（四）): a claim's batch follows from when it was applied for."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from settlement import ledger
from settlement.batches import batch_steps
from settlement.batches.batch import Batch, list_items
from settlement.batches.batch_steps import CutOrder
from settlement.batches.cut_offs import application_cut_off, published_cut_offs
from settlement.batches.obligation import open_obligations
from settlement.batches.preview import preview_cut
from tenants.kernel.clock import SHANGHAI
from tenants.kernel.errors import Conflict
from tenants.kernel.ids import new_id
from tests.settlement_service.bench import MAKER, OFFICE, Bench
from tests.tenants.test_shipped_policies import policy_of

FIRST, SECOND = (datetime(2024, month, 30, 17, tzinfo=SHANGHAI) for month in (6, 9))
SECOND_LATER, MONTH = timedelta(seconds=1), timedelta(days=30)
PUBLISHED = (FIRST, SECOND)


def apply(bench: Bench, applied_at: datetime, approved_at: datetime, amount: str) -> UUID:
    """A claim applied for and approved then."""
    made = replace(bench.obligation(new_id(), len(bench.claims) + 1, amount, 1), applied_at=applied_at)
    bench.claims.append(made.claim_id)
    accounts = (ledger.budget_account(bench.scheme, 2024), ledger.obligations_account(bench.scheme, 2024))
    posted = [ledger.posted(*accounts, made.amount, "award", made.claim_id)]
    bench.do(lambda c: ledger.open_accounts(c, bench.tenant, {accounts[0]: True, accounts[1]: False}), approved_at)
    bench.do(lambda c: ledger.append(c, bench.tenant, posted, approved_at), approved_at)
    bench.do(lambda c: open_obligations(c, bench.tenant, [made], OFFICE.sealer, approved_at), approved_at)
    return made.claim_id


def order_of(bench: Bench, cut_off_at: datetime, *, by_application: bool = True) -> CutOrder:
    return CutOrder(bench.tenant, bench.scheme, "common_use", cut_off_at, by_application=by_application)


def cut(bench: Bench, order: CutOrder, at: datetime) -> tuple[Batch, list[UUID]]:
    """The batch, and what it holds."""
    batch = bench.do(lambda c: batch_steps.cut(c, order, MAKER, at), at)
    return batch, bench.do(lambda c: [item.claim_id for item in list_items(c, batch, 0, 100)])


def test_shanxi_publishes_two_cut_offs_and_other_schemes_none() -> None:
    assert published_cut_offs([policy_of("shanxi-hainan")]) == PUBLISHED
    assert published_cut_offs([policy_of("jiangsu"), policy_of("wujiang")]) == ()


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (FIRST, FIRST),
        (FIRST + SECOND_LATER, FIRST),
        (SECOND - SECOND_LATER, FIRST),
        (SECOND, SECOND),
        (SECOND + 9 * MONTH, SECOND),
    ],
)
def test_by_default_the_last_cut_off_that_has_passed_counts(now: datetime, expected: datetime) -> None:
    assert application_cut_off(PUBLISHED, None, now) == expected


def test_before_the_first_cut_off_one_has_to_be_named() -> None:
    with pytest.raises(Conflict) as refused:
        application_cut_off(PUBLISHED, None, FIRST - SECOND_LATER)
    assert refused.value.code == "batch.cut_off_ahead"
    assert "2024-06-30 17:00" in refused.value.text.zh
    assert "2024-06-30 17:00" in refused.value.text.en
    named = FIRST - MONTH
    assert application_cut_off(PUBLISHED, named, FIRST - SECOND_LATER) == named


@pytest.mark.parametrize("hour", [17, 18, 23])
def test_the_day_of_a_cut_off_means_the_cut_off(hour: int) -> None:
    named = FIRST.replace(hour=hour, minute=59)
    assert application_cut_off(PUBLISHED, named, SECOND) == FIRST
    assert application_cut_off(PUBLISHED, named + timedelta(days=1), SECOND) == named + timedelta(days=1)
    assert application_cut_off(PUBLISHED, FIRST - SECOND_LATER, SECOND) == FIRST - SECOND_LATER


def test_the_first_batch_takes_what_was_applied_for_at_17_00_00_however_late_it_was_approved(bench: Bench) -> None:
    in_time = apply(bench, FIRST, FIRST + MONTH, "3.00")
    behind = apply(bench, FIRST + SECOND_LATER, FIRST + timedelta(days=1), "5.00")
    cut_at = FIRST + MONTH + timedelta(days=1)
    order = order_of(bench, FIRST)
    shown = bench.do(lambda c: preview_cut(c, order, cut_at), cut_at)
    assert (shown.count, shown.total.fen, shown.later_count, shown.later_total.fen) == (1, 300, 1, 500)
    batch, held = cut(bench, order, cut_at)
    assert (batch.cut_off_at, batch.total_fen, held) == (FIRST, 300, [in_time])
    at = SECOND + timedelta(days=1)
    second, held = cut(bench, order_of(bench, SECOND), at)
    assert (second.cut_off_at, held) == (SECOND, [behind])


def test_without_published_cut_offs_the_approval_counts(bench: Bench) -> None:
    late = apply(bench, FIRST, FIRST + MONTH, "3.00")
    early = apply(bench, FIRST + SECOND_LATER, FIRST + timedelta(days=1), "5.00")
    order = order_of(bench, FIRST + timedelta(days=2), by_application=False)
    assert cut(bench, order, SECOND)[1] == [early]
    assert cut(bench, order_of(bench, SECOND, by_application=False), SECOND)[1] == [late]


def test_what_was_never_applied_for_counts_by_its_approval(bench: Bench) -> None:
    bench.approve("2.00", at=FIRST + SECOND_LATER)
    assert cut(bench, order_of(bench, FIRST), SECOND)[1] == []
    assert cut(bench, order_of(bench, SECOND), SECOND)[1] == bench.claims


def test_when_a_standing_obligation_was_applied_for_never_changes(bench: Bench) -> None:
    claim_id = apply(bench, FIRST, FIRST, "1.00")
    with pytest.raises(Exception, match="never changes"):
        bench.change("update obligation set applied_at = %s where id = %s", SECOND, claim_id)
    assert bench.rows("select applied_at from obligation where id = %s", claim_id)[0].applied_at == FIRST
