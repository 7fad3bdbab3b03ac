"""Suspense: movements at the bank that nobody has explained; explained by one person, booked by another."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from flask import Response, redirect, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.frame import principal
from clearing.api.noun import PageSchema, load
from clearing.api.suspense import (
    SuspenseDecisionSchema,
    SuspenseExplanationSchema,
    decided_by_caller,
    proposed_by_caller,
    suspense_place,
)
from clearing.console.desk_words import EXPLANATIONS
from clearing.console.export import Column
from clearing.console.forms import plain_form
from clearing.console.lists import Figure, Listing, shown
from clearing.console.screen import as_api, screen, within
from clearing.console.words import word
from settlement.statements.suspense_records import (
    SuspenseLine,
    list_resolutions,
    list_suspense,
    resolution_totals,
    suspense_totals,
)
from tenants.kernel.canonical import Json, plain
from tenants.kernel.database import Work
from tenants.kernel.errors import Problem

blueprint = screen("suspense", "/suspense")

WAITING_SHOWN: Final = 100


@blueprint.get("")
@as_api("suspense.get_suspense")
def choose() -> AnyResponse:
    """Lead to the person's first region."""
    return redirect(f"/console/suspense/{principal().tenants[0]}", HTTPStatus.SEE_OTHER)


@blueprint.get("/<tenant>")
@as_api("suspense.get_suspense", "suspense.get_resolutions")
def list_page(tenant: str) -> Response:
    """What is not explained, and what waits for a second person."""
    return _page(tenant)


@blueprint.get("/<tenant>/export.<any(csv,xlsx):form>")
@as_api("suspense.get_suspense")
def export(tenant: str, form: str) -> Response:
    """Every movement that is not explained, as a file."""
    return _listing(tenant).export(form)


@blueprint.post("/<tenant>/resolutions")
@as_api("suspense.post_resolution")
def explain(tenant: str) -> AnyResponse:
    """Say what the chosen movements were; nothing is booked before another person agrees."""
    return _acted(tenant, lambda work: proposed_by_caller(work, tenant, _explanation()), "explained")


@blueprint.post("/<tenant>/resolutions/<uuid:resolution_id>/decision")
@as_api("suspense.post_decision")
def decide(tenant: str, resolution_id: UUID) -> AnyResponse:
    """Book an explanation, or refuse it."""

    def use_case(work: Work) -> object:
        given = load(SuspenseDecisionSchema(), plain_form("outcome", "reason", required=("outcome",)))
        return decided_by_caller(work, tenant, resolution_id, given)

    done = "explanation-approve" if request.form.get("outcome") == "approve" else "explanation-refuse"
    return _acted(tenant, use_case, done)


def _explanation() -> dict[str, Any]:
    """What was said of the chosen lines, each of which is written ``statement/line``."""
    lines: list[Json] = []
    for chosen in request.form.getlist("line"):
        statement, _sep, line = chosen.partition("/")
        lines.append({"statement_id": statement, "line": int(line) if line.isascii() and line.isdecimal() else 0})
    given: dict[str, Json] = plain_form(
        "kind", "instruction_id", "order_id", "charge", "reason", required=("kind", "reason")
    )
    read: dict[str, Any] = load(SuspenseExplanationSchema(), given | {"lines": lines})
    return read


def _acted(tenant: str, use_case: Callable[[Work], object], done: str) -> AnyResponse:
    try:
        within(use_case, (tenant,))
    except Problem as problem:
        return _page(tenant, problem)
    return redirect(f"/console/suspense/{tenant}?done={done}", HTTPStatus.SEE_OTHER)


def _page(tenant: str, problem: Problem | None = None) -> Response:
    def use_case(work: Work) -> dict[str, Any]:
        waiting_count, waiting_total = resolution_totals(work.connection, tenant, waiting=True)
        return {
            "waiting": list_resolutions(work.connection, tenant, None, WAITING_SHOWN, waiting=True),
            "waiting_count": waiting_count,
            "waiting_total": waiting_total,
        }

    return shown(
        "suspense.html", _listing(tenant).page(), problem, tenant=tenant, tenants=principal().tenants,
        kinds=EXPLANATIONS, given=request.form if problem is not None else {}, me=principal().subject,
        chosen=request.form.getlist("line"), **within(use_case, (tenant,)),
    )  # fmt: skip


def _listing(tenant: str) -> Listing[SuspenseLine, tuple[UUID, int]]:
    return Listing(
        name=f"suspense-{tenant}",
        schema=PageSchema,
        read=lambda work, _query, after, limit: list_suspense(work.connection, tenant, after, limit),
        totals=lambda work, _query, most: suspense_totals(work.connection, tenant, most),
        key=lambda line: (line.statement_id, line.line),
        columns=_columns,
        figures=lambda: (Figure(_("尚未说明合计（元）"), lambda line: line.left),),
        tenants=(tenant,),
        after=suspense_place,
        written=lambda key: f"{key[0]}/{key[1]}",
    )


def _columns() -> tuple[Column[SuspenseLine], ...]:
    return (
        Column(_("记账日"), lambda line: str(plain(line.booked_on) or "")),
        Column(_("方向"), lambda line: word("line_kind", line.kind)),
        Column(_("金额（元）"), lambda line: str(line.amount), amount=True),
        Column(_("尚未说明（元）"), lambda line: str(line.left), amount=True),
        Column(_("分类"), lambda line: word("line_class", line.line_class)),
        Column(_("收款人"), lambda line: line.payee or ""),
        Column(_("账号"), lambda line: line.account_tail or ""),
        Column(_("端到端标识"), lambda line: line.reference or ""),
        Column(_("银行流水号"), lambda line: line.bank_reference or ""),
        Column(_("导入时间"), lambda line: str(plain(line.imported_at))),
    )
