"""What the threads of a crowd do: one call each, its answer plain data."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy.exc import DBAPIError, IntegrityError

from clearing.claims.records import ClaimView, view_claim
from clearing.claims.reservations import release_expired
from clearing.claims.support import RACED, register_support
from connectors.reading import read_support_record
from tenants.kernel.clock import FixedClock
from tenants.kernel.database import Scope, broken_constraint, run
from tenants.kernel.errors import Problem, Unavailable
from tenants.kernel.money import Money
from tests.intake.bodies import Body
from tests.intake.counter import TENANTS, Counter, award, codes


@dataclass(frozen=True)
class Seen:
    """How one claim was answered."""

    status: int
    state: str | None = None
    award: Money = Money(0)
    codes: frozenset[str] = frozenset()
    claim_id: UUID | None = None

    @property
    def takes_money(self) -> bool:
        """Whether the claim holds quota and budget."""
        return self.state in {"on_hold", "in_review", "approved"}


def submit(counter: Counter, body: Body, platform: str) -> Seen:
    """Submit one claim."""
    return submit_all(counter, [body], platform)[0]


def submit_all(counter: Counter, bodies: list[Body], platform: str) -> list[Seen]:
    """Submit a chunk."""
    return [
        Seen(one.status, codes=frozenset({one.problem.code}) if one.problem else frozenset())
        if one.view is None
        else _seen(one.status, one.view)
        for one in counter.submit_all(bodies, platform)
    ]


def import_all(counter: Counter, bodies: list[Body], platform: str) -> list[Seen]:
    """Submit a chunk of history, of any years."""
    return submit_all(replace(counter, may_import=True), bodies, platform)


def support_all(counter: Counter, bodies: list[Body]) -> list[Seen]:
    """State a chunk of spending as paid elsewhere, as the import does."""
    records: list[Any] = [read_support_record(body) for body in bodies]
    scope, clock = Scope((records[0].tenant,), records[0].platform), FixedClock(STATED_AT)
    told = run(
        counter.app,
        scope,
        clock,
        lambda work: register_support(work, counter.vault, "test-client", "test-client", records),
        RACED,
    )
    return [
        Seen(one.status, codes=frozenset({one.code}))
        if isinstance(one, Problem)
        else Seen(one.status, "live", claim_id=one.record_id)
        for one in told
    ]


STATED_AT: Final = datetime.fromisoformat("2024-09-02T09:00:00+08:00")


def attempt(counter: Counter, what: str, bodies: list[Body], platform: str) -> list[Seen]:
    """Claim or state spending; what only the database refuses is answered as a conflict of its constraint.

    Where the database is busy for longer than anybody waits, nothing is stored and the answer is 503, as over HTTP.
    """
    try:
        return support_all(counter, bodies) if what == "support" else submit_all(counter, bodies, platform)
    except Unavailable as problem:
        return [Seen(problem.status, codes=frozenset({problem.code}))] * len(bodies)
    except IntegrityError as error:
        broken = broken_constraint(error)
        if broken not in RACED:
            raise
        if len(bodies) > 1:
            return [one for body in bodies for one in attempt(counter, what, [body], platform)]
        return [Seen(409, codes=frozenset({str(broken)}))]


def submit_late(counter: Counter, at: datetime, body: Body, platform: str) -> Seen:
    """Submit one claim at this business time."""
    return submit(replace(counter, at=at), body, platform)


def expire(counter: Counter, at: datetime) -> int:
    """Release the reservations that have expired at this business time."""
    return run(counter.app, Scope(TENANTS), FixedClock(at), release_expired)


def decide(counter: Counter, claim_id: UUID, tenant: str, what: str, *arguments: Any) -> str:
    """Review, resolve a hold of, or withdraw a claim: the state it then has, or the problem's code."""
    view = counter.do(lambda work: view_claim(work.connection, claim_id), tenant)
    try:
        done: ClaimView = getattr(counter, what)(view, *arguments)
    except Problem as problem:
        return problem.code
    return done.row.state


def take_blindly(
    counter: Counter, digest: bytes, times: int, claimed_fen: int, stated_fen: int
) -> tuple[int, list[str]]:
    """Insert holdings as taken without a look at the registry: how many went in, and other words than a full invoice.

    Every third that went in is deleted again, just as blindly.
    """
    kept, other = 0, []
    for number in range(times):
        holder_id = uuid4()
        try:
            with counter.app.begin() as connection:
                connection.exec_driver_sql(TAKE, (digest, holder_id, claimed_fen, stated_fen))
            kept += 1
            if number % 3 == 0:
                with counter.app.begin() as connection:
                    connection.exec_driver_sql("delete from registry_holding where holder_id = %s", (holder_id,))
                kept -= 1
        except DBAPIError as error:
            if broken_constraint(error) != "registry_key_fen_once":
                other.append(str(error.orig))
    return kept, other


TAKE: Final = (
    "insert into registry_holding (digest, exclusion_group, holder_id, holder_kind, tenant, scheme, platform, "
    "enterprise_digest, month, status, claimed_fen, stated_fen) "
    "values (%s, 'national', %s, 'claim', 'jiangsu', 'provincial', 'jssic', '\\x00', '2024-08', 'taken', %s, %s)"
)


def _seen(status: int, view: ClaimView) -> Seen:
    return Seen(status, view.row.state, Money.parse(award(view)), frozenset(codes(view)), view.row.id)
