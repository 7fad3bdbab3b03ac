"""``month``: the month at the finance desk: preview, what is open, what differs, its end, its tables."""

from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clearing.cli.banks import AS_JSON, PERSON, TENANT, within
from clearing.cli.pages import every

if TYPE_CHECKING:
    from clearing.service import Service
    from tenants.kernel.database import Work

ACCOUNTS = ("account", "opening", "debits", "credits", "closing", "pending")
OPEN = ("what", "count", "amount")
CLOSED = ("month", "closed_by", "closed_at", "report_sha256")
DIFFERENCES = ("line", "class", "kind", "amount", "left_in_suspense", "batch_no", "instruction_id", "payee", "reason")
MONTH = click.argument("month")
OUT = click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The file to write.")


@click.group()
def month() -> None:
    """月结 / The month at the finance desk."""


@month.command()
@TENANT
@MONTH
@AS_JSON
@click.pass_obj
def preview(data_dir: Path, tenant: str, month: str, as_json: bool) -> None:
    """一个月的账户与未结事项 / A month's accounts, and what is open at its end."""
    from settlement.months.month import Month
    from settlement.months.month_end import preview as shown

    wanted = Month.parse(month)
    _show(within(data_dir, tenant, lambda work, _service: shown(work.connection, tenant, wanted, work.at)), as_json)


@month.command()
@TENANT
@MONTH
@PERSON
@AS_JSON
@click.pass_obj
def close(data_dir: Path, tenant: str, month: str, person: str, as_json: bool) -> None:
    """月结：此后不能再向该月记账 / Close the month: nothing is posted to it any more."""
    from settlement.months.month import Month
    from settlement.months.month_end import close_month

    wanted = Month.parse(month)

    def use_case(work: "Work", _service: "Service") -> dict[str, Any]:
        return dict(close_month(work.connection, tenant, wanted, person, work.at).json(whole=True))

    _show(within(data_dir, tenant, use_case), as_json)


@month.command("list")
@TENANT
@AS_JSON
@click.pass_obj
def list_of_months(data_dir: Path, tenant: str, as_json: bool) -> None:
    """已月结的月份 / The closed months, the latest first."""
    from clearing.cli.printing import show_json, show_rows
    from settlement.months.month_end import list_closed

    def use_case(work: "Work", _service: "Service") -> list[dict[str, Any]]:
        closed = every(partial(list_closed, work.connection, tenant), attrgetter("month_on"))
        return [dict(each.json(whole=False)) for each in closed]

    rows = within(data_dir, tenant, use_case)
    if as_json:
        show_json({"items": rows})
    else:
        show_rows(rows, CLOSED)


@month.command()
@TENANT
@MONTH
@click.option("--class", "line_class", type=click.Choice(["differs", "unknown", "duplicate", "returned"]),
              help="Only the lines of this class.")  # fmt: skip
@AS_JSON
@click.pass_obj
def differences(data_dir: Path, tenant: str, month: str, line_class: str | None, as_json: bool) -> int:
    """差异清单 / The lines of the month's bank answers that did not simply match; exit 1 when there are any."""
    from clearing.cli.printing import show_json, show_rows
    from clearing.cli.program import FINDINGS, OK
    from settlement.months.differences import difference_totals, list_differences
    from settlement.months.month import Month

    wanted = Month.parse(month)

    def use_case(work: "Work", _service: "Service") -> dict[str, Any]:
        found = every(
            partial(list_differences, work.connection, tenant, wanted, line_class), attrgetter("statement_id", "line")
        )
        items = [dict(each.json()) for each in found]
        return {"totals": difference_totals(work.connection, tenant, wanted), "items": items}

    shown = within(data_dir, tenant, use_case)
    if as_json:
        show_json(shown)
    else:
        show_rows([{"class": name, **each} for name, each in shown["totals"].items()], ("class", "count", "amount"))
        show_rows(shown["items"], DIFFERENCES)
    return FINDINGS if shown["items"] else OK


@month.command()
@TENANT
@MONTH
@OUT
@click.option("--table", type=click.Choice(["accounts", "transfers", "batches", "payments", "differences"]),
              help="One table as CSV; without, all of them as a workbook.")  # fmt: skip
@click.pass_obj
def export(data_dir: Path, tenant: str, month: str, out: Path, table: str | None) -> None:
    """导出：账户、分录、批次、支付、差异 / Accounts, transfers, batches, payments, differences, to a file."""
    import shutil

    from settlement.months.month import Month
    from settlement.months.tables import write_csv, write_workbook

    wanted = Month.parse(month)

    def use_case(work: "Work", _service: "Service") -> None:
        if table is None:
            made = write_workbook(work.connection, tenant, wanted)
        else:
            made = write_csv(work.connection, tenant, wanted, table)
        with made, out.open("wb") as file:
            made.seek(0)
            shutil.copyfileobj(made, file)

    within(data_dir, tenant, use_case)
    click.echo(str(out))


def _show(shown: dict[str, Any], as_json: bool) -> None:
    from clearing.cli.printing import show_json, show_rows

    if as_json:
        show_json(shown)
        return
    show_rows([shown], ("month", "state", "closed_by", "closed_at"))
    show_rows(shown["accounts"], ACCOUNTS)
    show_rows([{"what": name, **each} for name, each in shown["open"].items()], OPEN)
