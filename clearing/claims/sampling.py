"""Samples (抽查): claims that a trust list let pass are looked at afterwards, drawn by a seed that is kept.

The claims with the smallest SHA-256 of seed and id are taken, so that anybody who has the seed draws the same.
"""

import secrets
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import Connection

from clearing.claims.clawbacks import Order, asked_of
from clearing.claims.consequences import Consequence, follow_up
from clearing.claims.districts import refuse_outside
from clearing.claims.interests import refuse_interested
from clearing.claims.records import lock_claim
from clearing.claims.review import Reviewer
from clearing.claims.review_chain import PROVIDER
from clearing.claims.rules.parties import years_later
from clearing.claims.vault import Vault
from clearing.tenancy.governing import governing_policy
from tenants.kernel.canonical import Json, plain, sha256
from tenants.kernel.change import Change, record
from tenants.kernel.clock import SHANGHAI, shanghai_day
from tenants.kernel.database import Work
from tenants.kernel.errors import Conflict, FieldError, Invalid, Text, not_found
from tenants.kernel.ids import new_id
from tenants.kernel.money import ZERO, Money
from tenants.kernel.rate import Rate, print_rate
from tenants.kernel.statements import insert_rows
from tenants.policy import UNSET, Policy

SEED_BYTES: Final = 32
UNSOUND: Final = "unsound"
OUTCOMES: Final = ("sound", UNSOUND)
DUE_AT_ONCE: Final = 20


class Line(NamedTuple):
    """One claim of a sample."""

    tenant: str
    sample_id: UUID
    line: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a sampled claim; of an unsound one what is asked back (by default all), and until when it bans.

    Without a day the policy's years of sanction count, where it sets them.
    """

    outcome: str
    reason: str | None
    amount: Money | None = None
    sanction_until: date | None = None


@dataclass(frozen=True, slots=True)
class Period:
    """What is sampled: a scheme's claims that were approved from one day through another."""

    scheme: str
    from_on: date
    through_on: date


@dataclass(frozen=True, slots=True)
class Sample:
    """One row of ``sample``; the field names are the columns'."""

    tenant: str
    id: UUID
    scheme: str
    from_on: date
    through_on: date
    share: str
    cite: str
    seed: bytes
    population: int
    size: int
    drawn_by: str
    drawn_at: datetime

    def json(self) -> dict[str, Json]:
        """As it is answered and kept in the audit chain."""
        said = {name: plain(getattr(self, name)) for name in COLUMNS if name != "seed"}
        return said | {"seed": self.seed.hex()}


COLUMNS: Final = tuple(field.name for field in fields(Sample))
_LIST: Final = ", ".join(COLUMNS)


