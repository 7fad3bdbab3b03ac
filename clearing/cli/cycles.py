"""``cycle`` and ``agreement``: the windows of debts between tenants, their figures, and what was agreed."""

from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click
from sqlalchemy import Engine

from clearing.cli import words
from clearing.cli.pages import every

if TYPE_CHECKING:
    from clearing.service import Service
    from tenants.kernel.database import Work

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_TENANT = click.option("--tenant", required=True, help="Whose order.")
_PERSON = click.option("--person", type=words.PERSON, required=True, help="Who does this, for four-eyes.")


@click.group()
def cycle() -> None:
    """清算周期 / Clearing cycles."""


@click.group()
def agreement() -> None:
    """结算协议 / Agreements between tenants."""


@agreement.command("list")
@click.option("--tenant", required=True, help="One of the sides.")
@_JSON
@click.pass_obj
def list_of_agreements(data_dir: Path, tenant: str, as_json: bool) -> None:
    """列出一个区域的协议 / List the agreements of a tenant."""
    from clearing.cli.banks import within
    from clearing.cli.printing import show_json, show_rows
    from settlement.agreements.agreement import list_agreements

    def use_case(work: "Work", _service: "Service") -> list[dict[str, Any]]:
        agreements = every(partial(list_agreements, work.connection, tenant, {}), attrgetter("id"))
        return [each.json() for each in agreements]

    rows = within(data_dir, tenant, use_case)
    if as_json:
        show_json({"items": rows})
    else:
        show_rows(rows, ("id", "tenant", "counterparty", "form", "netting", "effective_on", "exposure_limit", "state"))


@cycle.command("list")
@click.option("--set", "agreement_set", help="Only the cycles of this agreement set.")
@_JSON
@click.pass_obj
def list_of_cycles(data_dir: Path, agreement_set: str | None, as_json: bool) -> None:
    """列出清算周期 / List the cycles, newest first."""
    from clearing.cli.opening import opened_service
    from clearing.cli.printing import show_json, show_rows
    from settlement.cycles.cycle import list_cycles
    from tenants.kernel.database import Scope, transaction

    filters = {} if agreement_set is None else {"agreement_set": agreement_set}
    with opened_service(data_dir) as service:
        tenants = _tenants(service.engine)
        with transaction(service.engine, Scope(tenants), service.machine) as work:
            found = every(partial(list_cycles, work.connection, filters), attrgetter("id"))
    rows = [each.json() for each in found]
    if as_json:
        show_json({"items": rows})
    else:
        show_rows(rows, ("cycle", "id", "state", "opened_at", "closed_by", "closed_at", "settled_at"))


@cycle.command()
@click.argument("cycle_id", type=click.UUID)
@_JSON
@click.pass_obj
def positions(data_dir: Path, cycle_id: UUID, as_json: bool) -> None:
    """一个周期的矩阵与头寸 / The matrix and positions of a cycle, of all tenants; of an open one, as of now."""
    from clearing.cli.opening import opened_service
    from clearing.cli.printing import show_json, show_rows
    from settlement.cycles.cycle import find_cycle
    from settlement.cycles.figures import figures_json
    from tenants.kernel.database import Scope, transaction

    with opened_service(data_dir) as service:
        tenants = _tenants(service.engine)
        with transaction(service.engine, Scope(tenants), service.machine) as work:
            found = find_cycle(work.connection, cycle_id)
            figures = figures_json(work.connection, found, tenants)
    if as_json:
        show_json({**found.json(), **figures})
    else:
        show_rows(figures["matrix"], ("debtor", "creditor", "netting", "debts", "gross"))
        show_rows(figures["positions"], ("tenant", "payable", "receivable", "net", "confirmed_by"))


@cycle.command("close")
@click.argument("cycle_id", type=click.UUID)
@_PERSON
@click.pass_obj
def close_cycle(data_dir: Path, cycle_id: UUID, person: str) -> None:
    """关闭窗口并开启下一个 / Close the window; the next one opens."""
    _step(data_dir, cycle_id, person, "close")


@cycle.command("settle")
@click.argument("cycle_id", type=click.UUID)
@_PERSON
@click.pass_obj
def settle_cycle(data_dir: Path, cycle_id: UUID, person: str) -> None:
    """确认全部收付已完成 / Declare that everything ordered has been paid."""
    _step(data_dir, cycle_id, person, "settle")


@cycle.command()
@click.argument("cycle_id", type=click.UUID)
@_JSON
@click.pass_obj
def orders(data_dir: Path, cycle_id: UUID, as_json: bool) -> None:
    """清算指令与银行结果 / The orders of a cycle, and what the banks told of each."""
    from clearing.cli.opening import opened_service
    from clearing.cli.printing import show_json, show_rows
    from settlement.cycles.clearing_order import list_orders
    from settlement.cycles.cycle import find_cycle
    from tenants.kernel.database import Scope, transaction

    with opened_service(data_dir) as service:
        tenants = _tenants(service.engine)
        with transaction(service.engine, Scope(tenants), service.machine) as work:
            found = find_cycle(work.connection, cycle_id)
            rows = [each.json() for each in list_orders(work.connection, found.id, tenants, service.office)]
    if as_json:
        show_json({**found.json(), "orders": rows})
    else:
        show_rows(rows, ("id", "tenant", "kind", "counterparty", "amount", "state", "replaces"))


