"""What a region sets: each year's budget, linked regions and calendar, and the account that it pays from."""

from http import HTTPStatus
from typing import Any, Final

from flask import Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.frame import principal
from clearing.api.noun import load
from clearing.api.payout_account import set_account
from clearing.api.standing_form import TrustDecisionSchema
from clearing.api.tenants import BudgetSchema, set_budget
from clearing.console.batch import prove
from clearing.console.batches import schemes_of
from clearing.console.forms import decision_form, plain_form
from clearing.console.screen import as_api, may, screen, show, within
from clearing.tenancy import budgets, linked_regions
from connectors.claim_schema import PayeeSchema
from settlement.calendars import read_year
from settlement.payouts.payout_account import ShownAccount, show_payout_account
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
from tenants.kernel.errors import NotFound, Problem

blueprint = screen("settings", "/settings")

YEARS_AHEAD: Final = 1


@blueprint.get("")
@as_api("tenants.get_budget")
def choose() -> AnyResponse:
    """Lead to the person's first region."""
    return redirect(f"/console/settings/{principal().tenants[0]}", HTTPStatus.SEE_OTHER)


@blueprint.get("/<tenant>")
@as_api("tenants.get_budget", "tenants.get_linked_regions", "calendars.get_calendar")
def settings_page(tenant: str) -> Response:
    """What is set."""
    return _page(tenant)


@blueprint.post("/<tenant>/budgets/<scheme>/<int(min=2000, max=2100):year>")
@as_api("tenants.put_budget")
def put_budget(tenant: str, scheme: str, year: int) -> AnyResponse:
    """Set the year's appropriation, as ``PUT …/budgets/{year}`` does."""

    def use_case(work: Work) -> None:
        given = load(BudgetSchema(), plain_form("amount", "reason"))
        set_budget(work, tenant, scheme, year, given["amount"], given["reason"])

    schemes_of(tenant)
    try:
        within(use_case, (tenant,))
    except Problem as problem:
        return _page(tenant, problem)
    return redirect(f"/console/settings/{tenant}?done=budget", HTTPStatus.SEE_OTHER)


@blueprint.post("/<tenant>/linked-regions/<int(min=2000, max=2100):year>/decision")
@as_api("tenants.decide_linked_regions")
def decide_regions(tenant: str, year: int) -> AnyResponse:
    """Approve or reject the year's linked regions that another person proposed."""

    def use_case(work: Work) -> None:
        given: dict[str, Any] = load(TrustDecisionSchema(), decision_form())
        actor = principal().subject
        linked_regions.decide(work, actor, tenant, year, given["version"], given["outcome"], given["reason"])

    try:
        within(use_case, (tenant,))
    except Problem as problem:
        return _page(tenant, problem)
    return redirect(f"/console/settings/{tenant}?done=trust-decided", HTTPStatus.SEE_OTHER)


@blueprint.post("/<tenant>/payout-account")
@as_api("payout_account.put_payout_account")
def put_account(tenant: str) -> AnyResponse:
    """Set the account that the next batches are paid from, after proving once more who it is."""
    names = ("account_name", "account_number", "bank_name", "cnaps")

    def use_case(work: Work) -> ShownAccount:
        return set_account(work, tenant, load(PayeeSchema(), plain_form(*names)))

    try:
        prove()
        within(use_case, (tenant,))
    except Problem as problem:
        return _page(tenant, problem)
    return redirect(f"/console/settings/{tenant}?done=account", HTTPStatus.SEE_OTHER)


def _page(tenant: str, problem: Problem | None = None) -> Response:
    shown = within(lambda work: _read(work, tenant), (tenant,))
    status = HTTPStatus.OK if problem is None else problem.status
    return show(
        "settings.html",
        status,
        tenant=tenant,
        tenants=principal().tenants,
        problem=problem,
        given=request.form,
        **shown,
    )


def _read(work: Work, tenant: str) -> dict[str, Any]:
    year = shanghai_day(work.at).year
    years = range(year - YEARS_AHEAD, year + YEARS_AHEAD + 1)
    account: ShownAccount | None = None
    if may("payout_account.get_payout_account"):
        try:
            account = show_payout_account(work.connection, tenant)
        except NotFound:
            account = None
    return {
        "year": year,
        "budgets": [budgets.read_budget(work.connection, tenant, s, y) for s in schemes_of(tenant) for y in years],
        "me": principal().subject,
        "regions": [linked_regions.read(work.connection, tenant, y) for y in years],
        "calendars": [read_year(work.connection, tenant, y) for y in years],
        "account": account,
    }
