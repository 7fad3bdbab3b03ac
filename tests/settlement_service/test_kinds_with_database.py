"""Every kind of batch in every situation: a table of kinds by what happens to a batch on its way."""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import UUID

import pytest
from psycopg import errors as pg
from sqlalchemy.exc import DBAPIError

from clearing.claims.objections import (
    PER_SOURCE,
    Complaint,
    notice_of,
    object_publicly,
    object_to_item,
)
from clearing.claims.vault import open_vault
from settlement import ledger
from settlement.batches.batch import Batch
from settlement.batches.held_items import list_held, resume
from settlement.batches.obligation import open_obligations
from settlement.batches.two_releasers import set_release_limit
from tenants.kernel.clock import FixedClock
from tenants.kernel.database import Scope, transaction
from tenants.kernel.errors import Conflict, NotFound, Problem, TooManyRequests
from tenants.kernel.ids import new_id
from tenants.kernel.money import Money
from tests.settlement_service.bench import APPROVED, CUT, MAKER, OFFICE, OVER, PUBLISHED, RELEASER, SECOND_MAKER, Bench
from tests.settlement_service.claims import approved_claim

VAULT = open_vault(OFFICE.secrets)
KINDS: dict[str, tuple[str | None, str]] = {
    "common_use": (None, "common_use"),
    "cross_redemption": (None, "cross_redemption"),
    "matching": ("matching", "common_use"),
    "incentive": ("incentive", "cross_redemption"),
    "reissue": ("reissue", "common_use"),
    "home_region": ("home_region", "cross_redemption"),
}
"""Each kind of batch: the kind of its obligations and the mode that says who is paid."""
WITHOUT_A_CLAIM = [name for name, (kind, _) in KINDS.items() if kind is not None]


@dataclass
class Kind:
    """One kind of batch at one bench."""

    bench: Bench
    kind: str | None
    mode: str

    def owe(self, *amounts: str) -> list[UUID]:
        """Obligations of the kind; those of claims have the claims behind them."""
        if self.kind is None and self.mode == "common_use":
            with transaction(self.bench.app, Scope((self.bench.tenant,)), FixedClock(APPROVED)) as work:
                return [approved_claim(work, VAULT, self.bench.tenant, amount) for amount in amounts]
        made = []
        for amount in amounts:
            number = len(self.bench.claims) + 1
            plain = self.bench.obligation(new_id(), number, amount, number, self.mode)
            made.append(replace(plain, kind=self.kind))
            self.bench.claims.append(plain.claim_id)
        accounts = ledger.budget_account("provincial", 2024), ledger.obligations_account("provincial", 2024)

        def hand_over(connection: object) -> None:
            ledger.open_accounts(connection, self.bench.tenant, {accounts[0]: True, accounts[1]: False})  # type: ignore[arg-type]
            moved = [ledger.posted(*accounts, each.amount, "award", each.claim_id) for each in made]
            ledger.append(connection, self.bench.tenant, moved, APPROVED)  # type: ignore[arg-type]
            open_obligations(connection, self.bench.tenant, made, OFFICE.sealer, APPROVED)  # type: ignore[arg-type]

        self.bench.do(hand_over, APPROVED)
        return [each.claim_id for each in made]

    def cut(self) -> Batch:
        return self.bench.cut(self.mode, kind=self.kind)

    def published(self, *amounts: str) -> Batch:
        self.owe(*amounts)
        self.bench.set_account()
        return self.bench.publish(self.cut())

    def number(self, batch: Batch, line: int = 1) -> str:
        [row] = self.bench.rows(
            "select o.claim_no from batch_item i join obligation o on o.tenant = i.tenant and o.id = i.claim_id "
            "where i.batch_id = %s and i.line = %s",
            batch.id,
            line,
        )
        return str(row.claim_no)

    def publicly(self, batch: Batch, number: str, source: str = "192.0.2.1") -> None:
        with transaction(self.bench.app, Scope((self.bench.tenant,)), FixedClock(PUBLISHED)) as work:
            notice = notice_of(work, self.bench.tenant, batch.batch_no)
            object_publicly(work, VAULT, notice, number, Complaint("未实际开展服务", "电话 025"), source)

    def by_reviewer(self, batch: Batch, number: str) -> None:
        with transaction(self.bench.app, Scope((self.bench.tenant,)), FixedClock(PUBLISHED)) as work:
            object_to_item(work, VAULT, self.bench.read(batch), number, Complaint("金额有误"), "reviewer")

    def held(self) -> list[str]:
        return [each.claim_no for each in self.bench.do(lambda c: list_held(c, self.bench.tenant, None, 10))]


