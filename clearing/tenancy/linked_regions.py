"""Linked regions (联动地区): which divisions match a province's awards in a year, for which types of enterprise."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final, cast
from uuid import UUID, uuid5

from sqlalchemy import Connection

from tenants.kernel.canonical import Json
from tenants.kernel.errors import FieldError, Invalid, Text
from tenants.kernel.statements import insert_rows
from tenants.kernel.strict_json import pointer

_DIVISION: Final = re.compile(r"[1-9][0-9]{5}", re.ASCII)
_TYPE: Final = re.compile(r"[a-z][a-z0-9_]{0,47}", re.ASCII)
_YEARS: Final = UUID("3f9a2b1c-7d54-4d0e-8b43-52f0b7a4c6d1")
MAX_REGIONS: Final = 500


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
    """The year's linked regions, by division."""
    rows = connection.exec_driver_sql(
        "select division, types from linked_region where tenant = %s and year = %s order by division", (tenant, year)
    )
    return {"tenant": tenant, "year": year, "regions": {division: list(types) for division, types in rows}}


def replace(
    connection: Connection, tenant: str, year: int, regions: Mapping[str, list[str]], actor: str, at: datetime
) -> None:
    """Make these the year's linked regions; claims assessed before keep what they were given."""
    connection.exec_driver_sql("delete from linked_region where tenant = %s and year = %s", (tenant, year))
    insert_rows(
        connection,
        "linked_region",
        ("tenant", "year", "division", "types", "set_by", "set_at"),
        [(tenant, year, division, sorted(set(types)), actor, at) for division, types in sorted(regions.items())],
    )


def _is_types(types: Json) -> bool:
    return isinstance(types, list) and bool(types) and all(isinstance(t, str) and _TYPE.fullmatch(t) for t in types)


def _invalid(*faults: FieldError) -> Invalid:
    return Invalid("linked_regions.invalid", "联动地区有误。", "The linked regions have faults.", errors=faults)
