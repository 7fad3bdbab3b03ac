"""``pull``: the outlets that are asked for what is new, how each stands, and what could not be taken in."""

from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from clearing.cli import words
from clearing.cli.pages import every

if TYPE_CHECKING:
    from collections.abc import Callable

    from clearing.service import Service
    from tenants.kernel.database import Work
    from tenants.principal import Principal

_SHOWN = ("id", "tenant", "platform", "what", "state", "cursor", "stored", "known", "dead_letters_open", "last_error")
AT_ONCE = 500


@click.group()
def pull() -> None:
    """主动拉取 / Platforms' outlets that are asked for what is new."""


@pull.command("add")
@click.option("--client", "client_id", required=True, help="The platform's client in whose name the records go in.")
@click.option("--tenant", required=True, help="The tenant that they are for.")
@click.option(
    "--what", type=click.Choice(["claims", "reservations", "support_records"]), default="claims", show_default=True
)
@click.option("--url", required=True, help="The outlet; https, at a public address.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    help="File with the bearer token by which the platform knows this service.",
)
@click.option("--every", "every_seconds", type=click.IntRange(1, 86_400), default=60, show_default=True)
@click.pass_obj
def add_source(
    data_dir: Path, client_id: str, tenant: str, what: str, url: str, token_file: Path, every_seconds: int
) -> None:
    """登记一个来源 / Register an outlet; prints its id."""
    from clearing.cli.opening import opened_service
    from clearing.pulling.sources import MAX_TOKEN, MIN_TOKEN, Registration, register
    from clearing.webhooks.targets import TargetError, address_of, target_of

    token = token_file.read_text(encoding="utf-8").strip()
    if not (MIN_TOKEN <= len(token) <= MAX_TOKEN and token.isascii() and token.isprintable() and " " not in token):
        raise click.BadParameter(f"须为 {MIN_TOKEN} 至 {MAX_TOKEN} 个字符 / characters", param_hint="--token-file")
    with opened_service(data_dir) as service:
        caller = _client(service, client_id)
        if caller.platform is None or tenant not in caller.tenants:
            said = f"{client_id} 不是 {tenant} 的平台客户端 / is no platform's client for {tenant}"
            raise click.BadParameter(said, param_hint="--client")
        try:
            address_of(target_of(url, demonstration=service.settings.calls_loopback))
        except TargetError as error:
            raise click.BadParameter(str(error), param_hint="--url") from error
        platform, wanted = caller.platform, Registration(tenant, what, url, every_seconds)
        now = service.machine.now()
        made = _do(service, lambda w: register(w, service.vault, caller, platform, wanted, token, now))
    click.echo(made.id)


@pull.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_sources(data_dir: Path, as_json: bool) -> int:
    """列出来源及其状态 / List the outlets and how each stands; exit 1 where one fails or has dead letters."""
    from clearing.cli.opening import opened_service
    from clearing.cli.printing import show_json, show_rows
    from clearing.cli.program import FINDINGS, OK
    from clearing.pulling.pace import Pace, State
    from clearing.pulling.sources import listed, source_json

    with opened_service(data_dir) as service:
        found = _do(service, lambda work: every(partial(listed, work.connection, None), attrgetter("id")))
        rows = [source_json(row, Pace()) for row in found]
    if as_json:
        show_json({"items": rows})
    else:
        show_rows([row | {"last_error": _said(row["last_error"])} for row in rows], _SHOWN)
    ailing = [row for row in rows if row["state"] in {State.FAILING, State.OPEN} or row["dead_letters_open"]]
    return FINDINGS if ailing else OK


@pull.command("poll")
@click.argument("source_id", type=click.UUID)
@click.option("--person", type=words.PERSON, required=True, help="Who wants it; it is in the tenant's history.")
@click.pass_obj
def poll_source(data_dir: Path, source_id: UUID, person: str) -> None:
    """让调度进程立即询问 / Have the scheduler ask at once, whatever the source waits for."""
    from clearing.cli.opening import opened_service
    from clearing.pulling.sources import ask_now

    with opened_service(data_dir) as service:
        now = service.machine.now()
        _do(service, lambda work: ask_now(work, person, source_id, None, now))
    click.echo("已排入。 It is due.")


