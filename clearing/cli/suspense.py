"""``suspense``: movements at the bank without an explanation, explained by one person and booked by another."""

from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from clearing.cli import words
from clearing.cli.banks import AS_JSON, PERSON, TENANT, within
from clearing.cli.pages import every

if TYPE_CHECKING:
    from clearing.service import Service
    from tenants.kernel.database import Work

LINES = ("statement_id", "line", "kind", "class", "amount", "left", "proposed", "payee", "end_to_end_id", "booked_on")
RESOLUTIONS = (
    "id",
    "kind",
    "amount",
    "charge",
    "instruction_id",
    "order_id",
    "reason",
    "proposed_by",
    "decision",
    "decided_by",
)


@click.group()
def suspense() -> None:
    """待查款项 / Movements without an explanation."""


@suspense.command("list")
@TENANT
@AS_JSON
@click.pass_obj
def list_of_suspense(data_dir: Path, tenant: str, as_json: bool) -> int:
    """列出待查款项与待复核的说明 / What is unexplained, and what waits for a second person; exit 1 if anything is."""
    from clearing.cli.printing import show_json, show_rows
    from clearing.cli.program import FINDINGS, OK
    from settlement.statements.suspense_records import list_resolutions, list_suspense

    def use_case(work: "Work", _service: "Service") -> tuple[list[Any], list[Any]]:
        lines = every(partial(list_suspense, work.connection, tenant), attrgetter("statement_id", "line"))
        waiting = every(partial(list_resolutions, work.connection, tenant, waiting=True), attrgetter("id"))
        return [each.json() for each in lines], [each.json() for each in waiting]

    lines, waiting = within(data_dir, tenant, use_case)
    if as_json:
        show_json({"items": lines, "waiting": waiting})
    else:
        show_rows(lines, LINES)
        show_rows(waiting, RESOLUTIONS)
    return FINDINGS if lines else OK


@suspense.command()
@TENANT
@PERSON
@click.option("--kind", required=True, type=click.Choice(["assign", "carry", "reversed", "unrelated"]))
@click.option("--line", "lines", required=True, multiple=True, help="STATEMENT_ID/LINE or STATEMENT_ID/LINE=AMOUNT.")
@click.option("--instruction", type=click.UUID, help="The instruction, for assign.")
@click.option("--order", type=click.UUID, help="The order between tenants, for assign or carry.")
@click.option("--charge", help="What banks took of the order for themselves, in yuan.")
@click.option("--reason", type=words.REASON, required=True)
@click.pass_obj
def explain(data_dir: Path, /, tenant: str, person: str, kind: str, reason: str, **named: Any) -> None:  # noqa: ANN401 - options
    """提出说明，由另一人复核后入账 / Propose an explanation; another person decides on it."""
    from clearing.cli.printing import show_json
    from settlement.statements.suspense import Explanation, propose
    from tenants.kernel.money import Money, MoneyError

    try:
        charge = Money.parse(named["charge"] or "0")
    except MoneyError as error:
        raise click.BadParameter(f"{named['charge']}: YUAN", param_hint="--charge") from error
    movements = [_movement(line) for line in named["lines"]]
    said = Explanation(kind, movements, named["instruction"], reason, named["order"], charge)
    show_json(
        within(data_dir, tenant, lambda work, _service: propose(work.connection, tenant, said, person, work.at).json())
    )


@suspense.command()
@TENANT
@PERSON
@click.argument("resolution", type=click.UUID)
@click.option("--approve/--refuse", "approves", required=True)
@click.option("--reason", type=words.REASON, help="Needed for a refusal.")
@click.pass_obj
def decide(data_dir: Path, tenant: str, person: str, resolution: UUID, approves: bool, reason: str | None) -> None:
    """复核他人提出的说明 / Approve and book, or refuse, what another person explained."""
    from clearing.cli.printing import show_json
    from settlement.matching_back import reach_linked
    from settlement.second_person import APPROVE, REFUSE
    from settlement.statements.suspense import decide as decide_on

    outcome = APPROVE if approves else REFUSE

    def use_case(work: "Work", service: "Service") -> dict[str, Any]:
        reach_linked(work, tenant)
        made = decide_on(work.connection, tenant, resolution, outcome, reason, person, work.at, service.office)
        return dict(made.json())

    show_json(within(data_dir, tenant, use_case))


def _movement(text: str) -> Any:  # noqa: ANN401 - a Movement, imported late
    from settlement.statements.suspense import Movement
    from tenants.kernel.money import Money, MoneyError

    where, _, amount = text.partition("=")
    statement, _, line = where.partition("/")
    try:
        return Movement(UUID(statement), int(line), Money.parse(amount) if amount else None)
    except (ValueError, MoneyError) as error:
        raise click.BadParameter(f"{text}: STATEMENT_ID/LINE[=AMOUNT]", param_hint="--line") from error
