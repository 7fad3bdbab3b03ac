"""Linkages (联动承诺): what a linked region commits itself to for a year, proposed by one person, approved by another.

Where the division is a tenant's, its own administrators propose; the province approves (经核准后即可入库). A region may
match more than the province's policy asks for, never less (按照不低于……). Both sides' chains tell of every step.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from clearing.tenancy.governing import governing_policy
from clearing.tenancy.two_people import BECOMES, require_another, require_reason
from tenants.kernel.canonical import Json, plain
from tenants.kernel.change import Change, record
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
from tenants.kernel.errors import Conflict, FieldError, Invalid, Text, not_found
from tenants.kernel.ids import new_id
from tenants.kernel.money import Money
from tenants.kernel.rate import RateError, parse_rate
from tenants.kernel.statements import insert_rows
from tenants.policy import UNSET, EnterpriseType, Policy, Zone, lies_in
from tenants.policy_checks import legs_exceed_base
from tenants.policy_store import approved_policies

STATES: Final = ("proposed", "approved", "rejected")
RACED: Final = frozenset({"linkage_in_force"})
"""The constraint that only a race can break here: two commitments of one day."""


@dataclass(frozen=True, slots=True)
class Commitment:
    """What is proposed: ``provincial_to_local`` such as ``7:3``, the province first; ``cap`` an enterprise and year."""

    scheme: str | None
    year: int
    division: str
    types: tuple[str, ...]
    provincial_to_local: str
    cap: Money
    from_on: date
    cite: str


@dataclass(frozen=True, slots=True)
class Linkage:
    """One row of ``linkage``; the field names are the columns'."""

    tenant: str
    id: UUID
    scheme: str
    year: int
    division: str
    types: tuple[str, ...]
    provincial_to_local: str
    cap_fen: int
    from_on: date
    cite: str
    linked: str | None
    state: str
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None = None
    decided_at: datetime | None = None
    reason: str | None = None

    @property
    def sides(self) -> tuple[str, ...]:
        """The tenants whose chains tell of it."""
        return (self.tenant,) if self.linked is None else (self.tenant, self.linked)

    def json(self) -> dict[str, Json]:
        """The linkage as it is answered and kept in the audit chain."""
        said = {name: plain(getattr(self, name)) for name in COLUMNS if name not in {"tenant", "cap_fen", "linked"}}
        return said | {"province": self.tenant, "linked_tenant": self.linked, "cap": str(Money(self.cap_fen))}


COLUMNS: Final = tuple(field.name for field in fields(Linkage))
_LIST: Final = ", ".join(COLUMNS)


def propose(
    work: Work, actor: str, tenant: str, province: str, commitment: Commitment, *, demonstration: bool
) -> Linkage:
    """Propose what the region commits itself to; ``tenant`` is who proposes, the province for a region that is none.

    The transaction has to be bound to both.

    Raises:
        Invalid: with a pointer for each fault.
        Conflict: ``linkage.own_tenant``: the division is another tenant's, whose administrators propose.
    """
    linked = _governing(work.connection, province, commitment.division)
    if tenant != (linked or province):
        raise Conflict(
            "linkage.own_tenant",
            f"区划 {commitment.division} 属于 {linked or province}，须由其管理员提出。",
            f"The division {commitment.division} belongs to {linked or province}, whose administrators propose.",
        )
    policy = governing_policy(work, province, commitment.scheme, commitment.from_on, demonstration=demonstration)
    faults = tuple(_faults(policy, commitment, shanghai_day(work.at)))
    if faults:
        raise Invalid("linkage.invalid", "联动承诺有误。", "The commitment has faults.", errors=faults)
    made = Linkage(
        province, new_id(), policy.scheme, commitment.year, commitment.division,
        tuple(sorted(set(commitment.types))), commitment.provincial_to_local, commitment.cap.fen, commitment.from_on,
        commitment.cite, linked, "proposed", actor, work.at,
    )  # fmt: skip
    values = [list(value) if isinstance(value := getattr(made, name), tuple) else value for name in COLUMNS]
    insert_rows(work.connection, "linkage", COLUMNS, [tuple(values)])
    _record(work, actor, None, made)
    return made


