"""``matching``: what linked regions owe on top of a province's awards, and who is late."""

from datetime import datetime
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from clearing.cli import words
from clearing.cli.pages import every

if TYPE_CHECKING:
    from clearing.service import Service
    from tenants.kernel.database import Work

_WHICH = ["open", "overdue", "paid", "waiting", "to_recover", "all"]
_TENANT = click.option("--tenant", required=True, help="The province, or the linked region that owes.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def matching() -> None:
    """联动配套 / Matching by linked regions."""


@matching.command("list")
@_TENANT
@click.option("--state", type=click.Choice(_WHICH), default="open", show_default=True)
@_JSON
@click.pass_obj
def list_of_matchings(data_dir: Path, tenant: str, state: str, as_json: bool) -> None:
    """列出应付配套 / List what is due, the longest due first."""
    from clearing.cli.banks import within
    from clearing.cli.printing import show_json, show_rows
    from settlement.matching_list import list_due
    from tenants.kernel.clock import shanghai_day

    def use_case(work: "Work", _service: "Service") -> list[dict[str, Any]]:
        today = shanghai_day(work.at)
        found = every(partial(list_due, work.connection, tenant, today, state, None), attrgetter("due_on", "claim_id"))
        return [each.json(today) for each in found]

    rows = within(data_dir, tenant, use_case)
    if as_json:
        show_json({"items": rows})
    else:
        show_rows(
            rows,
            (
                "claim_id",
                "claim_no",
                "enterprise",
                "division",
                "linked_tenant",
                "amount",
                "due_on",
                "overdue",
                "paid_on",
                "to_recover",
                "recovered",
            ),
        )


@matching.command()
@_TENANT
@_JSON
@click.pass_obj
def regions(data_dir: Path, tenant: str, as_json: bool) -> None:
    """各联动地区欠付多少 / What each linked region owes, and how much of it is overdue."""
    from clearing.cli.banks import within
    from clearing.cli.printing import show_json, show_rows
    from settlement.matching_list import who_owes
    from tenants.kernel.clock import shanghai_day

    rows = within(data_dir, tenant, lambda work, _: who_owes(work.connection, tenant, shanghai_day(work.at)))
    if as_json:
        show_json({"items": rows})
    else:
        columns = ("division", "linked_tenant", "count", "amount", "overdue_count", "overdue_amount", "first_due_on")
        show_rows(rows, columns)


_DAY = click.DateTime(["%Y-%m-%d"])
_CLAIM = click.argument("claim_id", type=click.UUID)
_PERSON = click.option("--person", type=words.PERSON, required=True, help="Who records it.")
_DOCUMENT = click.option("--document", type=words.DOCUMENT, required=True, help="The number of the voucher.")


@matching.command()
@_TENANT
@_CLAIM
@click.option("--on", "paid_on", type=_DAY, required=True, help="The day of the payment.")
@_DOCUMENT
@_PERSON
@click.pass_obj
def paid(data_dir: Path, tenant: str, claim_id: UUID, paid_on: datetime, document: str, person: str) -> None:
    """登记联动地区的支付 / Record the payment of a linked region that is no tenant here."""
    from clearing.cli.banks import within
    from clearing.cli.printing import show_json
    from settlement.matching import record_payment

    within(
        data_dir,
        tenant,
        lambda work, _: record_payment(work.connection, tenant, claim_id, paid_on.date(), document, person, work.at),
    )
    show_json({"claim_id": str(claim_id), "paid_on": paid_on.date().isoformat(), "document": document})


@matching.command()
@_TENANT
@_CLAIM
@click.option("--amount", required=True, help="What came back, in yuan.")
@click.option("--on", "recovered_on", type=_DAY, required=True, help="The day on which it came back.")
@_DOCUMENT
@_PERSON
@click.pass_obj
def recover(
    data_dir: Path, tenant: str, claim_id: UUID, amount: str, recovered_on: datetime, document: str, person: str
) -> None:
    """登记收回的配套 / Record what came back of a matching whose award was asked back."""
    from clearing.cli.banks import within
    from clearing.cli.printing import show_json
    from settlement.matching_recovery import Recovery
    from settlement.matching_recovery import recover as record_recovery
    from tenants.kernel.money import Money, MoneyError

    try:
        came = Money.parse(amount)
    except MoneyError as error:
        raise click.BadParameter(
            f"金额应为 1234.56 / an amount like 1234.56: {amount}", param_hint="--amount"
        ) from error
    recovery = Recovery(came, recovered_on.date(), document)
    show_json(
        within(data_dir, tenant, lambda work, _: record_recovery(work, tenant, claim_id, recovery, person).json())
    )