@pytest.fixture(params=KINDS)
def every(request: pytest.FixtureRequest, bench: Bench) -> Kind:
    return Kind(bench, *KINDS[request.param])


@pytest.fixture(params=WITHOUT_A_CLAIM)
def kind(request: pytest.FixtureRequest, bench: Bench) -> Kind:
    return Kind(bench, *KINDS[request.param])


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(Problem) as refused:
        call()
    return refused.value.code


def test_an_objection_takes_one_item_out_and_the_totals_are_restated_and_told(kind: Kind) -> None:
    batch = kind.published("60.00", "40.00")
    number = kind.number(batch)
    kind.publicly(batch, number)
    after = kind.bench.read(batch)
    assert (after.item_count, after.state, after.total < batch.total) == (1, "in_publicity", True)
    assert kind.held() == [number]
    told = kind.bench.rows(
        "select action, body::json -> 'details' ->> 'total' as total from audit_entry "
        "where tenant = %s and action in ('batch.objection', 'item.objection') order by seq",
        kind.bench.tenant,
    )
    assert [row.action for row in told] == ["batch.objection", "item.objection"]
    assert told[0].total == str(after.total)
    [kept] = kind.bench.rows("select contact_sealed, made_by from objection where tenant = %s", kind.bench.tenant)
    assert b"025" not in bytes(kept.contact_sealed)
    assert kept.made_by == "public"
    assert code_of(lambda: kind.publicly(batch, number)) == "claim.not_in_publicity"


def test_what_is_on_hold_is_in_no_later_batch_until_a_reviewer_has_decided(kind: Kind) -> None:
    batch = kind.published("60.00")
    [row] = kind.bench.rows("select claim_id from batch_item where batch_id = %s", batch.id)
    number = kind.number(batch)
    kind.by_reviewer(batch, number)
    assert kind.cut().item_count == 0
    bench = kind.bench
    done = bench.do(lambda c: resume(c, bench.tenant, row.claim_id, "已核实", "reviewer-2", OVER), OVER)
    assert (done.claim_no, kind.held()) == (number, [])
    later = bench.cut(kind.mode, cut_off_at=OVER, at=OVER, kind=kind.kind)
    assert (later.item_count, str(later.total)) == (1, "60.00")
    again = code_of(lambda: bench.do(lambda c: resume(c, bench.tenant, row.claim_id, "再次", "reviewer-2", OVER), OVER))
    assert again == "item.not_held"
    bench.publish(later, at=OVER)
    paid = bench.instruct(bench.release(bench.seal(later, at=LATER), at=LATER), at=LATER)
    assert paid.state == "instructed"


LATER = OVER.replace(day=28)


def test_the_public_is_limited_whatever_it_objects_to(kind: Kind) -> None:
    batch = kind.published(*["1.00"] * (PER_SOURCE + 1))
    for line in range(1, PER_SOURCE + 1):
        kind.publicly(batch, kind.number(batch, line))
    with pytest.raises(TooManyRequests):
        kind.publicly(batch, kind.number(batch, PER_SOURCE + 1))
    kind.publicly(batch, kind.number(batch, PER_SOURCE + 1), source="192.0.2.9")
    with pytest.raises(NotFound):
        kind.publicly(batch, "RW-NOBODY-2024-0001", source="192.0.2.10")


