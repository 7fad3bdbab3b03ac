"""``district``: which divisions bind a tenant's reviewers, so that a city bureau sees and decides only its claims."""

import re
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from clearing.cli import words
from clearing.cli.banks import within
from clearing.cli.pages import every

if TYPE_CHECKING:
    from clearing.service import Service
    from tenants.kernel.database import Work

_TENANT = click.option("--tenant", required=True, help="The tenant whose reviewer it is.")
_BY = click.option(
    "--by", "actor", type=words.PERSON, required=True, help="Who sets it; another person than the reviewer."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
COLUMNS = ("id", "person", "division", "ground", "set_by", "set_at", "ended_by", "ended_at", "end_reason")


@click.group()
def district() -> None:
    """审核人属地 / Which divisions bind a reviewer."""


@district.command()
@_TENANT
@_BY
@click.option("--person", type=words.PERSON, required=True, help="The reviewer, as four-eyes compares people.")
@click.option("--division", required=True, help="Six digits (GB/T 2260), such as 320300.")
@click.option("--ground", type=words.REASON, required=True, help="The document that says so.")
@_JSON
@click.pass_obj
def bind(data_dir: Path, tenant: str, actor: str, person: str, division: str, ground: str, as_json: bool) -> None:
    """设定属地 / Bind a reviewer to a division."""
    from clearing.claims import districts

    if not re.fullmatch(r"[1-9][0-9]{5}", division, re.ASCII):
        raise click.BadParameter("须为六位区划代码 / six digits", param_hint="--division")
    given = {"person": person, "division": division, "ground": ground}
    made = within(data_dir, tenant, lambda work, _service: districts.bind(work, actor, tenant, given))
    _show([made.json()], as_json=as_json)


@district.command("list")
@_TENANT
@_JSON
@click.pass_obj
def list_districts(data_dir: Path, tenant: str, as_json: bool) -> None:
    """列出属地 / List whom which divisions bind."""
    from clearing.claims import districts

    def use_case(work: "Work", _service: "Service") -> list[dict[str, Any]]:
        found = every(partial(districts.listed, work.connection, tenant, {}), attrgetter("id"))
        return [each.json() for each in found]

    _show(within(data_dir, tenant, use_case), as_json=as_json)


@district.command()
@click.argument("district_id", type=click.UUID)
@_TENANT
@_BY
@click.option("--reason", type=words.REASON, required=True, help="Why it ends.")
@_JSON
@click.pass_obj
def end(data_dir: Path, district_id: UUID, tenant: str, actor: str, reason: str, as_json: bool) -> None:
    """解除属地 / End a binding."""
    from clearing.claims import districts

    ended = within(data_dir, tenant, lambda work, _service: districts.end(work, actor, tenant, district_id, reason))
    _show([ended.json()], as_json=as_json)


def _show(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    from clearing.cli.printing import show_json, show_rows

    if as_json:
        show_json({"items": rows})
    else:
        show_rows(rows, COLUMNS)
