"""Linked regions (联动地区): which divisions match a province's awards in a year, for which types of enterprise.

A year's list is proposed whole by one person and counts once another has approved it. Claims assessed before keep what
they were given.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID, uuid5

from sqlalchemy import Connection

from clearing.tenancy.two_people import BECOMES, require_another, require_reason
from tenants.kernel.canonical import Json, plain
from tenants.kernel.change import Change, record
from tenants.kernel.database import Work
from tenants.kernel.errors import Conflict, FieldError, Invalid, Text
from tenants.kernel.statements import insert_rows
from tenants.kernel.strict_json import pointer

_DIVISION: Final = re.compile(r"[1-9][0-9]{5}", re.ASCII)
_TYPE: Final = re.compile(r"[a-z][a-z0-9_]{0,47}", re.ASCII)
_YEARS: Final = UUID("3f9a2b1c-7d54-4d0e-8b43-52f0b7a4c6d1")
MAX_REGIONS: Final = 500


@dataclass(frozen=True, slots=True)
class RegionList:
    """One version of a year's list; version 0 was set before two people were asked for."""

    tenant: str
    year: int
    version: int
    state: str
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    reason: str | None
    regions: Mapping[str, Sequence[str]]

    def json(self) -> dict[str, Json]:
        """The version as it is answered and kept in the audit chain."""
        said: dict[str, Json] = {name: plain(getattr(self, name)) for name in _COLUMNS}
        return said | {"regions": {division: list(types) for division, types in self.regions.items()}}


_COLUMNS: Final = (
    "tenant", "year", "version", "state", "proposed_by", "proposed_at", "decided_by", "decided_at", "reason",
)  # fmt: skip


def year_id(tenant: str, year: int) -> UUID:
    """What names a year's linked regions in the audit chain (UUIDv5)."""
    return uuid5(_YEARS, f"{tenant}/{year}")


def parse(body: Json) -> dict[str, list[str]]:
    """The regions of a request: ``{"regions": {division: [type, …]}}``, or that mapping alone.

    Raises:
        Invalid: a division has not six digits, its types are not a list of codes, or there is more beside the regions.
    """
    place: tuple[str, ...] = ()
    given = body
    if isinstance(body, dict) and "regions" in body:
        place, given = ("regions",), body["regions"]
        if more := sorted(body.keys() - {"regions"}):
            said = Text("没有这个字段。", "Unknown field.")
            raise _invalid(*(FieldError(pointer((name,)), "field.unknown", said) for name in more))
    if not isinstance(given, dict) or len(given) > MAX_REGIONS:
        raise _invalid(
            FieldError(pointer(place), "object.expected", Text("须为“区划代码: [类型]”的对象。", "An object of lists."))
        )
    faults = tuple(
        FieldError(
            pointer((*place, division)),
            "linked_region.invalid",
            Text(
                "区划代码须为六位数字，类型须为非空的代码数组。",
                "A division has six digits; its types are codes in a list.",
            ),
        )
        for division, types in given.items()
        if not _DIVISION.fullmatch(division) or not _is_types(types)
    )
    if faults:
        raise _invalid(*faults)
    return cast("dict[str, list[str]]", given)


def read(connection: Connection, tenant: str, year: int) -> dict[str, Json]:
    """The year's linked regions in force by division, their version, and the list proposed; ``null`` for none."""
    lists = {each.state: each for each in _newest(connection, tenant, year)}
    in_force, proposed = lists.get("approved"), lists.get("proposed")
    return {
        "tenant": tenant,
        "year": year,
        "version": None if in_force is None else in_force.version,
        "regions": {} if in_force is None else in_force.json()["regions"],
        "proposed": None if proposed is None else proposed.json(),
    }


