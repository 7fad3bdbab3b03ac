"""Registers of parties (名录): who entered it, another decides, tables bring many; one screen for each kind of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, redirect, request
from flask_babel import gettext as _
from marshmallow import Schema
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.frame import principal
from clearing.console.batches import schemes_of
from clearing.console.export import Column
from clearing.console.lists import Listing, shown
from clearing.console.screen import act, as_api, screen, within
from clearing.console.table_upload import MAX_FORM_BYTES, Import, form_page, take
from clearing.tenancy.imports import Imported
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
from tenants.kernel.errors import Problem

Shown = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Register:
    """One kind of party: what the interface calls it, how it is read, counted, decided about and imported.

    ``read`` answers the rows in the form of the interface; ``choices`` is what its template offers beside them.
    """

    name: str
    list_operation: str
    decide_operation: str
    import_operation: str
    schema: type[Schema]
    read: Callable[[Work, str, Mapping[str, Any], UUID | None, int], list[Shown]]
    totals: Callable[[Work, str, Mapping[str, Any], int | None], tuple[int]]
    columns: Callable[[], tuple[Column[Shown], ...]]
    decide: Callable[[Work, str], object]
    table: Callable[[str, Mapping[str, str]], Import]
    choices: Callable[[], dict[str, Any]]

    def screen(self) -> Blueprint:
        """Its screen: the list, the decision about one of them, the import, the file."""
        blueprint = screen(self.name, f"/registers/{self.name}/<tenant>", max_form_bytes=MAX_FORM_BYTES)

        @blueprint.get("")
        @as_api(self.list_operation)
        def list_page(tenant: str) -> Response:
            return self._page(tenant)

        @blueprint.post("/decision")
        @as_api(self.decide_operation)
        def decide(tenant: str) -> AnyResponse:
            return act(
                lambda: within(lambda work: self.decide(work, tenant), (tenant,)),
                lambda problem: self._page(tenant, problem),
                f"/console/registers/{self.name}/{tenant}?done=decided",
            )

        @blueprint.get("/import")
        @as_api(self.import_operation)
        def import_page(tenant: str) -> Response:
            return form_page(self.table(tenant, request.args))

        @blueprint.post("/import")
        @as_api(self.import_operation)
        def import_table(tenant: str) -> AnyResponse:
            return take(self.table(tenant, request.form), tenant)

        @blueprint.get("/export.<any(csv,xlsx):form>")
        @as_api(self.list_operation)
        def export(tenant: str, form: str) -> Response:
            return self._listing(tenant).export(form)

        return blueprint

    def _page(self, tenant: str, problem: Problem | None = None) -> Response:
        return shown(
            f"{self.name}.html", self._listing(tenant).page(), problem, register=self.name, tenant=tenant,
            tenants=principal().tenants, schemes=schemes_of(tenant), me=principal().subject, given=request.form,
            year=within(lambda work: shanghai_day(work.at).year), **self.choices(),
        )  # fmt: skip

    def _listing(self, tenant: str) -> Listing[Shown, UUID]:
        return Listing(
            name=f"{self.name}-{tenant}",
            schema=self.schema,
            read=lambda work, query, after, limit: self.read(work, tenant, query, after, limit),
            totals=lambda work, query, most: self.totals(work, tenant, query, most),
            key=lambda item: UUID(str(item["id"])),
            columns=self.columns,
            tenants=(tenant,),
        )


blueprint = screen("registers", "/registers")


@blueprint.get("")
@as_api("standings.list_qualifications")
def choose() -> AnyResponse:
    """Lead to the person's first region."""
    return redirect(f"/console/registers/qualifications/{principal().tenants[0]}", HTTPStatus.SEE_OTHER)


def columns_of(names: Mapping[str, str], words: Mapping[str, Callable[[str], str]]) -> tuple[Column[Shown], ...]:
    """A column for each name; what stands there in a code is written in ``words``."""

    def column(name: str, title: str) -> Column[Shown]:
        said = words.get(name, str)
        return Column(title, lambda row: said(str(row[name] if row[name] is not None else "")))

    return tuple(column(name, title) for name, title in names.items())


def told(done: Imported) -> list[str]:
    """What an import of parties did or would do, in words."""
    return [
        str(_("共 %(count)s 行", count=done.rows)),
        str(_("直接生效 %(count)s 行", count=done.admitted)),
        str(_("待审核 %(count)s 行", count=done.waiting)),
        str(_("与现有内容相同、不变 %(count)s 行", count=done.unchanged)),
    ]
