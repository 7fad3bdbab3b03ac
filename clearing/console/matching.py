"""Matching (联动配套): what linked regions owe, have paid, and get back on awards that were asked back."""

from collections.abc import Callable
from datetime import date
from http import HTTPStatus
from typing import Any
from uuid import UUID

from flask import Response, redirect, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.frame import principal
from clearing.api.matching import (
    MatchingQuerySchema,
    MatchingRecoverySchema,
    PaymentSchema,
    paid_by_caller,
    place_of,
    recovered_by_caller,
)
from clearing.api.noun import load
from clearing.console.desk_words import MATCHING_VIEWS
from clearing.console.export import Column
from clearing.console.filters import tenant_name
from clearing.console.forms import plain_form
from clearing.console.lists import Figure, Listing, shown
from clearing.console.screen import act, as_api, screen, within
from settlement.matching_list import Due, due_totals, list_due
from tenants.kernel.canonical import plain
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
from tenants.kernel.errors import Problem

blueprint = screen("matching", "/matching")


@blueprint.get("")
@as_api("matching.get_matching")
def choose() -> AnyResponse:
    """Lead to the person's first region."""
    return redirect(f"/console/matching/{principal().tenants[0]}", HTTPStatus.SEE_OTHER)


@blueprint.get("/<tenant>")
@as_api("matching.get_matching")
def list_page(tenant: str) -> Response:
    """What is due, overdue, paid, waiting, or to be recovered."""
    return _page(tenant)


@blueprint.get("/<tenant>/export.<any(csv,xlsx):form>")
@as_api("matching.get_matching")
def export(tenant: str, form: str) -> Response:
    """All that the address asks for, as a file."""
    return _listing(tenant).export(form)


@blueprint.post("/<tenant>/<uuid:claim_id>/payment")
@as_api("matching.post_payment")
def pay(tenant: str, claim_id: UUID) -> AnyResponse:
    """Record the payment that a region reports which is no tenant here."""
    names = ("paid_on", "document")

    def use_case(work: Work) -> None:
        paid_by_caller(work, tenant, claim_id, load(PaymentSchema(), plain_form(*names, required=names)))

    return _acted(tenant, use_case, "matching-paid")


@blueprint.post("/<tenant>/<uuid:claim_id>/recovery")
@as_api("matching.recover_matching")
def recover(tenant: str, claim_id: UUID) -> AnyResponse:
    """Record what came back of a matching that was paid on an award asked back since."""
    names = ("amount", "recovered_on", "document")

    def use_case(work: Work) -> None:
        recovered_by_caller(work, tenant, claim_id, load(MatchingRecoverySchema(), plain_form(*names, required=names)))

    return _acted(tenant, use_case, "matching-recovered")


def _acted(tenant: str, use_case: Callable[[Work], None], done: str) -> AnyResponse:
    return act(
        lambda: within(use_case, (tenant,)),
        lambda problem: _page(tenant, problem),
        f"/console/matching/{tenant}?state=all&done={done}",
    )


def _page(tenant: str, problem: Problem | None = None) -> Response:
    return shown(
        "matching.html", _listing(tenant).page(), problem, tenant=tenant, tenants=principal().tenants,
        views=MATCHING_VIEWS, given=request.form if problem is not None else {},
        today=within(lambda work: shanghai_day(work.at)),
    )  # fmt: skip


def _listing(tenant: str) -> Listing[Due, tuple[date, UUID]]:
    def read(work: Work, query: Any, after: tuple[date, UUID] | None, limit: int) -> list[Due]:  # noqa: ANN401
        today = shanghai_day(work.at)
        return list_due(work.connection, tenant, today, query["state"], query["division"], after, limit)

    def totals(work: Work, query: Any, most: int | None) -> tuple[Any, ...]:  # noqa: ANN401 - the schema's values
        today = shanghai_day(work.at)
        return due_totals(work.connection, tenant, today, query["state"], query["division"], most)

    return Listing(
        name=f"matching-{tenant}",
        schema=MatchingQuerySchema,
        read=read,
        totals=totals,
        key=lambda one: (one.due_on, one.claim_id),
        columns=_columns,
        figures=lambda: (
            Figure(_("应付合计（元）"), lambda one: one.amount),
            Figure(_("待收回合计（元）"), lambda one: one.to_recover - one.recovered),
        ),
        tenants=(tenant,),
        after=place_of,
        written=lambda key: f"{key[0]} {key[1]}",
    )


def _columns() -> tuple[Column[Due], ...]:
    return (
        Column(_("编号"), lambda one: one.claim_no or ""),
        Column(_("企业"), lambda one: one.enterprise_name or ""),
        Column(_("省级区域"), lambda one: tenant_name(one.tenant)),
        Column(_("区划代码"), lambda one: one.division),
        Column(_("联动区域"), lambda one: "" if one.linked is None else tenant_name(one.linked)),
        Column(_("应付（元）"), lambda one: str(one.amount), amount=True),
        Column(_("到期日"), lambda one: str(one.due_on)),
        Column(_("支付日"), lambda one: str(plain(one.paid_on) or "")),
        Column(_("支付凭证号"), lambda one: one.paid_document or ""),
        Column(_("暂缓（元）"), lambda one: str(one.waiting), amount=True),
        Column(_("待收回（元）"), lambda one: str(one.to_recover - one.recovered), amount=True),
        Column(_("已收回（元）"), lambda one: str(one.recovered), amount=True),
        Column(_("申请标识"), lambda one: str(one.claim_id)),
    )
