"""``ledger``: the accounts, a statement of one, and the journal for an outside bookkeeping program."""

from datetime import date, datetime
from pathlib import Path
from typing import IO

import click

_DAY = click.DateTime(["%Y-%m-%d"])
_PAGE = 500
_TENANT = click.option("--tenant", required=True, help="The tenant whose ledger it is.")
_FROM = click.option("--from", "from_on", type=_DAY, help="First day; the earliest, if none is named.")
_THROUGH = click.option("--through", "through_on", type=_DAY, help="Last day; today, if none is named.")


@click.group()
def ledger() -> None:
    """账本 / The ledger of a tenant."""


@ledger.command()
@_TENANT
@click.option("--prefix", default="", help="Only accounts whose code begins so, such as budget/.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def accounts(data_dir: Path, tenant: str, prefix: str, as_json: bool) -> None:
    """列出账户及余额 / List the accounts with their sums."""
    from clearing.cli.opening import opened_service
    from clearing.cli.printing import show_json, show_rows
    from settlement.ledger_statement import list_accounts
    from tenants.kernel.database import Scope, transaction

    rows, after = [], ""
    with opened_service(data_dir) as service, transaction(service.engine, Scope((tenant,)), service.machine) as work:
        while found := list_accounts(work.connection, tenant, prefix, after, _PAGE):
            rows += [account.json() for account in found]
            after = found[-1].code
    if as_json:
        show_json({"items": rows})
    else:
        columns = ("account", "debits", "credits", "balance", "pending_debits", "pending_credits", "limit")
        show_rows(rows, columns)


@ledger.command()
@_TENANT
@click.option("--account", required=True, help="The account's code, such as budget/provincial/2024.")
@_FROM
@_THROUGH
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def statement(
    data_dir: Path, tenant: str, account: str, from_on: datetime | None, through_on: datetime | None, as_json: bool
) -> None:
    """某账户某期间的对账单 / The statement of one account over a period."""
    from clearing.cli.opening import opened_service
    from clearing.cli.printing import show_json, show_rows
    from settlement.ledger_statement import Period, read_statement, statement_lines
    from tenants.kernel.clock import shanghai_day
    from tenants.kernel.database import Scope, transaction

    lines, after = [], None
    with opened_service(data_dir) as service, transaction(service.engine, Scope((tenant,)), service.machine) as work:
        period = Period.of(_day(from_on), _day(through_on), shanghai_day(work.at))
        head = read_statement(work.connection, tenant, account, period)
        while found := statement_lines(work.connection, tenant, head, after, _PAGE):
            lines += [line.json() for line in found]
            after = (found[-1].at, found[-1].transfer_id)
    if as_json:
        show_json(head.json() | {"items": lines})
    else:
        show_rows([head.json()], ("account", "from", "through", "opening", "debits", "credits", "closing"))
        show_rows(lines, ("at", "other_account", "debit", "credit", "balance", "reason"))


@ledger.command()
@_TENANT
@click.option("--format", "dialect", type=click.Choice(["hledger", "beancount"]), default="hledger", show_default=True)
@_FROM
@_THROUGH
@click.option(
    "--out", type=click.File("w", encoding="utf-8", atomic=True, lazy=False), default="-", help="Where to write it."
)
@click.pass_obj
def journal(
    data_dir: Path, tenant: str, dialect: str, from_on: datetime | None, through_on: datetime | None, out: IO[str]
) -> None:
    """导出 hledger 或 beancount 账簿 / Write the whole ledger as a journal for hledger or beancount."""
    from clearing.cli.opening import opened_service
    from settlement.ledger_journal import write_journal
    from settlement.ledger_statement import Period
    from tenants.kernel.clock import shanghai_day
    from tenants.kernel.database import Scope, transaction

    with opened_service(data_dir) as service, transaction(service.engine, Scope((tenant,)), service.machine) as work:
        period = Period.of(_day(from_on), _day(through_on), shanghai_day(work.at))
        count = write_journal(work.connection, tenant, period, dialect, out)
    click.echo(f"{count} 笔分录 / transfers", err=True)


def _day(given: datetime | None) -> date | None:
    return None if given is None else given.date()
