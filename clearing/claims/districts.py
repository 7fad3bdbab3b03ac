"""Districts (属地): whom of a tenant's reviewers which divisions bind; they see and decide only those claims.

The database hides other claims from a bound person, and refuses the decisions that these functions refuse.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from clearing.claims.surroundings import division_prefix
from tenants.kernel.canonical import Json, plain
from tenants.kernel.change import Change, record
from tenants.kernel.database import Work
from tenants.kernel.errors import Conflict, Forbidden, not_found
from tenants.kernel.ids import new_id
from tenants.kernel.statements import insert_rows


@dataclass(frozen=True, slots=True)
class District:
    """One row of ``reviewer_district``; the field names are the columns'."""

    tenant: str
    id: UUID
    person: str
    division: str
    ground: str
    set_by: str
    set_at: datetime
    ended_by: str | None = None
    ended_at: datetime | None = None
    end_reason: str | None = None

    def json(self) -> dict[str, Json]:
        """As it is answered and kept in the audit chain."""
        return {name: plain(getattr(self, name)) for name in COLUMNS}


COLUMNS: Final = tuple(field.name for field in fields(District))
_LIST: Final = ", ".join(COLUMNS)


def refuse_outside(work: Work, tenant: str, person: str | None, division: str) -> None:
    """Refuse a person who is bound to other divisions.

    Raises:
        Forbidden: ``decision.district``.
    """
    if person is None:
        return
    bound = work.connection.exec_driver_sql(
        "select division from reviewer_district where tenant = %s and person = %s and ended_at is null",
        (tenant, person),
    ).scalars()
    prefixes = [division_prefix(each) for each in bound]
    if prefixes and not division.startswith(tuple(prefixes)):
        raise Forbidden(
            "decision.district", "该申请不在您负责的区划内。", "It is not of the divisions that you answer for."
        )


def bind(work: Work, actor: str, tenant: str, given: Mapping[str, str]) -> District:
    """Bind a ``person`` to a ``division``, on this ``ground``; the same again is the same binding.

    Raises:
        Forbidden: the actor is the person.
    """
    if given["person"] == actor:
        raise _own()
    known = work.connection.exec_driver_sql(
        f"select {_LIST} from reviewer_district where tenant = %s and person = %s and division = %s "  # noqa: S608 - ours
        "and ended_at is null for no key update",
        (tenant, given["person"], given["division"]),
    ).one_or_none()
    if known is not None:
        return District(*known)
    made = District(tenant, new_id(), given["person"], given["division"], given["ground"], actor, work.at)
    insert_rows(work.connection, "reviewer_district", COLUMNS, [tuple(getattr(made, name) for name in COLUMNS)])
    record(work.connection, [_change(actor, "bound", made)], work.at)
    return made


def end(work: Work, actor: str, tenant: str, district_id: UUID, reason: str) -> District:
    """End a binding; the person concerned may not.

    Raises:
        NotFound: there is none.
        Conflict: it has ended.
        Forbidden: the actor is the person concerned.
    """
    row = work.connection.exec_driver_sql(
        f"select {_LIST} from reviewer_district where tenant = %s and id = %s for no key update",  # noqa: S608 - ours
        (tenant, district_id),
    ).one_or_none()
    if row is None:
        raise not_found("属地", "district")
    known = District(*row)
    if known.ended_at is not None:
        raise Conflict("district.ended", "该属地绑定已解除。", "This binding has ended.")
    if known.person == actor:
        raise _own()
    ended = replace(known, ended_by=actor, ended_at=work.at, end_reason=reason)
    work.connection.exec_driver_sql(
        "update reviewer_district set ended_by = %s, ended_at = %s, end_reason = %s where tenant = %s and id = %s",
        (actor, work.at, reason, tenant, district_id),
    )
    record(work.connection, [_change(actor, "ended", ended)], work.at)
    return ended


def listed(
    connection: Connection, tenant: str, filters: Mapping[str, str | None], after: UUID | None, limit: int
) -> list[District]:
    """At most ``limit`` bindings of the tenant behind the id, filtered by ``person`` and ``state`` (bound, ended)."""
    rows = connection.exec_driver_sql(
        f"select {_LIST} from reviewer_district where {_FOUND} "  # noqa: S608 - our own columns
        "and (%s::uuid is null or id > %s) order by id limit %s",
        (*_values(tenant, filters), after, after, limit),
    )
    return [District(*row) for row in rows]


def district_totals(
    connection: Connection, tenant: str, filters: Mapping[str, str | None], most: int | None
) -> tuple[int]:
    """How many bindings the filter finds, counted up to ``most``."""
    count: int = connection.exec_driver_sql(
        f"select count(*) from (select 1 from reviewer_district where {_FOUND} limit %s) found",  # noqa: S608 - ours
        (*_values(tenant, filters), most),
    ).scalar_one()
    return (count,)


STATES: Final = ("bound", "ended")
_FOUND: Final = (
    "tenant = %s and (%s::text is null or person = %s) and (%s::text is null or (ended_at is null) = (%s = 'bound'))"
)


def _values(tenant: str, filters: Mapping[str, str | None]) -> tuple[str | None, ...]:
    person, state = filters.get("person"), filters.get("state")
    return (tenant, person, person, state, state)


def _own() -> Forbidden:
    return Forbidden("district.own", "本人不能设定自己的属地。", "Another person sets whom a district binds.")


def _change(actor: str, act: str, one: District) -> Change:
    before, after = ("bound", "ended") if act == "ended" else (None, "bound")
    reason = one.end_reason or one.ground
    return Change(one.tenant, actor, f"district.{act}", one.id, before, after, reason, {"after": one.json()})
