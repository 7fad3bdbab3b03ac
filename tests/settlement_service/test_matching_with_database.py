"""Matching: due some months after the payout, in both books where the linked region is a tenant, overdue by name."""

from datetime import date, timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from settlement.batches.batch_steps import CutOrder, cut, publish
from settlement.batches.publicity import PublicityTerms
from settlement.matching import make_overlooked_due, months_after, record_payment
from settlement.matching_list import list_due, who_owes
from tenants.kernel.clock import FixedClock, shanghai_day
from tenants.kernel.database import Scope, transaction
from tenants.kernel.errors import Conflict, NotFound
from tenants.kernel.ids import new_id
from tenants.kernel.workdays import official_calendar
from tests.settlement_service.bench import MAKER, OFFICE, OVER, shanghai
from tests.settlement_service.provinces import SEALED, Province, open_province

LATE = shanghai("2025-03-01")
DUE_ON = date(2025, 1, 11)
"""Three months after the instructions of 2024-10-11."""


@pytest.fixture
def province(app: Engine, owner: Engine) -> Province:
    return open_province(app, owner)


def test_a_payout_makes_the_matching_due_in_three_months(province: Province) -> None:
    province.pay_out()
    today = shanghai_day(OVER)
    due = province.bench.do(lambda c: list_due(c, province.bench.tenant, today, "open", None, None, 10))
    assert [(one.claim_id, one.division, one.linked, str(one.amount), one.due_on) for one in due] == [
        (province.claims[0], province.own, province.linked.tenant, "100.00", DUE_ON),
        (province.claims[1], province.outside, None, "50.00", DUE_ON),
    ]


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        ("2024-11-30", 3, "2025-02-28"), ("2023-11-30", 3, "2024-02-29"), ("2024-10-31", 1, "2024-11-30"),
        ("2024-10-11", 3, "2025-01-11"), ("2024-12-31", 12, "2025-12-31"), ("2024-01-01", 0, "2024-01-01"),
    ],
)  # fmt: skip
def test_months_later_is_the_same_day_or_the_months_last(day: str, months: int, expected: str) -> None:
    assert months_after(date.fromisoformat(day), months) == date.fromisoformat(expected)


def test_the_linked_tenant_owes_it_in_its_own_books_and_pays_it_in_a_batch_of_its_own(province: Province) -> None:
    province.pay_out()
    linked = province.linked
    [own] = linked.rows(
        "select id, claim_no, kind, funder, origin_id, due_on, amount_fen from obligation where tenant = %s",
        linked.tenant,
    )
    assert (own.kind, own.funder, own.origin_id) == ("matching", province.bench.tenant, province.claims[0])
    assert (own.due_on, own.amount_fen) == (DUE_ON, 10_000)
    linked.set_account()
    order = CutOrder(linked.tenant, "provincial", "common_use", OVER, kind="matching")
    batch = linked.do(lambda c: cut(c, order, MAKER, OVER), OVER)
    terms = PublicityTerms(1, official_calendar())
    linked.do(lambda c: publish(c, linked.tenant, batch.id, terms, MAKER, OVER), OVER)
    paid = province.instruct(linked.release(linked.seal(batch, at=SEALED), at=SEALED), linked.tenant)
    assert (paid.state, paid.kind, str(paid.total)) == ("instructed", "matching", "100.00")
    [row] = province.bench.rows(
        "select paid_on, paid_document, paid_by from matching_due where claim_id = %s", province.claims[0]
    )
    assert tuple(row) == (shanghai_day(SEALED), batch.batch_no, "system")
    [moved] = province.bench.rows(
        "select debit, credit, amount_fen from ledger_transfer where tenant = %s and credit like 'matching-paid/%%'",
        province.bench.tenant,
    )
    year = f"provincial/2024/{province.own}"
    assert tuple(moved) == (f"matching-payable/{year}", f"matching-paid/{year}", 10_000)


def test_the_overdue_list_says_who_owes_how_much(province: Province) -> None:
    province.pay_out()
    tenant = province.bench.tenant
    assert province.bench.do(lambda c: list_due(c, tenant, DUE_ON, "overdue", None, None, 10)) == []
    late = province.bench.do(lambda c: list_due(c, tenant, DUE_ON + timedelta(days=1), "overdue", None, None, 10))
    assert len(late) == 2
    regions = province.bench.do(lambda c: who_owes(c, tenant, DUE_ON + timedelta(days=1)))
    assert [(each["division"], each["overdue_amount"], each["overdue_count"]) for each in regions] == [
        (province.own, "100.00", 1), (province.outside, "50.00", 1),
    ]  # fmt: skip
    seen = province.linked.do(lambda c: list_due(c, province.linked.tenant, DUE_ON, "open", None, None, 10))
    assert [one.claim_id for one in seen] == [province.claims[0]]
    first = province.bench.do(lambda c: list_due(c, tenant, DUE_ON, "open", None, None, 1))
    rest = province.bench.do(lambda c: list_due(c, tenant, DUE_ON, "open", None, (DUE_ON, first[0].claim_id), 5))
    assert [one.claim_id for one in first + rest] == province.claims[:2]


def test_a_region_that_is_no_tenant_is_recorded_as_having_paid_once(province: Province) -> None:
    province.pay_out()
    tenant, claim_id = province.bench.tenant, province.claims[1]

    def pay(document: str, of: UUID = claim_id) -> None:
        province.bench.do(lambda c: record_payment(c, tenant, of, date(2025, 2, 1), document, MAKER, LATE), LATE)

    pay("徐财〔2025〕1号")
    pay("徐财〔2025〕1号")
    with pytest.raises(Conflict) as again:
        pay("another")
    assert again.value.code == "matching.paid"
    with pytest.raises(Conflict) as in_books:
        pay("x", province.claims[0])
    assert in_books.value.code == "matching.in_books"
    with pytest.raises(NotFound):
        pay("x", new_id())
    with pytest.raises(DBAPIError, match="paid once and never changes"):
        province.bench.change("update matching_due set paid_on = '2025-03-01' where claim_id = %s", claim_id)
    still = province.bench.do(lambda c: list_due(c, tenant, shanghai_day(LATE), "overdue", None, None, 10))
    assert [one.claim_id for one in still] == [province.claims[0]]


def test_a_batch_that_was_paid_before_matching_was_followed_falls_due_from_its_day_on(province: Province) -> None:
    province.bench.set_account()
    province.claims = province.bench.approve("100.00", "200.00")
    province.instruct(province.bench.release(province.bench.seal(province.bench.publish(province.bench.cut()))))
    province.match(province.claims[0], province.own, 10_000)
    province.match(province.claims[1], province.outside, 5_000)
    scope, clock = Scope(province.tenants), FixedClock(LATE)
    for expected in (True, False):
        with transaction(province.bench.app, scope, clock) as work:
            assert make_overlooked_due(work.connection, OFFICE) is expected
    due = province.bench.do(lambda c: list_due(c, province.bench.tenant, shanghai_day(LATE), "all", None, None, 10))
    assert [(str(one.amount), one.due_on) for one in due] == [("100.00", DUE_ON), ("50.00", DUE_ON)]


def test_a_worker_that_comes_twice_makes_it_due_once(province: Province) -> None:
    batch = province.pay_out()
    assert province.instruct(batch).state == "instructed"
    assert len(province.bench.rows("select 1 from matching_due where tenant = %s", province.bench.tenant)) == 2
