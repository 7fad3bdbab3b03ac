"""The claims behind a figure of a clearing window: listed, counted, summed and exported as its address asks."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from flask import Response
from flask_babel import gettext as _

from clearing.api.cycles import DebtQuerySchema, debt_place
from clearing.api.frame import principal
from clearing.api.noun import load, write_cursor
from clearing.console.export import Column
from clearing.console.filters import scheme_name, tenant_name
from clearing.console.lists import as_file, asked, every, filters, require_exportable
from clearing.console.screen import as_api, screen, show, within
from settlement.cycles.cycle import Cycle, shown_cycle
from settlement.cycles.cycle_debts import Debt, debt_totals, list_debts
from tenants.kernel.clock import print_instant
from tenants.kernel.database import Work
from tenants.kernel.money import Money

blueprint = screen("debts", "/clearing/<uuid:cycle_id>/debts")


@blueprint.get("")
@as_api("cycles.get_debts")
def list_page(cycle_id: UUID) -> Response:
    """One page of the debts."""
    given, tenants = asked(), principal().tenants
    query: dict[str, Any] = load(DebtQuerySchema(), dict(given))
    limit, after = query["limit"], debt_place(query["cursor"])
    side = (query["debtor"], query["creditor"])

    def use_case(work: Work) -> tuple[Cycle, list[Debt], tuple[int, Money]]:
        cycle = shown_cycle(work.connection, cycle_id)
        debts = list_debts(work.connection, cycle_id, tenants, *side, after, limit + 1)
        return cycle, debts, debt_totals(work.connection, cycle_id, tenants, *side)

    cycle, debts, (count, total) = within(use_case)
    last = debts[limit - 1] if len(debts) > limit else None
    return show(
        "debts.html", cycle=cycle, asked=given, debts=debts[:limit], count=count, total=total, tenants=tenants,
        next_cursor=None if last is None else write_cursor(f"{last.tenant} {last.claim_id}"),
    )  # fmt: skip


@blueprint.get("/export.<any(csv,xlsx):form>")
@as_api("cycles.get_debts")
def export(cycle_id: UUID, form: str) -> Response:
    """The debts that the address asks for, all of them, as a file."""
    query: dict[str, Any] = load(DebtQuerySchema(), dict(filters()))
    tenants, side = principal().tenants, (query["debtor"], query["creditor"])

    def use_case(work: Work) -> tuple[Cycle, tuple[int, Money]]:
        cycle = shown_cycle(work.connection, cycle_id)
        return cycle, debt_totals(work.connection, cycle_id, tenants, *side)

    cycle, (count, total) = within(use_case)
    require_exportable(count)
    totals = ((_("笔数"), str(count)), (_("合计（元）"), str(total)))
    return as_file(form, cycle.name, _columns(), _all(cycle_id, side), totals)


def _all(cycle_id: UUID, side: tuple[str | None, str | None]) -> Iterator[Debt]:
    tenants = principal().tenants

    def read(after: tuple[str, UUID] | None, limit: int) -> list[Debt]:
        return within(lambda work: list_debts(work.connection, cycle_id, tenants, *side, after, limit))

    return every(read, lambda debt: (debt.tenant, debt.claim_id))


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