def decide(work: Work, actor: str, province: str, linkage_id: UUID, outcome: str, reason: str | None) -> Linkage:
    """Approve or reject a proposal, by the province; never by who proposed it. The same again changes nothing.

    Raises:
        NotFound: the province has no such proposal.
        Conflict: it was decided, its day is over, or the region has another commitment from that day on.
        Invalid: a rejection without a reason.
        Forbidden: the same person proposed it.
    """
    known = _find(work.connection, province, linkage_id, " for no key update")
    if known.tenant != province:
        raise not_found("联动承诺", "linkage")
    becomes = BECOMES[outcome]
    if (known.state, known.decided_by) == (becomes, actor):
        return known
    if known.state != "proposed":
        raise Conflict("linkage.state", "该联动承诺已有决定。", "The commitment was decided.")
    require_reason(outcome, reason)
    require_another("linkage", known.proposed_by, actor)
    if outcome == "approve":
        _require_in_time(work, known)
    work.connection.exec_driver_sql(
        "update linkage set state = %s, decided_by = %s, decided_at = %s, reason = %s where tenant = %s and id = %s",
        (becomes, actor, work.at, reason, known.tenant, known.id),
    )
    after = _find(work.connection, province, linkage_id)
    _record(work, actor, known, after)
    return after


def view(connection: Connection, tenant: str, linkage_id: UUID) -> Linkage:
    """The linkage, of which the tenant is a side.

    Raises:
        NotFound: there is none.
    """
    return _find(connection, tenant, linkage_id)


def listed(
    connection: Connection, tenant: str, year: int | None, state: str | None, after: UUID | None, limit: int
) -> list[Linkage]:
    """At most ``limit`` linkages of which the tenant is a side, behind the id, the oldest first."""
    rows = connection.exec_driver_sql(
        f"select {_LIST} from linkage where {_FOUND} "  # noqa: S608 - our own columns
        "and (%s::uuid is null or id > %s) order by id limit %s",
        (tenant, tenant, year, year, state, state, after, after, limit),
    )
    return [_row(row) for row in rows]


def linkage_totals(
    connection: Connection, tenant: str, year: int | None, state: str | None, most: int | None
) -> tuple[int]:
    """How many linkages the filter finds, counted up to ``most``."""
    count: int = connection.exec_driver_sql(
        f"select count(*) from (select 1 from linkage where {_FOUND} limit %s) found",  # noqa: S608 - our own words
        (tenant, tenant, year, year, state, state, most),
    ).scalar_one()
    return (count,)


_FOUND: Final = "(tenant = %s or linked = %s) and (%s::int is null or year = %s) and (%s::text is null or state = %s)"


@dataclass(frozen=True, slots=True)
class Offer:
    """A scheme whose awards are matched: its types, and what it asks of each zone as its version of today says."""

    province: str
    scheme: str
    types: tuple[EnterpriseType, ...]
    zones: tuple[Zone, ...]


def offers(work: Work, *, demonstration: bool) -> list[Offer]:
    """Of the bound tenants' schemes those that ask regions to match their awards."""
    schemes = work.connection.exec_driver_sql(
        "select distinct tenant, scheme from policy_version where state = 'approved' and (%s or not demonstration) "
        "order by tenant, scheme",
        (demonstration,),
    ).all()
    found = []
    for tenant, scheme in schemes:
        policies = approved_policies(work.connection, tenant, [scheme], demonstration=demonstration)
        policy = policies.in_force(scheme, shanghai_day(work.at))
        zones = () if policy is None else tuple(zone for zone in policy.zones if zone.matching_cap is not None)
        if policy is not None and zones:
            found.append(Offer(tenant, scheme, policy.enterprise.types, zones))
    return found


def _governing(connection: Connection, province: str, division: str) -> str | None:
    """The tenant that governs the division, unless it is the province itself."""
    return connection.exec_driver_sql(
        "select t.tenant from tenant t, unnest(t.divisions) d where t.tenant <> %s and starts_with(%s, d) "
        "order by length(d) desc limit 1",
        (province, division),
    ).scalar_one_or_none()


