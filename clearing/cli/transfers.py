"""``import`` and ``export``: files of claims and support records, with progress and a file of what to correct."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

if TYPE_CHECKING:
    from clearing.claims.support import Registered
    from clearing.transfers.importing import Summary
    from clearing.transfers.lines import Item
    from clearing.transfers.sources import Source

FILE = click.Path(path_type=Path, dir_okay=False)
ENCODING = click.Choice(["utf-8", "gb18030"])


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--client", "client_id", help="The platform's client in whose name it goes in; see `clearing client`.")
@click.option(
    "--what",
    type=click.Choice(["claims", "support-records"]),
    default="claims",
    show_default=True,
    help="What it holds.",
)
@click.option("--encoding", type=ENCODING, help="Of a CSV file; found out, if it is not named.")
@click.option("--errors", type=FILE, help="File of what was refused, to be corrected; FILE with .errors by default.")
@click.option("--template", is_flag=True, help="Write an empty worksheet to FILE (.xlsx or .csv) and end.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def import_(
    data_dir: Path,
    file: Path,
    client_id: str | None,
    what: str,
    encoding: str | None,
    errors: Path | None,
    template: bool,
    as_json: bool,
) -> int:
    """导入 NDJSON、CSV 或 XLSX 文件 / Import a file; good records go in whatever the others are (exit 1)."""
    from clearing.cli.opening import opened_service
    from clearing.cli.program import FINDINGS, OK
    from clearing.garbage import collect_seldom
    from clearing.transfers.importing import Importer
    from clearing.transfers.sources import open_source
    from tenants.credentials import principal_named

    if template:
        return _write_template(file)
    if client_id is None:
        raise click.UsageError("请用 --client 指明客户端 / name a client with --client")
    if not file.is_file():
        raise click.BadParameter(f"没有文件 {file} / there is no file {file}", param_hint="FILE")
    target = errors or file.with_name(f"{file.stem}.errors{file.suffix}")
    with opened_service(data_dir) as service:
        with service.engine.connect() as connection:
            caller = principal_named(connection, client_id)
        wanted = "support:write" if what == "support-records" else "claims:write"
        if caller is None or caller.platform is None or not caller.may(wanted):
            said = f"{client_id} 不是有 {wanted} 权限的平台客户端 / is no platform's live client with {wanted}"
            raise click.BadParameter(said, param_hint="--client")
        collect_seldom()
        source = open_source(file, target, encoding, support=what == "support-records", caller=caller)
        with source, _progress(file, source, quiet=as_json) as told, _collision_report(file) as collided:
            summary = Importer(service, caller, collided=collided).run(source, told)
    _show(summary, source, target, as_json=as_json)
    return FINDINGS if summary.refused or summary.colliding else OK


@contextmanager
def _collision_report(file: Path) -> "Iterator[Callable[[Item, Registered], None]]":
    """Writes every support record that meets what is here to FILE.collisions.ndjson: line, id, and the other side."""
    import json
    from contextlib import ExitStack

    path = file.with_name(f"{file.stem}.collisions.ndjson")
    with ExitStack() as opened:
        report: IO[str] | None = None

        def collided(item: "Item", stored: "Registered") -> None:
            nonlocal report
            report = report or opened.enter_context(path.open("w", encoding="utf-8"))
            said = {"line": item.number, "id": str(stored.record_id), "collisions": list(stored.collisions)}
            report.write(json.dumps(said, ensure_ascii=False) + "\n")

        yield collided


@click.command("export")
@click.argument("file", type=FILE)
@click.option("--tenant", "tenants", multiple=True, help="Only of this tenant; repeat. All, if none is named.")
@click.option("--state", help="Only in this state, or several with commas between.")
@click.option("--platform", help="Only of this platform.")
@click.option("--quota-year", type=int, help="Only of this quota year.")
@click.option("--encoding", type=ENCODING, default="utf-8", show_default=True, help="Of a CSV file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def export(
    data_dir: Path,
    file: Path,
    tenants: tuple[str, ...],
    state: str | None,
    platform: str | None,
    quota_year: int | None,
    encoding: str,
    as_json: bool,
) -> None:
    """导出申请到 NDJSON、CSV 或 XLSX 文件 / Export claims to a file, account numbers masked."""
    from clearing.claims.listing import Filter
    from clearing.cli.opening import opened_service
    from clearing.cli.printing import show_json
    from clearing.transfers.exporting import exported, write_claims
    from tenants.profile import tenant_codes

    known = tenant_codes()
    unknown = [one for one in tenants if one not in known]
    if unknown:
        raise click.BadParameter(f"没有区域 {unknown[0]} / no such tenant: {unknown[0]}", param_hint="--tenant")
    wanted = Filter.from_query({"state": state, "platform": platform, "quota_year": quota_year})
    with opened_service(data_dir) as service:
        count = write_claims(file, exported(service, tenants or known, wanted), encoding)
    if as_json:
        show_json({"file": str(file), "claims": count})
    else:
        click.echo(f"已导出 {count} 件申请到 {file}。 Exported.")


def _write_template(file: Path) -> int:
    from clearing.cli.program import OK
    from connectors.form_document import form_document
    from connectors.worksheet.template import template_csv, template_xlsx

    document = form_document("worksheet.claim")
    writers = {".xlsx": template_xlsx, ".csv": template_csv}
    if file.suffix.lower() not in writers:
        raise click.BadParameter("模板为 .xlsx 或 .csv / a template is .xlsx or .csv", param_hint="FILE")
    file.write_bytes(writers[file.suffix.lower()](document))
    click.echo(f"已写入模板 {file}。 Template written.")
    return OK


@contextmanager
def _progress(file: Path, source: "Source", *, quiet: bool) -> "Iterator[Callable[[Summary], None]]":
    """A moving line on a terminal; nothing where a program reads."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(file.name, total=file.stat().st_size)

        def told(summary: "Summary") -> None:
            said = f"{file.name}：{summary.read}，未接收 / refused {summary.refused}"
            progress.update(task, completed=source.position() or None, description=said)

        yield told


def _show(summary: "Summary", source: "Source", target: Path, *, as_json: bool) -> None:
    from clearing.cli.printing import show_json

    if as_json:
        errors = str(target) if summary.refused else None
        counts = {"read": summary.read, "stored": summary.stored, "stored_before": summary.stored_before}
        more = {
            "refused": summary.refused,
            "colliding": summary.colliding,
            "states": dict(summary.states),
            "errors": errors,
            "notes": source.notes,
        }
        show_json(counts | more)
        return
    click.echo(f"读取 {summary.read}，新收 {summary.stored}，已收过 {summary.stored_before}，未接收 {summary.refused}")
    states = ", ".join(f"{state} {count}" for state, count in summary.states.items()) or "-"
    counted = f"Read {summary.read}, stored {summary.stored}, stored before {summary.stored_before}"
    click.echo(f"{counted}, refused {summary.refused}; by state: {states}")
    if summary.colliding:
        click.echo(f"与在办申请或已有记录冲突 {summary.colliding}。 Collide with claims or records that are here.")
    for note in source.notes:
        click.echo(note, err=True)
    if summary.refused:
        click.echo(f"请更正 {target} 后再次导入。 Correct the file and import it again.", err=True)
