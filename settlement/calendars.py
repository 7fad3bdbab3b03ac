"""Calendars that a tenant loads from the State Council's notice: each loading is kept, the latest of a year counts."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID, uuid5

from sqlalchemy import Connection

from settlement.batches.batch import Batch, change_batch, lock_batch, record_step
from settlement.batches.publicity import calendar_of
from tenants.kernel.canonical import Json, plain
from tenants.kernel.change import Change, record
from tenants.kernel.errors import FieldError, Invalid, Text
from tenants.kernel.statements import insert_rows
from tenants.kernel.workdays import CalendarYear, publicity_through

_YEARS: Final = UUID("8b1f0c44-6f0e-4a0e-a6d9-3f7c2d5b9e07")
_SATURDAY: Final = 5
_LOADED: Final = re.compile(r"loaded-([0-9]+)")


def calendar_id(tenant: str, year: int) -> UUID:
    """What names a tenant's year in the audit chain (UUIDv5)."""
    return uuid5(_YEARS, f"{tenant}/{year}")


def read_year(connection: Connection, tenant: str, year: int) -> dict[str, Json]:
    """The year as it counts now; ``provisional`` (暂定) where nobody has published it."""
    known = calendar_of(connection, tenant).years.get(year)
    return {"tenant": tenant, "year": year, "provisional": known is None, **_said(known)}


def load_year(
    connection: Connection, tenant: str, year: int, notice: Mapping[str, Any], actor: str, at: datetime
) -> dict[str, Json]:
    """Load the year's ``holidays`` and ``workdays`` (make-up days) from the notice that ``cite`` names.

    Batches whose notice runs are counted again by it, where their last day changes. The same again changes nothing.

    Raises:
        Invalid: a day of another year, said twice or both, a make-up day that is no weekend, or no holiday at all.
    """
    holidays, workdays = notice["holidays"], notice["workdays"]
    faults = [*_faults(year, "holidays", holidays), *_faults(year, "workdays", workdays)]
    faults += [_both(place) for place, day in enumerate(workdays) if day in set(holidays)]
    if not holidays:
        faults.append(FieldError("/holidays", "calendar.empty", Text("须有节假日。", "There are holidays in a year.")))
    if faults:
        raise Invalid("calendar.invalid", "放假安排有误。", "The calendar has faults.", errors=tuple(faults))
    connection.exec_driver_sql("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"calendar/{tenant}",))
    known = calendar_of(connection, tenant).years.get(year)
    said = (frozenset(holidays), frozenset(workdays), notice["cite"])
    if known is not None and (known.holidays, known.workdays, known.cite) == said:
        return read_year(connection, tenant, year)
    number = 1 if known is None or (found := _LOADED.fullmatch(known.version)) is None else int(found[1]) + 1
    made = CalendarYear(year, f"loaded-{number}", *said)
    insert_rows(
        connection,
        "calendar_year",
        ("tenant", "year", "version", "holidays", "workdays", "cite", "set_by", "set_at"),
        [(tenant, year, made.version, sorted(made.holidays), sorted(made.workdays), made.cite, actor, at)],
    )
    details: dict[str, Json] = {"before": _said(known) or None, "after": {"year": year, **_said(made)}}
    change = Change(tenant, actor, "calendar.loaded", calendar_id(tenant, year), None, "loaded", details=details)
    record(connection, [change], at)
    for batch in _running(connection, tenant):
        _date_again(connection, batch, actor, at)
    return read_year(connection, tenant, year)


def _said(year: CalendarYear | None) -> dict[str, Json]:
    if year is None:
        return {}
    return {
        "version": year.version,
        "holidays": [plain(day) for day in sorted(year.holidays)],
        "workdays": [plain(day) for day in sorted(year.workdays)],
        "cite": year.cite,
    }


def _faults(year: int, name: str, days: Sequence[date]) -> list[FieldError]:
    faults = []
    for place, day in enumerate(days):
        pointer = f"/{name}/{place}"
        if day.year != year:
            said = Text(f"不是 {year} 年的日期。", f"It is no day of {year}.")
            faults.append(FieldError(pointer, "calendar.other_year", said))
        elif day in days[:place]:
            faults.append(FieldError(pointer, "calendar.repeated", Text("日期重复。", "The day is there twice.")))
        elif name == "workdays" and day.weekday() < _SATURDAY:
            said = Text("调休上班日须为周六或周日。", "A make-up day is a Saturday or Sunday.")
            faults.append(FieldError(pointer, "calendar.no_weekend", said))
    return faults


def _both(place: int) -> FieldError:
    said = Text("同一日既放假又上班。", "The day is said to be a holiday and a workday.")
    return FieldError(f"/workdays/{place}", "calendar.both", said)


def _running(connection: Connection, tenant: str) -> list[Batch]:
    """The tenant's batches in publicity, locked in the order of their ids."""
    ids = connection.exec_driver_sql(
        "select id from batch where tenant = %s and state = 'in_publicity' order by id", (tenant,)
    ).scalars()
    return [lock_batch(connection, tenant, batch_id) for batch_id in list(ids)]


def _date_again(connection: Connection, batch: Batch, actor: str, at: datetime) -> None:
    if batch.state != "in_publicity" or batch.published_on is None or batch.working_days is None:
        return
    counted = publicity_through(batch.published_on, batch.working_days, calendar_of(connection, batch.tenant))
    before = (batch.publicity_through_on, batch.publicity_provisional)
    if before == (counted.through_on, counted.provisional):
        return
    dated = change_batch(
        connection,
        batch,
        publicity_through_on=counted.through_on,
        publicity_provisional=counted.provisional,
        calendar_version=counted.calendar_version,
    )
    record_step(connection, batch, dated, "dated", actor, at, reason=counted.calendar_version)
