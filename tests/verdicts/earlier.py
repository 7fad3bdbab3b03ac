"""The earlier claims, brought into each state by the use cases that lead to it, all of a state's at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Engine

from clearing.claims import registry, review
from clearing.claims.corrections import release_overdue
from clearing.claims.records import ClaimView
from settlement.batches import batch_steps, delivery
from settlement.batches.batch import Batch
from settlement.batches.batch_steps import CutOrder
from settlement.batches.publicity import PublicityTerms
from settlement.batches.release import release
from settlement.batches.seal import seal
from settlement.office import Office
from tenants.kernel.clock import FixedClock
from tenants.kernel.database import Scope, Work, run, transaction
from tenants.kernel.workdays import official_calendar
from tests.intake.bodies import Body, claim
from tests.intake.counter import Counter

TENANT: Final = "jiangsu"
CUT_AT: Final = datetime.fromisoformat("2024-09-26T09:00:00+08:00")
PUBLISHED_AT: Final = datetime.fromisoformat("2024-09-27T09:00:00+08:00")
SEALED_AT: Final = datetime.fromisoformat("2024-10-20T09:00:00+08:00")
LONG_AFTER: Final = timedelta(days=400)


@dataclass(frozen=True)
class Past:
    """Where the earlier claims are made; ``owner`` stands in for settlement's work that is not there yet."""

    counter: Counter
    owner: Engine
    office: Office

    def bring(self, state: str, bodies: Sequence[Body]) -> None:
        """Submit the claims and bring all of them into the state."""
        if state == "on_hold":
            image = claim()["documents"][2]["sha256"]
            bodies[0]["documents"][2]["sha256"] = image
            self.submit([_with_image(claim(), image)])
            for body in bodies:
                _with_image(body, image)
        _BRING[state](self, self.submit(bodies), bodies)

    def submit(self, bodies: Sequence[Body]) -> list[ClaimView]:
        """Take the claims in, all in one transaction."""
        views = [one.view for one in self.counter.submit_all(bodies, "jssic")]
        stored = [view for view in views if view is not None]
        assert len(stored) == len(bodies)
        return stored

    def review(self, views: Sequence[ClaimView], outcome: str, reason: str | None) -> None:
        """Decide the one stage of the claims' review."""
        decision, reviewer = review.Decision("center", outcome, None, reason), self.counter.reviewer(None)
        vault = self.counter.vault
        self.do(views, lambda work, view: review.review(work, vault, reviewer, view.row.id, decision))

    def do(self, views: Sequence[ClaimView], use_case: Callable[[Work, ClaimView], object]) -> None:
        """One use case for each claim, all in one transaction."""
        self.counter.do(lambda work: [use_case(work, view) for view in views], TENANT, views[0])

    def batch(self, step: Callable[[Connection], Batch], at: datetime) -> Batch:
        """One step of a batch."""
        with transaction(self.counter.app, Scope((TENANT,)), FixedClock(at)) as work:
            return step(work.connection)


def _with_image(body: Body, digest: str) -> Body:
    body["documents"][2]["sha256"] = digest
    return body


def _held(past: Past, views: list[ClaimView], bodies: Sequence[Body]) -> None:
    assert {view.row.state for view in views} == {"on_hold"}


def _in_review(past: Past, views: list[ClaimView], bodies: Sequence[Body]) -> None:
    assert {view.row.state for view in views} == {"in_review"}


def _sent_back(past: Past, views: list[ClaimView], bodies: Sequence[Body]) -> None:
    past.review(views, "correct", "请补充材料")


def _corrected(past: Past, views: list[ClaimView], bodies: Sequence[Body]) -> None:
    _sent_back(past, views, bodies)
    for body in bodies:
        body["contract"]["title"] = "更正后的合同名称"
    assert {(view.row.state, view.row.revision) for view in past.submit(bodies)} == {("in_review", 2)}


def _overdue(past: Past, views: list[ClaimView], bodies: Sequence[Body]) -> None:
    _sent_back(past, views, bodies)
    clock = FixedClock(views[0].row.received_at + LONG_AFTER)
    assert run(past.counter.app, Scope((TENANT,)), clock, release_overdue) >= len(views)


def _approved(past: Past, views: list[ClaimView], bodies: Sequence[Body]) -> None:
    past.review(views, "approve", None)


def _cut(past: Past, views: list[ClaimView], bodies: Sequence[Body]) -> Batch:
    _approved(past, views, bodies)
    order = CutOrder(TENANT, "provincial", "common_use", CUT_AT)
    cut = past.batch(lambda c: batch_steps.cut(c, order, "maker", CUT_AT), CUT_AT)
    assert cut.item_count >= len(views)
    return cut


def _batched(past: Past, views: list[ClaimView], bodies: Sequence[Body]) -> None:
    _cut(past, views, bodies)


def _paid(past: Past, views: list[ClaimView], bodies: Sequence[Body]) -> None:
    """Through every step to the signed instruction; that the bank has paid is said by hand."""
    batch = _cut(past, views, bodies)
    terms = PublicityTerms(5, official_calendar())
    past.batch(lambda c: batch_steps.publish(c, TENANT, batch.id, terms, "maker", PUBLISHED_AT), PUBLISHED_AT)
    past.batch(lambda c: seal(c, TENANT, batch.id, past.office, "maker", SEALED_AT), SEALED_AT)
    past.batch(lambda c: release(c, TENANT, batch.id, past.office, "releaser", SEALED_AT), SEALED_AT)
    past.batch(lambda c: delivery.instruct(c, TENANT, batch.id, past.office, SEALED_AT), SEALED_AT)
    with past.owner.begin() as connection:
        connection.exec_driver_sql("select bind_scope(%s, null)", (TENANT,))
        connection.exec_driver_sql("update batch set state = 'closed' where id = %s", (batch.id,))


def _rejected(past: Past, views: list[ClaimView], bodies: Sequence[Body]) -> None:
    past.review(views, "reject", "不符合条件")


def _withdrawn(past: Past, views: list[ClaimView], bodies: Sequence[Body]) -> None:
    past.do(views, lambda work, view: review.withdraw(work, "test-client", view.row.id, None))


def _clawed_back(past: Past, views: list[ClaimView], bodies: Sequence[Body]) -> None:
    """Paid, then said by hand to be clawed back, with what that has to do with the registry."""
    _paid(past, views, bodies)
    ids = [view.row.id for view in views]
    with past.owner.begin() as connection:
        connection.exec_driver_sql("select bind_scope(%s, null)", (TENANT,))
        registry.release(connection, ids)
        connection.exec_driver_sql("update claim set state = 'clawed_back' where id = any(%s)", (ids,))


_BRING: Final = {
    "on_hold": _held,
    "in_review": _in_review,
    "needs_correction": _sent_back,
    "corrected": _corrected,
    "overdue": _overdue,
    "approved": _approved,
    "batched": _batched,
    "paid": _paid,
    "rejected": _rejected,
    "withdrawn": _withdrawn,
    "clawed_back": _clawed_back,
}
BY_HAND: Final = ("paid", "clawed_back")
"""States that only settlement's later work leads to: a database administrator says them here."""
ORDER: Final = tuple(state for state in _BRING if state not in BY_HAND) + BY_HAND
