"""Daily receipts: what each platform submitted on each day, counted, summed and exported as its address asks."""

from uuid import UUID

from flask import Response
from flask_babel import gettext as _

from clearing.api.frame import principal
from clearing.api.operations import ReceiptQuerySchema
from clearing.console.export import Column
from clearing.console.filters import platform_name, tenant_name
from clearing.console.lists import Figure, Listing, shown
from clearing.console.screen import as_api, screen
from clearing.operating.receipts import Receipt, list_receipts, receipt_totals
from tenants.kernel.canonical import plain

blueprint = screen("receipts", "/connectors/receipts")


@blueprint.get("")
@as_api("operations.get_receipts")
def list_page() -> Response:
    """One page of the receipts."""
    return shown("receipts.html", _listing().page(), tenants=principal().tenants)


@blueprint.get("/export.<any(csv,xlsx):form>")
@as_api("operations.get_receipts")
def export(form: str) -> Response:
    """The receipts that the address asks for, all of them, as a file."""
    return _listing().export(form)


def _listing() -> Listing[Receipt, UUID]:
    tenants = principal().tenants
    return Listing(
        name="receipts",
        schema=ReceiptQuerySchema,
        read=lambda work, query, after, limit: list_receipts(work.connection, tenants, query, after, limit),
        totals=lambda work, query, most: receipt_totals(work.connection, tenants, query, most),
        key=lambda receipt: receipt.id,
        columns=_columns,
        figures=lambda: (
            Figure(_("提交笔数"), lambda receipt: receipt.submissions),
            Figure(_("申报合计（元）"), lambda receipt: receipt.claimed),
        ),
    )


def _columns() -> tuple[Column[Receipt], ...]:
    return (
        Column(_("编号"), lambda receipt: str(receipt.id)),
        Column(_("日期"), lambda receipt: str(receipt.day_on)),
        Column(_("平台"), lambda receipt: platform_name(receipt.platform)),
        Column(_("区域"), lambda receipt: tenant_name(receipt.tenant)),
        Column(_("提交笔数"), lambda receipt: str(receipt.submissions)),
        Column(_("申报合计（元）"), lambda receipt: str(receipt.claimed), amount=True),
        Column(_("出具时间"), lambda receipt: str(plain(receipt.issued_at))),
    )