def _faults(policy: Policy, one: Commitment, today: date) -> Iterator[FieldError]:
    zone = policy.zone(one.division, ())
    if not lies_in(one.division, policy.enterprise.divisions.value):
        yield _fault("/division", "division.elsewhere", "不在本券种支持的区划内。", "The scheme does not support it.")
    known = {each.code for each in policy.enterprise.types}
    if unknown := sorted(set(one.types) - known):
        named = "、".join(unknown)
        yield _fault("/types", "type.unknown", f"本券种没有这些类型：{named}。", f"The scheme has no type {named}.")
    if one.from_on < today:
        yield _fault("/from_on", "linkage.backwards", "起始日不能早于今天。", "It cannot begin before today.")
    if one.from_on.year > one.year:
        yield _fault("/from_on", "linkage.after_year", "起始日在该年度之后。", "It begins after the year.")
    yield from _below_policy(zone, one)


def _below_policy(zone: Zone, one: Commitment) -> Iterator[FieldError]:
    """What is less than the policy asks of a linked region (不低于)."""
    ratio, cap = zone.provincial_to_local, zone.matching_cap
    if ratio is None or cap is None:
        yield _fault("/division", "linkage.none", "本券种没有联动配套。", "The scheme has no matching there.")
        return
    try:
        given = parse_rate(one.provincial_to_local)
    except RateError:
        given = None
    if not given:
        said = ("须为“省:地方”，如 7:3。", "A ratio such as 7:3, the province first.")
        yield _fault("/provincial_to_local", "ratio.malformed", *said)
    elif given > ratio.value:
        said = (f"低于政策要求（{ratio.cite}）。", f"Less than the policy asks for ({ratio.cite}).")
        yield _fault("/provincial_to_local", "linkage.below_policy", *said)
    elif zone.rate.value is not UNSET and legs_exceed_base(zone.rate.value, given):
        said = (
            f"与省级补贴比例（{zone.rate.cite}）合计超过核定基数的 100%。",
            f"With the province's rate ({zone.rate.cite}) it comes to over 100 % of the base.",
        )
        yield _fault("/provincial_to_local", "linkage.above_base", *said)
    if one.cap < cap.value:
        said = (f"低于政策要求的 {cap.value:,} 元（{cap.cite}）。", f"Below the policy's {cap.value:,} ({cap.cite}).")
        yield _fault("/cap", "linkage.below_policy", *said)


def _fault(pointer: str, code: str, zh: str, en: str) -> FieldError:
    return FieldError(pointer, code, Text(zh, en))


def _require_in_time(work: Work, known: Linkage) -> None:
    if known.from_on < shanghai_day(work.at):
        raise Conflict(
            "linkage.backwards",
            f"起始日 {known.from_on} 已过，请重新提出。",
            f"The day {known.from_on} is past; propose it anew.",
        )
    same_day = work.connection.exec_driver_sql(
        "select 1 from linkage where tenant = %s and scheme = %s and year = %s and division = %s and from_on = %s "
        "and state = 'approved'",
        (known.tenant, known.scheme, known.year, known.division, known.from_on),
    ).first()
    if same_day is not None:
        raise Conflict(
            "linkage.same_day", "该地区当日已有承诺生效。", "The region has a commitment from that day on already."
        )


def _find(connection: Connection, tenant: str, linkage_id: UUID, lock: str = "") -> Linkage:
    row = connection.exec_driver_sql(
        f"select {_LIST} from linkage where id = %s and (tenant = %s or linked = %s){lock}",  # noqa: S608 - our own
        (linkage_id, tenant, tenant),
    ).one_or_none()
    if row is None:
        raise not_found("联动承诺", "linkage")
    return _row(row)


def _row(row: Any) -> Linkage:  # noqa: ANN401 - a row of the driver
    said: dict[str, Any] = dict(zip(COLUMNS, row, strict=True))
    return Linkage(**{**said, "types": tuple(said["types"])})


def _record(work: Work, actor: str, before: Linkage | None, after: Linkage) -> None:
    state, details = None if before is None else before.state, {"after": after.json()}
    changes = [
        Change(side, actor, f"linkage.{after.state}", after.id, state, after.state, after.reason, details)
        for side in after.sides
    ]
    record(work.connection, changes, work.at)
