"""``matching``: what linked regions owe on top of a province's awards, and who is late."""

from pathlib import Path

import click

_PAGE = 500
_TENANT = click.option("--tenant", required=True, help="The province, or the linked region that owes.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def matching() -> None:
    """联动配套 / Matching by linked regions."""


@matching.command("list")
@_TENANT
@click.option("--state", type=click.Choice(["open", "overdue", "paid", "all"]), default="open", show_default=True)
@_JSON
@click.pass_obj
def list_of_matchings(data_dir: Path, tenant: str, state: str, as_json: bool) -> None:
    """列出应付配套 / List what is due, the longest due first."""
    from clearing.cli.opening import opened_service
    from clearing.cli.printing import show_json, show_rows
    from settlement.matching import list_due
    from tenants.kernel.clock import shanghai_day
    from tenants.kernel.database import Scope, transaction

    rows, after = [], None
    with opened_service(data_dir) as service, transaction(service.engine, Scope((tenant,)), service.machine) as work:
        today = shanghai_day(work.at)
        while found := list_due(work.connection, tenant, today, state, None, after, _PAGE):
            rows += [each.json(today) for each in found]
            after = (found[-1].due_on, found[-1].claim_id)
    if as_json:
        show_json({"items": rows})
    else:
        show_rows(
            rows, ("claim_no", "enterprise", "division", "linked_tenant", "amount", "due_on", "overdue", "paid_on")
        )


@matching.command()
@_TENANT
@_JSON
@click.pass_obj
def regions(data_dir: Path, tenant: str, as_json: bool) -> None:
    """各联动地区欠付多少 / What each linked region owes, and how much of it is overdue."""
    from clearing.cli.opening import opened_service
    from clearing.cli.printing import show_json, show_rows
    from settlement.matching import who_owes
    from tenants.kernel.clock import shanghai_day
    from tenants.kernel.database import Scope, transaction

    with opened_service(data_dir) as service, transaction(service.engine, Scope((tenant,)), service.machine) as work:
        rows = who_owes(work.connection, tenant, shanghai_day(work.at))
    if as_json:
        show_json({"items": rows})
    else:
        columns = ("division", "linked_tenant", "count", "amount", "overdue_count", "overdue_amount", "first_due_on")
        show_rows(rows, columns)