def draw(work: Work, actor: str, tenant: str, period: Period, share: Rate | None, *, demonstration: bool) -> Sample:
    """Draw the sample of a period that is over; the policy's share goes before the one given.

    Raises:
        Invalid: the period is not over, or no share is known.
        Conflict: it was drawn before, or nothing passed without review.
    """
    policy = governing_policy(work, tenant, period.scheme, shanghai_day(work.at), demonstration=demonstration)
    share, cite = _share(policy, share)
    if not period.from_on <= period.through_on < shanghai_day(work.at):
        said = Text("抽查期间须已结束。", "The period must be over.")
        raise _invalid("/through_on", "period.not_over", said)
    claims = _population(work.connection, tenant, period)
    if not claims:
        raise Conflict("sample.empty", "该期间没有免审通过的申请。", "No claim of the period passed without review.")
    seed = secrets.token_bytes(SEED_BYTES)
    size = -(-len(claims) * share.numerator // share.denominator)
    taken = drawn(seed, claims, size)
    made = Sample(
        tenant, new_id(), period.scheme, period.from_on, period.through_on, print_rate(share), cite, seed, len(claims),
        len(taken), actor, work.at,
    )  # fmt: skip
    _refuse_second(work.connection, made)
    insert_rows(work.connection, "sample", COLUMNS, [tuple(getattr(made, name) for name in COLUMNS)])
    lines = [(tenant, made.id, line, claim_id) for line, claim_id in enumerate(taken, 1)]
    insert_rows(work.connection, "sample_item", ("tenant", "sample_id", "line", "claim_id"), lines)
    details: dict[str, Json] = {"after": made.json() | {"claims": [str(claim_id) for claim_id in taken]}}
    change = Change(tenant, actor, "sample.drawn", made.id, None, "drawn", details=details)
    record(work.connection, [change], work.at)
    return made


def drawn(seed: bytes, claims: list[UUID], size: int) -> list[UUID]:
    """The claims that the seed takes: those with the smallest SHA-256 of seed and id, in that order."""
    return sorted(claims, key=lambda claim_id: sha256(seed + claim_id.bytes))[:size]


def decide(work: Work, vault: Vault, reviewer: Reviewer, place: Line, verdict: Verdict) -> None:
    """Say what became of one sampled claim; what is unsound is stopped, clawed back, or clawed back once it is paid.

    Raises:
        NotFound: there is no such line.
        Conflict: it was decided; more is asked back than was paid.
        Invalid: unsound without a reason.
        Forbidden: the person has an interest in a party, or is bound to another district.
    """
    row: Any = work.connection.exec_driver_sql(
        "select i.outcome, i.claim_id, c.claim_no, c.enterprise_uscc, c.provider_uscc, c.division "
        "from sample_item i join claim c on c.tenant = i.tenant and c.id = i.claim_id "
        "where i.tenant = %s and i.sample_id = %s and i.line = %s for no key update of i",
        place,
    ).one_or_none()
    if row is None:
        raise not_found("抽查项", "sampled claim")
    if row.outcome is not None:
        raise Conflict("sample.decided", "该抽查项已有结论。", "This sampled claim was decided.")
    if verdict.outcome == UNSOUND and not verdict.reason:
        raise _invalid("/reason", "reason.missing", Text("请填写理由。", "A reason is needed."))
    refuse_interested(work, place.tenant, reviewer.person, (row.enterprise_uscc, row.provider_uscc))
    refuse_outside(work, place.tenant, reviewer.person, row.division)
    done, order = Consequence(None), Order(ZERO, "")
    if verdict.outcome == UNSOUND:
        order = _order(work, row.claim_id, verdict, demonstration=reviewer.demonstration)
        done = follow_up(work, vault, row.claim_id, order, reviewer.actor)
    work.connection.exec_driver_sql(
        "update sample_item set outcome = %s, reason = %s, decided_by = %s, decided_at = %s, consequence = %s, "
        "clawback_id = %s, asked_fen = %s, sanction_until = %s where tenant = %s and sample_id = %s and line = %s",
        (
            verdict.outcome,
            verdict.reason,
            reviewer.actor,
            work.at,
            done.what,
            done.clawback_id,
            None if verdict.amount is None else verdict.amount.fen,
            order.sanction_until,
            *place,
        ),
    )
    details: dict[str, Json] = {
        "line": place.line, "claim_no": row.claim_no, "outcome": verdict.outcome, **done.json(),
        "asked": None if verdict.amount is None else str(verdict.amount), "sanction_until": plain(order.sanction_until),
    }  # fmt: skip
    change = Change(
        place.tenant, reviewer.actor, "sample.decided", place.sample_id, "drawn", "drawn", verdict.reason, details
    )
    record(work.connection, [change], work.at)


def settle_due(work: Work, vault: Vault, *, demonstration: bool) -> int:
    """Claw back what was found unsound before it was paid, and is paid now; how many."""
    rows = work.connection.exec_driver_sql(
        "select i.tenant, i.sample_id, i.line, i.claim_id, i.reason, i.decided_by, c.claim_no, "
        "i.asked_fen, i.sanction_until from sample_item i "
        "join claim_now c on c.tenant = i.tenant and c.id = i.claim_id where i.consequence = 'due' "
        "and c.state_now in ('paid', 'clawed_back') order by i.tenant, i.claim_id limit %s for no key update of i",
        (DUE_AT_ONCE,),
    ).all()
    for row in rows:
        amount = None if row.asked_fen is None else Money(row.asked_fen)
        verdict = Verdict(UNSOUND, row.reason, amount, row.sanction_until)
        order = _order(work, row.claim_id, verdict, demonstration=demonstration)
        done = follow_up(work, vault, row.claim_id, order, row.decided_by)
        work.connection.exec_driver_sql(
            "update sample_item set consequence = %s, clawback_id = %s where tenant = %s and sample_id = %s "
            "and line = %s",
            (done.what, done.clawback_id, row.tenant, row.sample_id, row.line),
        )
        details: dict[str, Json] = {"line": row.line, "claim_no": row.claim_no, **done.json()}
        change = Change(
            row.tenant, row.decided_by, "sample.followed_up", row.sample_id, "drawn", "drawn", row.reason, details
        )
        record(work.connection, [change], work.at)
    return len(rows)


def view(connection: Connection, tenant: str, sample_id: UUID) -> dict[str, Json]:
    """The sample with its claims.

    Raises:
        NotFound: there is none.
    """
    row = connection.exec_driver_sql(
        f"select {_LIST} from sample where tenant = %s and id = %s",  # noqa: S608 - our own columns
        (tenant, sample_id),
    ).one_or_none()
    if row is None:
        raise not_found("抽查", "sample")
    items = connection.exec_driver_sql(
        "select i.line, i.claim_id, c.claim_no, i.outcome, i.reason, i.decided_by, i.decided_at, i.consequence, "
        "i.clawback_id from sample_item i "
        "join claim c on c.tenant = i.tenant and c.id = i.claim_id "
        "where i.tenant = %s and i.sample_id = %s order by i.line",
        (tenant, sample_id),
    )
    shown: list[Json] = [{name: plain(value) for name, value in item._mapping.items()} for item in items]  # noqa: SLF001 - SQLAlchemy's public name
    return _sample(row).json() | {"items": shown}


def listed(connection: Connection, tenant: str, after: UUID | None, limit: int) -> list[Sample]:
    """At most ``limit`` samples of the tenant behind the id, the oldest first."""
    rows = connection.exec_driver_sql(
        f"select {_LIST} from sample where tenant = %s "  # noqa: S608 - our own columns
        "and (%s::uuid is null or id > %s) order by id limit %s",
        (tenant, after, after, limit),
    )
    return [_sample(row) for row in rows]


def _sample(row: Any) -> Sample:  # noqa: ANN401 - a row of the driver
    said: dict[str, Any] = dict(zip(COLUMNS, row, strict=True))
    return Sample(**{**said, "seed": bytes(said["seed"])})


def _order(work: Work, claim_id: UUID, verdict: Verdict, *, demonstration: bool) -> Order:
    """What is asked back, and the ban of the policy's years where nobody names a day."""
    row = lock_claim(work.connection, claim_id)
    policy = governing_policy(work, row.tenant, row.scheme, shanghai_day(work.at), demonstration=demonstration)
    years, until = policy.sanction_years.value, verdict.sanction_until
    if until is None and years is not UNSET:
        until = years_later(shanghai_day(work.at), years) - timedelta(days=1)
    left = Money(max(row.award_fen - asked_of(work.connection, row), 0))
    return Order(left if verdict.amount is None else verdict.amount, f"抽查不实：{verdict.reason}", until)


def _share(policy: Policy, given: Rate | None) -> tuple[Rate, str]:
    term = policy.review.sample_share
    if term is not None:
        return term.value, term.cite
    if given is None or not 0 < given <= Fraction(1):
        said = Text(
            "政策未定抽查比例，请填写大于 0、不超过 1 的比例。", "The policy sets no share: give one in (0, 1]."
        )
        raise _invalid("/share", "share.missing", said)
    return given, "租户设置（政策未定抽查比例）"


def _population(connection: Connection, tenant: str, period: Period) -> list[UUID]:
    """Approved claims of the period that nobody reviewed but their provider."""
    begins = datetime.combine(period.from_on, datetime.min.time(), SHANGHAI)
    ends = datetime.combine(period.through_on + timedelta(days=1), datetime.min.time(), SHANGHAI)
    return list(
        connection.exec_driver_sql(
            "select c.id from claim c join obligation o on o.tenant = c.tenant and o.id = c.id "
            "where c.tenant = %s and c.scheme = %s and o.released_at is null and o.approved_at >= %s "
            "and o.approved_at < %s and not exists (select 1 from review r where r.tenant = c.tenant "
            "and r.claim_id = c.id and r.revision = c.revision and r.stage <> %s) order by c.id",
            (tenant, period.scheme, begins, ends, PROVIDER),
        ).scalars()
    )


def _refuse_second(connection: Connection, made: Sample) -> None:
    found = connection.exec_driver_sql(
        "select 1 from sample where tenant = %s and scheme = %s and from_on = %s and through_on = %s",
        (made.tenant, made.scheme, made.from_on, made.through_on),
    ).first()
    if found is not None:
        raise Conflict("sample.drawn", "该期间已抽查，不能重新抽取。", "The period was sampled; it is not drawn again.")


def _invalid(pointer: str, code: str, said: Text) -> Invalid:
    return Invalid("sample.invalid", said.zh, said.en, errors=(FieldError(pointer, code, said),))