def propose(work: Work, actor: str, tenant: str, year: int, regions: Mapping[str, Sequence[str]]) -> RegionList:
    """Propose the year's whole list anew; a proposal that nobody has decided is superseded."""
    _lock(work.connection, tenant, year)
    changes = [
        _change(actor, known, _move(work.connection, replace(known, state="superseded")))
        for known in _newest(work.connection, tenant, year)
        if known.state == "proposed"
    ]
    version = work.connection.exec_driver_sql(
        "select coalesce(max(version), 0) + 1 from linked_region_list where tenant = %s and year = %s", (tenant, year)
    ).scalar_one()
    ordered = {division: sorted(set(types)) for division, types in sorted(regions.items())}
    made = RegionList(tenant, year, version, "proposed", actor, work.at, None, None, None, ordered)
    insert_rows(work.connection, "linked_region_list", _COLUMNS, [tuple(getattr(made, name) for name in _COLUMNS)])
    insert_rows(
        work.connection,
        "linked_region",
        ("tenant", "year", "version", "division", "types"),
        [(tenant, year, version, division, types) for division, types in ordered.items()],
    )
    record(work.connection, [*changes, _change(actor, None, made)], work.at)
    return made


def decide(
    work: Work, actor: str, tenant: str, year: int, version: int, outcome: str, reason: str | None
) -> RegionList:
    """Approve or reject the version that was proposed; approved, it stands in the place of the one before.

    Raises:
        Conflict: that version is not waiting to be decided.
        Invalid: a rejection without a reason.
        Forbidden: the same person proposed it.
    """
    _lock(work.connection, tenant, year)
    known = next((each for each in _newest(work.connection, tenant, year) if each.state == "proposed"), None)
    if known is None or known.version != version:
        raise Conflict("linked_regions.state", "该版本不在待决定状态。", "That version is not waiting to be decided.")
    require_reason(outcome, reason)
    require_another("linked_regions", known.proposed_by, actor)
    after = replace(known, state=BECOMES[outcome], decided_by=actor, decided_at=work.at, reason=reason)
    record(work.connection, [_change(actor, known, _move(work.connection, after))], work.at)
    return after


def _newest(connection: Connection, tenant: str, year: int) -> list[RegionList]:
    """The latest approved version and the proposed one, with their regions."""
    rows: Any = connection.exec_driver_sql(
        f"select {', '.join(_COLUMNS)} from linked_region_list where tenant = %s and year = %s "  # noqa: S608 - ours
        "and (state = 'proposed' or version = (select max(version) from linked_region_list where tenant = %s "
        "and year = %s and state = 'approved')) order by version",
        (tenant, year, tenant, year),
    ).all()
    listed = connection.exec_driver_sql(
        "select version, division, types from linked_region where tenant = %s and year = %s and version = any(%s) "
        "order by division",
        (tenant, year, [row.version for row in rows]),
    )
    regions: dict[int, dict[str, list[str]]] = {}
    for version, division, types in listed:
        regions.setdefault(version, {})[division] = list(types)
    said: list[dict[str, Any]] = [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
    return [RegionList(**each, regions=regions.get(each["version"], {})) for each in said]


def _lock(connection: Connection, tenant: str, year: int) -> None:
    """One proposal or decision of a year at a time, before its first version is there too."""
    connection.exec_driver_sql(
        "select pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"linked-regions/{tenant}/{year}",)
    )


def _move(connection: Connection, after: RegionList) -> RegionList:
    connection.exec_driver_sql(
        "update linked_region_list set state = %s, decided_by = %s, decided_at = %s, reason = %s "
        "where tenant = %s and year = %s and version = %s",
        (after.state, after.decided_by, after.decided_at, after.reason, after.tenant, after.year, after.version),
    )
    return after


def _change(actor: str, before: RegionList | None, after: RegionList) -> Change:
    return Change(
        after.tenant,
        actor,
        f"linked_regions.{after.state}",
        year_id(after.tenant, after.year),
        None if before is None else before.state,
        after.state,
        after.reason,
        {"after": after.json()},
    )


def _is_types(types: Json) -> bool:
    return isinstance(types, list) and bool(types) and all(isinstance(t, str) and _TYPE.fullmatch(t) for t in types)


def _invalid(*faults: FieldError) -> Invalid:
    return Invalid("linked_regions.invalid", "联动地区有误。", "The linked regions have faults.", errors=faults)
