"""What a region sets, imported from tables: linked regions and calendar of a year, and budgets."""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Response, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.calendars import CalendarSchema
from clearing.api.frame import principal
from clearing.api.noun import load
from clearing.api.standing_form import YearQuerySchema
from clearing.api.tenants import set_budget
from clearing.console.batches import schemes_of
from clearing.console.screen import as_api, screen
from clearing.console.table_upload import MAX_FORM_BYTES, Import, form_page, take
from clearing.tenancy import linked_regions
from clearing.tenancy.setting_tables import (
    BUDGET_COLUMNS,
    CALENDAR_COLUMNS,
    REGION_COLUMNS,
    read_budgets,
    read_calendar,
    read_regions,
)
from connectors.table_file import Column, refuse
from settlement.calendars import load_year, read_year
from tenants.kernel.canonical import plain
from tenants.kernel.database import Work
from tenants.kernel.errors import Problem, Text

blueprint = screen("settings_import", "/settings/<tenant>/import", max_form_bytes=MAX_FORM_BYTES)


@blueprint.get("/linked-regions")
@as_api("tenants.put_linked_regions")
def regions_page(tenant: str) -> Response:
    """The form of a year's linked regions."""
    return form_page(_regions(tenant, request.args))


@blueprint.post("/linked-regions")
@as_api("tenants.put_linked_regions")
def import_regions(tenant: str) -> AnyResponse:
    """Look at the table, or propose it as the year's linked regions."""
    return take(_regions(tenant, request.form), tenant)


@blueprint.get("/calendar")
@as_api("calendars.put_calendar")
def calendar_page(tenant: str) -> Response:
    """The form of a year's notice."""
    return form_page(_calendar(tenant, request.args))


@blueprint.post("/calendar")
@as_api("calendars.put_calendar")
def import_calendar(tenant: str) -> AnyResponse:
    """Look at the table, or load it as the year's notice."""
    return take(_calendar(tenant, request.form), tenant)


@blueprint.get("/budgets")
@as_api("tenants.put_budget")
def budgets_page(tenant: str) -> Response:
    """The form of the budgets."""
    return form_page(_budgets(tenant))


@blueprint.post("/budgets")
@as_api("tenants.put_budget")
def import_budgets(tenant: str) -> AnyResponse:
    """Look at the table, or set each budget in it."""
    return take(_budgets(tenant), tenant)


def _regions(tenant: str, given: Mapping[str, str]) -> Import:
    year = _asked_year(given)

    def store(work: Work, content: bytes) -> list[str]:
        regions = linked_regions.parse({"regions": read_regions(content)})  # type: ignore[dict-item]  # lists of texts
        before = linked_regions.read(work.connection, tenant, year)["regions"]
        linked_regions.propose(work, principal().subject, tenant, year, regions)
        known = set(before) if isinstance(before, dict) else set()
        return [
            str(_("共 %(count)s 个地区", count=len(regions))),
            str(
                _(
                    "新增 %(count)s 个，减少 %(gone)s 个",
                    count=len(set(regions) - known),
                    gone=len(known - set(regions)),
                )
            ),
        ]

    title = str(_("提出联动地区（%(year)s 年度）", year=year))
    return _import(tenant, "linked-regions", title, REGION_COLUMNS, store, {"year": str(year)}, "trust-proposed")


def _calendar(tenant: str, given: Mapping[str, str]) -> Import:
    year, cite = _asked_year(given), " ".join(given.get("cite", "").split())

    def store(work: Work, content: bytes) -> list[str]:
        days = {name: [plain(day) for day in found] for name, found in read_calendar(content).items()}
        notice: dict[str, Any] = load(CalendarSchema(), {"cite": cite, **days})
        load_year(work.connection, tenant, year, notice, principal().subject, work.at)
        now = read_year(work.connection, tenant, year)
        return [
            str(_("放假 %(off)s 天，调休上班 %(on)s 天", off=len(days["holidays"]), on=len(days["workdays"]))),
            str(_("日历版本 %(version)s；公示中的批次按此重新计算截止日", version=now["version"])),
        ]

    title = str(_("载入 %(year)s 年放假安排（依据：%(cite)s）", year=year, cite=cite or "—"))
    fields = {"year": str(year), "cite": cite}
    return _import(tenant, "calendar", title, CALENDAR_COLUMNS, store, fields)


def _budgets(tenant: str) -> Import:
    schemes = schemes_of(tenant)

    def store(work: Work, content: bytes) -> list[str]:
        lines, faults, told = read_budgets(content), [], []
        for one in lines:
            if one.scheme not in schemes:
                known = "、".join(schemes)
                said = Text(f"本区域没有这个券种；可选：{known}。", f"The region has no such scheme, only: {known}.")
                faults.append(one.line.fault("scheme", "scheme.unknown", said))
                continue
            try:
                set_budget(work, tenant, one.scheme, one.year, one.amount, one.reason)
            except Problem as problem:
                faults.append(one.line.fault("amount", problem.code, problem.text))
            told.append(f"{one.scheme} {one.year}: {one.amount}")
        if faults:
            raise refuse(faults)
        return told

    return _import(tenant, "budgets", str(_("导入预算")), BUDGET_COLUMNS, store, {})


def _asked_year(given: Mapping[str, str]) -> int:
    asked: dict[str, Any] = load(YearQuerySchema(), {"year": given.get("year", "")})
    return int(asked["year"])


def _import(
    tenant: str,
    name: str,
    title: str,
    columns: tuple[Column, ...],
    store: Callable[[Work, bytes], list[str]],
    fields: dict[str, str],
    done: str = "imported",
) -> Import:
    back = f"/console/settings/{tenant}"
    headings = [column.headings[0] for column in columns]
    return Import(title, f"{back}/import/{name}", back, done, headings, store, fields)
