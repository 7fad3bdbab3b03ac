"""``batch``: what became of a batch, closing it with its statement, and the statement verified offline."""

import json
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clearing.cli import words
from clearing.cli.banks import AS_JSON, BATCH, PERSON, TENANT, within
from clearing.cli.pages import every

if TYPE_CHECKING:
    from clearing.service import Service
    from settlement.batches.batch import Batch
    from tenants.kernel.database import Work

REASON = click.option(
    "--reason", type=words.REASON, help="Why what came back of it is not issued again, where it is not."
)
SUMS = ("outcome", "count", "amount")
BATCHES = ("batch_no", "scheme", "kind", "state", "count", "total", "paid", "returned", "rejected", "open")


@click.group()
def batch() -> None:
    """兑付批次：结算与结算单 / Batches: what became of them, and their statements."""


@batch.command("list")
@TENANT
@click.option("--state", help="Only those in this state.")
@AS_JSON
@click.pass_obj
def list_of_batches(data_dir: Path, tenant: str, state: str | None, as_json: bool) -> None:
    """列出批次，最新在前 / List the batches, newest first."""
    from clearing.cli.printing import show_json, show_rows
    from settlement.batches.batch import list_batches
    from settlement.batches.progress import AT_WORK, cut_progress, progress_of

    def use_case(work: "Work", _service: "Service") -> tuple[list[dict[str, Any]], bool]:
        filters = {} if state is None else {"state": state}
        found = every(partial(list_batches, work.connection, tenant, filters), attrgetter("id"))
        return [
            {"batch_no": each.batch_no, "scheme": each.scheme, "kind": each.kind, "state": each.state,
             "count": each.item_count, "total": str(each.total), "progress": doing(work, each)}
            for each in found
        ], cut_progress(work.connection, tenant) is not None  # fmt: skip

    def doing(work: "Work", each: "Batch") -> str:
        progress = progress_of(work.connection, each.id) if each.state in AT_WORK else None
        return "" if progress is None else f"{progress.doing} {progress.done}/{each.item_count}"

    rows, cutting = within(data_dir, tenant, use_case)
    if as_json:
        show_json({"items": rows, "cutting": cutting})
    else:
        show_rows(rows, (*BATCHES[:6], "progress"))
        if cutting:
            click.echo("正在切出新批次。 A new batch is being cut.", err=True)


@batch.command()
@TENANT
@BATCH
@click.option("--lines", type=click.Path(dir_okay=False, path_type=Path), help="Write the statement's lines there.")
@click.option("--statement", type=click.Path(dir_okay=False, path_type=Path), help="Write the signed statement there.")
@AS_JSON
@click.pass_obj
def settlement(
    data_dir: Path, tenant: str, batch_no: str, lines: Path | None, statement: Path | None, as_json: bool
) -> None:
    """批次的各项合计；写出最近的结算单 / What became of it; write its latest statement to files."""
    from clearing.cli.printing import show_json, show_rows
    from settlement.batches.batch import find_batch_by_number
    from settlement.batches.batch_settlement import list_settlements, settlement_lines, sums_of

    def use_case(work: "Work", _service: "Service") -> dict[str, Any]:
        found = find_batch_by_number(work.connection, tenant, batch_no)
        made = list_settlements(work.connection, found)
        if (lines is not None or statement is not None) and not made:
            raise click.ClickException(f"批次 {batch_no} 尚无结算单 / {batch_no} has no statement yet")
        if lines is not None:
            with lines.open("wb") as file:
                file.writelines(settlement_lines(work.connection, found, made[-1].made_at))
        if statement is not None:
            statement.write_text(made[-1].jws + "\n", encoding="ascii")
        return {
            "batch_no": found.batch_no, "state": found.state, "total": str(found.total),
            "now": sums_of(work.connection, found, work.at).json(), "statements": [each.json() for each in made],
        }  # fmt: skip

    shown = within(data_dir, tenant, use_case)
    if as_json:
        show_json(shown)
        return
    show_rows([shown], ("batch_no", "state", "total"))
    show_rows([{"outcome": name, **total} for name, total in shown["now"].items()], SUMS)
    show_rows(shown["statements"], ("number", "sha256", "made_by", "made_at", "reason"))


@batch.command()
@TENANT
@BATCH
@PERSON
@REASON
@click.pass_obj
def close(data_dir: Path, tenant: str, batch_no: str, person: str, reason: str | None) -> None:
    """关闭已结算的批次并签发结算单；其后有退汇则再签发 / Close a settled batch with its statement, or state again."""
    from clearing.cli.printing import show_json
    from settlement.batches.batch import find_batch_by_number, lock_batch
    from settlement.batches.batch_settlement import close_paid, list_settlements, state_again

    def use_case(work: "Work", service: "Service") -> dict[str, Any]:
        found = find_batch_by_number(work.connection, tenant, batch_no)
        if list_settlements(work.connection, found):
            made = state_again(work.connection, tenant, found.id, reason, service.office, person, work.at)
            return made.json()
        locked = lock_batch(work.connection, tenant, found.id)
        closed = close_paid(work.connection, locked, reason, service.office, person, work.at)
        return list_settlements(work.connection, closed)[-1].json()

    show_json(within(data_dir, tenant, use_case))


@batch.command("verify-statement")
@click.argument("statement", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--jwks", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="The tenant's key set, from /.well-known/jwks/{tenant}.json.")  # fmt: skip
@click.option("--lines", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Its downloaded lines.")
def verify_statement(statement: Path, jwks: Path, lines: Path | None) -> int:
    """离线核验结算单 / Verify a statement offline, with the public keys alone; exit 1 and each difference."""
    from clearing.cli.program import FINDINGS, OK
    from settlement.offline.settled import verify_settlement

    try:
        keys = json.loads(jwks.read_bytes())
    except ValueError as error:
        raise click.BadParameter(f"不是 JSON / not JSON: {error}", param_hint="--jwks") from error
    if not isinstance(keys, dict):
        raise click.BadParameter("不是公钥清单 / not a key set", param_hint="--jwks")
    differences = verify_settlement(statement.read_text(encoding="ascii", errors="replace"), keys, lines)
    for found in differences:
        click.echo(str(found))
    click.echo("核验通过。 Verified." if not differences else f"{len(differences)} 处差异 / differences.", err=True)
    return FINDINGS if differences else OK