@pull.command("disable")
@click.argument("source_id", type=click.UUID)
@click.option("--person", type=words.PERSON, required=True, help="Who decides it; it is in the tenant's history.")
@click.pass_obj
def disable_source(data_dir: Path, source_id: UUID, person: str) -> None:
    """停用来源 / Ask the outlet no more."""
    from clearing.cli.opening import opened_service
    from clearing.pulling.sources import disable

    with opened_service(data_dir) as service:
        _do(service, lambda work: disable(work, person, source_id, None))
    click.echo("已停用。 Disabled.")


@pull.command("letters")
@click.option("--source", "source_id", type=click.UUID, help="Only of this source.")
@click.option("--state", type=click.Choice(["open", "taken", "dismissed"]), default="open", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_letters(data_dir: Path, source_id: UUID | None, state: str, as_json: bool) -> int:
    """列出未接收的记录 / List records that could not be taken in, and why; exit 1 where there are any."""
    from clearing.cli.opening import opened_service
    from clearing.cli.printing import show_json, show_rows
    from clearing.cli.program import FINDINGS, OK
    from clearing.pulling.letters import Filter, letter_json, listed

    wanted = Filter(None, source_id, state)
    with opened_service(data_dir) as service:
        found = _do(service, lambda work: every(partial(listed, work.connection, wanted), attrgetter("id")))
    rows: list[dict[str, Any]] = [letter_json(row) for row in found]
    if as_json:
        show_json({"items": rows})
    else:
        shown = [
            row | {"problem": "; ".join(f"{e['pointer']} {e['zh']}" for e in row["problem"]["errors"])} for row in rows
        ]
        show_rows(shown, ("id", "tenant", "platform", "page", "position", "code", "problem", "state"))
    return FINDINGS if rows and state == "open" else OK


@pull.command("replay")
@click.argument("source_id", type=click.UUID)
@click.option("--person", type=words.PERSON, required=True, help="Who wants it; it is in the tenant's history.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def replay_source(data_dir: Path, source_id: UUID, person: str, as_json: bool) -> int:
    """重试未接收的记录，一次最多 500 条 / Try a source's open dead letters again, 500 at a time.

    Exit 1 where one that was tried stays open.
    """
    from clearing.cli.opening import opened_service
    from clearing.cli.printing import show_json, show_rows
    from clearing.cli.program import FINDINGS, OK
    from clearing.pulling.replaying import replay_all
    from tenants.principal import Principal

    with opened_service(data_dir) as service:
        caller = Principal("command-line", person, None, _tenants(service), frozenset(), person)
        done = list(replay_all(service, caller, source_id, AT_ONCE))
    rows = [
        {
            "id": str(one.letter_id),
            "state": "taken" if one.problem is None else "open",
            "code": one.problem and one.problem.code,
        }
        for one in done
    ]
    if as_json:
        show_json({"items": rows})
    else:
        show_rows(rows, ("id", "state", "code"))
    return FINDINGS if any(one.problem is not None for one in done) else OK


def _client(service: "Service", client_id: str) -> "Principal":
    from tenants.credentials import principal_named

    with service.engine.connect() as connection:
        caller = principal_named(connection, client_id)
    if caller is None:
        raise click.BadParameter(f"没有有效的客户端 {client_id} / no such live client", param_hint="--client")
    return caller


def _do(service: "Service", use_case: "Callable[[Work], Any]") -> Any:  # noqa: ANN401 - what the use case answers
    from tenants.kernel.database import Scope, run

    return run(service.engine, Scope(_tenants(service)), service.machine, use_case)


def _tenants(service: "Service") -> tuple[str, ...]:
    with service.engine.connect() as connection:
        return tuple(connection.exec_driver_sql("select tenant from tenant order by tenant").scalars())


def _said(error: object) -> str:
    return "" if not isinstance(error, dict) else f"{error['code']} {error['zh']}"
