"""``bank``: send a batch's payment file to its bank, see what became of it, import the bank's answers."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clearing.cli import words

if TYPE_CHECKING:
    from clearing.service import Service
    from settlement.statements.reconciliation import Imported
    from tenants.kernel.database import Work

TENANT = click.option("--tenant", required=True, help="Whose batch.")
BATCH = click.option("--batch", "batch_no", required=True, help="The batch's number, such as BT-JS-2024-0001.")
PERSON = click.option("--person", type=words.PERSON, required=True, help="Who does this; it stands in the audit chain.")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
CALLS = ("seq", "kind", "made_at", "outcome", "detail")
LINES = ("line", "kind", "class", "end_to_end_id", "amount", "payee", "reason", "differences")
MAX_SHOWN = 1000


@click.group()
def bank() -> None:
    """银行：发送拨付文件，导入回单 / Send payment files, import the bank's answers."""


@bank.command()
@TENANT
@BATCH
@PERSON
@AS_JSON
@click.pass_obj
def send(data_dir: Path, tenant: str, batch_no: str, person: str, as_json: bool) -> None:
    """下令发送该批次的拨付文件，由任务进程执行 / Order that the payment file be sent; a worker does it."""
    from settlement.bank.order_sending import bank_of_batch
    from settlement.bank.sending import calls_of, order_sending, submission_json
    from settlement.batches.batch import find_batch_by_number

    def use_case(work: "Work", service: "Service") -> dict[str, Any]:
        batch = find_batch_by_number(work.connection, tenant, batch_no)
        connection = bank_of_batch(work.connection, batch, service.banks)
        service.require_way(work.connection, connection)
        if connection is None:
            raise click.ClickException(
                f"{tenant} 没有配置银行通道 / no bank is configured ({service.settings.banks_file})"
            )
        made = order_sending(work.connection, tenant, batch.id, connection.method, person, work.at)
        return submission_json(made, calls_of(work.connection, made))

    _show_submission(within(data_dir, tenant, use_case), as_json)


@bank.command()
@TENANT
@BATCH
@AS_JSON
@click.pass_obj
def status(data_dir: Path, tenant: str, batch_no: str, as_json: bool) -> None:
    """发送情况与银行每次答复 / What was sent, each call and each answer."""
    from settlement.bank.sending import calls_of, find_submission, submission_json
    from settlement.batches.batch import find_batch_by_number

    def use_case(work: "Work", _service: "Service") -> dict[str, Any]:
        batch = find_batch_by_number(work.connection, tenant, batch_no)
        found = find_submission(work.connection, tenant, batch.id)
        return submission_json(found, calls_of(work.connection, found))

    _show_submission(within(data_dir, tenant, use_case), as_json)


@bank.command("import")
@TENANT
@BATCH
@PERSON
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@AS_JSON
@click.pass_obj
def import_answer(data_dir: Path, tenant: str, batch_no: str, person: str, file: Path, as_json: bool) -> int:
    """导入银行回单 / Import a bank's answer (pain.002, camt, MT940, CSV, XLSX); exit 1 when a line needs an eye."""
    from clearing.cli.printing import show_json, show_rows
    from clearing.cli.program import FINDINGS, OK
    from settlement.batches.batch import find_batch_by_number
    from settlement.matching_back import reach_linked
    from settlement.statements.reconciliation import import_statement

    def use_case(work: "Work", service: "Service") -> dict[str, Any]:
        require_size(file, service)
        reach_linked(work, tenant)
        batch = find_batch_by_number(work.connection, tenant, batch_no)
        return taken_json(
            work, import_statement(work.connection, tenant, batch.id, file, person, work.at, service.office)
        )

    taken = within(data_dir, tenant, use_case)
    if as_json:
        show_json(taken)
    else:
        show_rows([{"class": name, **total} for name, total in taken["classes"].items()], ("class", "count", "amount"))
        show_rows(taken["differences"], LINES)
    return FINDINGS if taken["differences"] else OK


def taken_json(work: "Work", taken: "Imported") -> dict[str, Any]:
    """A bank's answer as it was taken in, and the first lines of it that did not simply match."""
    from settlement.statements.matching import CLASSES, MATCHED
    from settlement.statements.statement_records import class_totals, line_json, list_lines, statement_json

    others = [name for name in CLASSES if name != MATCHED]
    lines = list_lines(work.connection, taken.statement, others, 0, MAX_SHOWN)
    return {
        **statement_json(taken.statement, class_totals(work.connection, taken.statement)),
        "before": taken.before,
        "differences": [line_json(line) for line in lines],
    }


def require_size(file: Path, service: "Service") -> None:
    """Refuse a file that is larger than the setting allows, as over HTTP.

    Raises:
        click.BadParameter: it is.
    """
    from clearing.settings import STATEMENT_MIB

    if file.stat().st_size > service.settings.statement_bytes:
        most = service.settings.statement_mib
        said = (
            f"文件超过 {most} MiB；可用设置 {STATEMENT_MIB} 提高上限，或请银行分成几份 / "
            f"the file is over {most} MiB: raise the setting {STATEMENT_MIB}, or ask the bank for several files"
        )
        raise click.BadParameter(said, param_hint="FILE")


def within(data_dir: Path, tenant: str, use_case: "Callable[[Work, Service], Any]") -> Any:  # noqa: ANN401 - the use case's
    """The use case in one transaction within the tenant.

    Raises:
        click.BadParameter: there is no such tenant.
    """
    from clearing.cli.opening import opened_service
    from tenants.kernel.database import Scope, run

    require_tenant(tenant)
    with opened_service(data_dir) as service:
        return run(service.engine, Scope((tenant,)), service.machine, lambda work: use_case(work, service))


def require_tenant(tenant: str) -> None:
    """Refuse the name of a tenant that there is not: of nobody everything is empty.

    Raises:
        click.BadParameter: there is no such tenant.
    """
    from tenants.profile import tenant_codes

    if tenant not in tenant_codes():
        raise click.BadParameter(f"没有区域 {tenant} / no such tenant: {tenant}", param_hint="--tenant")


def _show_submission(shown: dict[str, Any], as_json: bool) -> None:
    from clearing.cli.printing import show_json, show_rows

    if as_json:
        show_json(shown)
        return
    show_rows([shown], ("message_id", "method", "state", "ordered_by", "ordered_at"))
    show_rows(shown["calls"], CALLS)