def test_the_database_holds_nothing_without_an_open_objection_and_resumes_nothing_with_one(kind: Kind) -> None:
    [owed] = kind.owe("5.00")
    hold = "update obligation set held_at = now() where tenant = %s and id = %s"
    assert refused_by(lambda: kind.bench.change(hold, kind.bench.tenant, owed)) == "obligation_held_by_objection"
    batch = kind.bench.publish(kind.cut())
    kind.by_reviewer(batch, kind.number(batch))
    free = "update obligation set held_at = null where tenant = %s and id = %s"
    assert refused_by(lambda: kind.bench.change(free, kind.bench.tenant, owed)) == "obligation_held_by_objection"


def test_of_two_who_object_at_once_one_takes_the_item_out(kind: Kind) -> None:
    batch = kind.published("60.00", "40.00")
    number = kind.number(batch)
    assert at_once(lambda n: kind.publicly(batch, number, f"192.0.2.{n}")) == {
        "done": 1, "claim.not_in_publicity": 1,
    }  # fmt: skip
    assert kind.bench.read(batch).item_count == 1


def test_a_batch_that_is_cancelled_gives_its_items_to_the_next(every: Kind) -> None:
    batch = every.published("60.00", "40.00")
    assert every.bench.cancel(batch).state == "cancelled"
    again = every.cut()
    assert (again.item_count, again.total) == (2, batch.total)
    assert code_of(lambda: every.bench.publish(batch)) == "batch.state"


def test_an_empty_batch_is_cut_and_closed(every: Kind) -> None:
    batch = every.cut()
    assert (batch.item_count, every.bench.close(batch).state) == (0, "closed")
    later = every.published("60.00")
    assert code_of(lambda: every.bench.close(later)) == "batch.not_empty"


def test_above_the_limit_two_release(every: Kind) -> None:
    every.bench.do(lambda c: set_release_limit(c, every.bench.tenant, Money.parse("99.99"), "admin", CUT))
    sealed = every.bench.seal(every.published("60.00", "40.00"))
    assert every.bench.release(sealed).state == "sealed"
    assert code_of(lambda: every.bench.release(sealed, actor=MAKER)) == "batch.four_eyes"
    assert every.bench.release(sealed, actor="releaser-zhou").state == "released"


def test_a_step_again_by_the_same_person_changes_nothing(every: Kind) -> None:
    bench, batch = every.bench, every.published("60.00")
    assert bench.publish(batch) == bench.read(batch)
    sealed = bench.seal(batch)
    assert bench.seal(batch) == sealed
    released = bench.release(sealed)
    assert bench.release(sealed) == released
    instructed = bench.instruct(released)
    assert bench.instruct(released) == instructed
    assert code_of(lambda: bench.publish(batch, actor=SECOND_MAKER)) == "batch.state"
    assert len(bench.rows("select 1 from instruction where batch_id = %s", batch.id)) == 1


def test_of_two_people_who_click_at_once_one_does_it(every: Kind) -> None:
    bench = every.bench
    sealed = bench.seal(every.published("60.00"))
    assert at_once(lambda n: bench.release(sealed, actor=f"{RELEASER}-{n}")) == {"done": 1, "batch.state": 1}
    assert len(bench.rows("select 1 from instruction where batch_id = %s", sealed.id)) == 1


def at_once(call: Callable[[int], object]) -> Counter[str]:
    """What two who call at the same time are told."""
    said: Counter[str] = Counter()
    gate = threading.Barrier(2)

    def run(number: int) -> None:
        gate.wait()
        try:
            call(number)
            said["done"] += 1
        except Conflict as conflict:
            said[conflict.code] += 1

    threads = [threading.Thread(target=run, args=(number,)) for number in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return said


def refused_by(call: Callable[[], object]) -> str | None:
    with pytest.raises(DBAPIError) as refused:
        call()
    assert isinstance(refused.value.orig, pg.Error)
    return refused.value.orig.diag.constraint_name
