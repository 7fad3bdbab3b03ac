"""``ledger``: the accounts, a statement of one, and the journal for an outside bookkeeping program."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from functools import partial
from operator import attrgetter
from pathlib import Path
from tempfile import mkstemp
from typing import IO, TYPE_CHECKING, Any

import click

from clearing.cli.pages import every

if TYPE_CHECKING:
    from clearing.service import Service
    from tenants.kernel.database import Work

_DAY = click.DateTime(["%Y-%m-%d"])
_PRINTED = "-"
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
    from clearing.cli.banks import within
    from clearing.cli.printing import show_json, show_rows
    from settlement.ledger_statement import list_accounts

    def use_case(work: "Work", _service: "Service") -> list[dict[str, Any]]:
        found = every(
            lambda after, most: list_accounts(work.connection, tenant, prefix, after or "", most), attrgetter("code")
        )
        return [account.json() for account in found]

    rows = within(data_dir, tenant, use_case)
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
    from clearing.cli.banks import within
    from clearing.cli.printing import show_json, show_rows
    from settlement.ledger_statement import Period, read_statement, statement_lines
    from tenants.kernel.clock import shanghai_day

    def use_case(work: "Work", _service: "Service") -> tuple[dict[str, Any], list[dict[str, Any]]]:
        period = Period.of(_day(from_on), _day(through_on), shanghai_day(work.at))
        head = read_statement(work.connection, tenant, account, period)
        found = every(partial(statement_lines, work.connection, tenant, head), attrgetter("at", "transfer_id"))
        return head.json(), [line.json() for line in found]

    head, lines = within(data_dir, tenant, use_case)
    if as_json:
        show_json(head | {"items": lines})
    else:
        show_rows([head], ("account", "from", "through", "opening", "debits", "credits", "closing"))
        show_rows(lines, ("at", "other_account", "debit", "credit", "balance", "reason"))


@ledger.command()
@_TENANT
@click.option("--format", "dialect", type=click.Choice(["hledger", "beancount"]), default="hledger", show_default=True)
@_FROM
@_THROUGH
@click.option("--out", type=click.Path(dir_okay=False), default=_PRINTED, help="Where to write it.")
@click.pass_obj
def journal(
    data_dir: Path, tenant: str, dialect: str, from_on: datetime | None, through_on: datetime | None, out: str
) -> None:
    """导出 hledger 或 beancount 账簿 / Write the whole ledger as a journal for hledger or beancount."""
    from clearing.cli.banks import require_tenant
    from clearing.cli.opening import opened_service
    from settlement.ledger_journal import write_journal
    from settlement.ledger_statement import Period
    from tenants.kernel.clock import shanghai_day
    from tenants.kernel.database import Scope, transaction

    require_tenant(tenant)
    with opened_service(data_dir) as service, transaction(service.engine, Scope((tenant,)), service.machine) as work:
        period = Period.of(_day(from_on), _day(through_on), shanghai_day(work.at))
        with _once_whole(out) as file:
            count = write_journal(work.connection, tenant, period, dialect, file)
    click.echo(f"{count} 笔分录 / transfers", err=True)


def _day(given: datetime | None) -> date | None:
    return None if given is None else given.date()


@contextmanager
def _once_whole(out: str) -> Iterator[IO[str]]:
    """Bring what is written under its name once it is whole: until then, what lies there stays as it is.

    Raises:
        click.BadParameter: nothing can be written there.
    """
    if out == _PRINTED:
        with click.open_file(out, "w", encoding="utf-8") as printed:
            yield printed
            printed.flush()  # what is said of it comes behind it
        return
    path = Path(out).resolve()
    try:
        mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else None
        # in the file's own folder, because a file changes its name only within one file system
        number, name = mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        said = f"不能写入 {out} / cannot write to {out}: {error.strerror}"
        raise click.BadParameter(said, param_hint="--out") from error
    made = Path(name)
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            yield file
        if mode is not None:
            made.chmod(mode)
        made.replace(path)
    finally:
        made.unlink(missing_ok=True)