@cycle.command()
@click.argument("order_id", type=click.UUID)
@_TENANT
@_PERSON
@click.pass_obj
def send(data_dir: Path, order_id: UUID, tenant: str, person: str) -> None:
    """下令把清算指令送交银行，由任务进程执行 / Order that an order be sent to its bank; a worker does it."""
    from clearing.cli.banks import within
    from clearing.cli.printing import show_json
    from settlement.bank.order_sending import send_order
    from settlement.bank.sending import calls_of, submission_json
    from settlement.cycles.clearing_order import find_order
    from settlement.cycles.order_file import bank_of

    def use_case(work: "Work", service: "Service") -> dict[str, Any]:
        order = find_order(work.connection, tenant, order_id, service.office)
        service.require_way(work.connection, bank_of(work.connection, order, service.banks))
        made = send_order(work.connection, order, service.office, person, work.at)
        return submission_json(made, calls_of(work.connection, made))

    show_json(within(data_dir, tenant, use_case))


@cycle.command("import")
@click.argument("order_id", type=click.UUID)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_TENANT
@_PERSON
@click.pass_obj
def import_answer(data_dir: Path, order_id: UUID, file: Path, tenant: str, person: str) -> int:
    """导入付款账户的银行回单 / Import the bank's answer on the paying account; exit 1 when a line needs an eye."""
    from clearing.cli.banks import require_size, taken_json, within
    from clearing.cli.printing import show_json
    from clearing.cli.program import FINDINGS, OK
    from settlement.statements.reconciliation import import_order_statement

    def use_case(work: "Work", service: "Service") -> dict[str, Any]:
        require_size(file, service)
        return taken_json(
            work, import_order_statement(work.connection, tenant, order_id, file, person, work.at, service.office)
        )

    taken = within(data_dir, tenant, use_case)
    show_json(taken)
    return FINDINGS if taken["differences"] else OK


@cycle.command()
@click.argument("order_id", type=click.UUID)
@_TENANT
@click.option("--kind", type=click.Choice(["replace", "cancel"]), required=True, help="Order anew, or carry on.")
@click.option("--reason", type=words.REASON, required=True, help="Why.")
@_PERSON
@click.pass_obj
def remedy(data_dir: Path, order_id: UUID, tenant: str, kind: str, reason: str, person: str) -> None:
    """提出被拒或退回指令的处理 / Propose a remedy for an order that came back."""
    from clearing.cli.banks import within
    from clearing.cli.printing import show_json
    from settlement.cycles.order_remedies import propose

    def use_case(work: "Work", service: "Service") -> dict[str, Any]:
        made = propose(work.connection, tenant, order_id, kind, reason, service.office, person, work.at)
        return dict(made.json())

    show_json(within(data_dir, tenant, use_case))


@cycle.command()
@click.argument("remedy_id", type=click.UUID)
@_TENANT
@click.option("--outcome", type=click.Choice(["approve", "refuse"]), required=True, help="The decision.")
@click.option("--reason", type=words.REASON, help="Why; needed for a refusal.")
@_PERSON
@click.pass_obj
def decide(data_dir: Path, remedy_id: UUID, tenant: str, outcome: str, reason: str | None, person: str) -> None:
    """由另一人决定处理方案 / Decide on a remedy, by another person."""
    from clearing.cli.banks import within
    from clearing.cli.printing import show_json
    from settlement.cycles import order_remedies

    def use_case(work: "Work", service: "Service") -> dict[str, Any]:
        made = order_remedies.decide(
            work.connection, tenant, remedy_id, outcome, reason, service.office, person, work.at
        )
        return dict(made.json())

    show_json(within(data_dir, tenant, use_case))


def _step(data_dir: Path, cycle_id: UUID, person: str, step: str) -> None:
    from clearing.cli.opening import opened_service
    from clearing.cli.printing import show_json
    from settlement.cycles import cycle_steps
    from tenants.kernel.database import Scope, Work, run

    with opened_service(data_dir) as service:
        tenants = _tenants(service.engine)

        def use_case(work: Work) -> dict[str, object]:
            if step == "close":
                done = cycle_steps.close(work.connection, cycle_id, tenants, person, work.at)
            else:
                done = cycle_steps.settle(work.connection, cycle_id, tenants, service.office, person, work.at)
            return dict(done.json())

        shown = run(service.engine, Scope(tenants), service.machine, use_case)
    show_json(shown)


def _tenants(engine: Engine) -> tuple[str, ...]:
    with engine.connect() as connection:
        return tuple(connection.exec_driver_sql("select tenant from tenant order by tenant").scalars())
