"""The list of claims: filtered by its address, counted and summed, exported exactly as filtered."""

from typing import Any
from uuid import UUID

from flask import Response
from flask_babel import gettext as _

from clearing.api.claims import ClaimQuerySchema
from clearing.api.frame import principal
from clearing.claims.listing import Filter, list_claims, totals_of
from clearing.claims.records import ClaimView
from clearing.console.export import Column
from clearing.console.filters import platform_name, scheme_name, tenant_name
from clearing.console.lists import Figure, Listing, shown
from clearing.console.screen import as_api, screen
from clearing.console.words import MODES, STATES, word
from tenants.kernel.clock import print_instant
from tenants.kernel.money import Money
from tenants.profile import load_tenants

blueprint = screen("claims", "/claims")


@blueprint.get("")
@as_api("claims.list_claims")
def list_page() -> Response:
    """One page of the claims that the address asks for; an address that asks nonsense keeps what was typed."""
    return shown("claims.html", _listing().page(), **_choices())


@blueprint.get("/export.<any(csv,xlsx):form>")
@as_api("claims.list_claims")
def export(form: str) -> Response:
    """The claims that the address asks for, all of them, as a file."""
    return _listing().export(form)


def _listing() -> Listing[ClaimView, UUID]:
    return Listing(
        name="claims",
        schema=ClaimQuerySchema,
        read=lambda work, query, after, limit: list_claims(work.connection, Filter.from_query(query), after, limit),
        totals=lambda work, query, most: totals_of(work.connection, Filter.from_query(query), most),
        key=lambda view: view.row.id,
        columns=_columns,
        figures=lambda: (Figure(_("核定合计（元）"), lambda view: Money(view.row.award_fen)),),
    )


def _choices() -> dict[str, Any]:
    own = [profile for profile in load_tenants() if profile.tenant in principal().tenants]
    return {
        "states": STATES,
        "modes": MODES,
        "tenants": [profile.tenant for profile in own],
        "schemes": sorted({scheme.code for profile in own for scheme in profile.schemes if scheme.assessed}),
        "platforms": sorted({platform.code for profile in own for platform in profile.platforms}),
    }


def _columns() -> tuple[Column[ClaimView], ...]:
    return (
        Column(_("申请编号"), lambda view: view.row.claim_no),
        Column(_("平台编号"), lambda view: view.row.external_id),
        Column(_("区域"), lambda view: tenant_name(view.row.tenant)),
        Column(_("券种"), lambda view: scheme_name(view.row.tenant, view.row.scheme)),
        Column(_("方式"), lambda view: word("mode", view.row.mode)),
        Column(_("平台"), lambda view: platform_name(view.row.platform)),
        Column(_("状态"), lambda view: word("state", view.state_now)),
        Column(_("企业"), lambda view: view.row.enterprise_name),
        Column(_("企业信用代码"), lambda view: view.row.enterprise_uscc),
        Column(_("服务机构"), lambda view: view.row.provider_name),
        Column(_("服务机构信用代码"), lambda view: view.row.provider_uscc),
        Column(_("年度"), lambda view: str(view.row.quota_year or "")),
        Column(_("计算基数（元）"), lambda view: str(Money(view.row.base_fen)), amount=True),
        Column(_("计算金额（元）"), lambda view: str(Money(view.row.computed_fen)), amount=True),
        Column(_("核定金额（元）"), lambda view: str(Money(view.row.award_fen)), amount=True),
        Column(_("提交时间"), lambda view: print_instant(view.row.submitted_at)),
    )
