"""The claims behind a figure of a clearing window: listed, counted, summed and exported as its address asks."""

from uuid import UUID

from flask import Response
from flask_babel import gettext as _

from clearing.api.cycles import DebtQuerySchema, debt_place
from clearing.api.frame import principal
from clearing.console.export import Column
from clearing.console.filters import scheme_name, tenant_name
from clearing.console.lists import Figure, Listing, shown
from clearing.console.screen import as_api, screen, within
from settlement.cycles.cycle import Cycle, shown_cycle
from settlement.cycles.cycle_debts import Debt, debt_totals, list_debts
from tenants.kernel.clock import print_instant

blueprint = screen("debts", "/clearing/<uuid:cycle_id>/debts")


@blueprint.get("")
@as_api("cycles.get_debts")
def list_page(cycle_id: UUID) -> Response:
    """One page of the debts."""
    cycle = within(lambda work: shown_cycle(work.connection, cycle_id))
    return shown("debts.html", _listing(cycle).page(), cycle=cycle, tenants=principal().tenants)


@blueprint.get("/export.<any(csv,xlsx):form>")
@as_api("cycles.get_debts")
def export(cycle_id: UUID, form: str) -> Response:
    """The debts that the address asks for, all of them, as a file."""
    return _listing(within(lambda work: shown_cycle(work.connection, cycle_id))).export(form)


def _listing(cycle: Cycle) -> Listing[Debt, tuple[str, UUID]]:
    tenants = principal().tenants
    return Listing(
        name=cycle.name,
        schema=DebtQuerySchema,
        read=lambda work, query, after, limit: list_debts(
            work.connection, cycle.id, tenants, query["debtor"], query["creditor"], after, limit
        ),
        totals=lambda work, query, most: debt_totals(
            work.connection, cycle.id, tenants, query["debtor"], query["creditor"], most
        ),
        key=lambda debt: (debt.tenant, debt.claim_id),
        columns=_columns,
        figures=lambda: (Figure(_("合计（元）"), lambda debt: debt.amount),),
        after=debt_place,
        written=lambda key: f"{key[0]} {key[1]}",
    )


def _columns() -> tuple[Column[Debt], ...]:
    return (
        Column(_("欠款方"), lambda debt: tenant_name(debt.tenant)),
        Column(_("收款方"), lambda debt: tenant_name(debt.creditor)),
        Column(_("申请编号"), lambda debt: debt.claim_no),
        Column(_("服务机构"), lambda debt: debt.provider_name),
        Column(_("券种"), lambda debt: scheme_name(debt.tenant, debt.scheme)),
        Column(_("年度"), lambda debt: str(debt.quota_year)),
        Column(_("金额（元）"), lambda debt: str(debt.amount), amount=True),
        Column(_("记账时间"), lambda debt: print_instant(debt.posted_at)),
    )
