"""``client``: create, list and revoke the clients of the interface."""

import re
from pathlib import Path
from typing import Any

import click

from clearing.cli import words

_PLATFORM = re.compile(r"[a-z][a-z0-9-]{1,30}")


@click.group()
def client() -> None:
    """接口客户端 / Clients of the interface; a client's secret is shown once."""


@client.command()
@click.option("--platform", help="The platform for which the client submits, such as jssic.")
@click.option("--tenant", "tenants", multiple=True, help="A tenant it may act for; repeat. All, if none is named.")
@click.option(
    "--scope", "scopes", multiple=True, help="A scope; repeat. Those of a platform or a reader, if none is named."
)
@click.option("--person", type=words.PERSON, help="The natural person whose decisions these are, for four-eyes.")
@click.option("--json", "as_json", is_flag=True, help="Print {client_id, client_secret}.")
@click.pass_obj
def create(
    data_dir: Path,
    platform: str | None,
    tenants: tuple[str, ...],
    scopes: tuple[str, ...],
    person: str | None,
    as_json: bool,
) -> None:
    """新建客户端并显示一次密钥 / Create a client and show its secret once."""
    from clearing.cli.opening import migrated, opened
    from clearing.cli.printing import show_json
    from clearing.cli.users import require_known
    from tenants.credentials import create_client
    from tenants.kernel.clock import SystemClock
    from tenants.principal import PLATFORM_SCOPES, READER_SCOPES, SCOPES
    from tenants.profile import tenant_codes

    known = tenant_codes()
    require_known(tenants, known, "--tenant", "区域", "tenant")
    require_known(scopes, SCOPES, "--scope", "权限", "scope")
    if platform is not None and not _PLATFORM.fullmatch(platform):
        raise click.BadParameter(
            "须为小写字母、数字和连字符 / give small letters, digits and hyphens", param_hint="--platform"
        )
    granted = scopes or (PLATFORM_SCOPES if platform else READER_SCOPES)
    with migrated(data_dir) as places, opened(places.settings.database_url) as engine, engine.begin() as connection:
        made = create_client(
            connection, platform, _distinct(tenants or known), _distinct(granted), person, SystemClock().now()
        )
    if as_json:
        show_json({"client_id": made.client_id, "client_secret": made.client_secret})
    else:
        click.echo(f"client_id      {made.client_id}\nclient_secret  {made.client_secret}")
        click.echo("密钥只显示这一次。 The secret is shown only now.", err=True)


@client.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_clients(data_dir: Path, as_json: bool) -> None:
    """列出客户端 / List the clients."""
    from clearing.cli.opening import migrated, opened
    from clearing.cli.printing import show_json, show_rows

    with migrated(data_dir) as places, opened(places.settings.database_url) as engine, engine.connect() as connection:
        rows = [dict(row) for row in connection.exec_driver_sql(_CLIENTS).mappings()]
    if as_json:
        show_json({"items": rows})
    else:
        show_rows(rows, ("client_id", "platform", "person", "tenants", "scopes", "created_at", "revoked_at"))


@client.command()
@click.argument("client_id")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def revoke(data_dir: Path, client_id: str, as_json: bool) -> int:
    """吊销客户端，其令牌随即失效 / Revoke a client; its tokens are refused within seconds."""
    from clearing.cli.opening import migrated, opened
    from clearing.cli.printing import show_json
    from clearing.cli.program import FINDINGS, OK
    from tenants.credentials import revoke_client
    from tenants.kernel.clock import SystemClock

    with migrated(data_dir) as places, opened(places.settings.database_url) as engine, engine.begin() as connection:
        revoked = revoke_client(connection, client_id, SystemClock().now())
    if as_json:
        show_json({"client_id": client_id, "revoked": revoked})
    elif revoked:
        click.echo(f"已吊销 {client_id}。 Revoked.")
    if not revoked and not as_json:
        click.echo(f"没有有效的客户端 {client_id}。 There is no such live client.", err=True)
    return OK if revoked else FINDINGS


@client.command()
@click.argument("client_id")
@click.option("--since", required=True, help="Instant (RFC 3339) since when the key may have been in other hands.")
@click.option("--person", type=words.PERSON, required=True, help="Who decides this; it is in every claim's history.")
@click.option("--reason", type=words.REASON, required=True, help="Why; it is in every claim's history.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def freeze(data_dir: Path, client_id: str, since: str, person: str, reason: str, as_json: bool) -> int:
    """吊销客户端并暂停其某时刻以来的未付申请 / Revoke a client and hold what it submitted since then.

    Exit 1: some of it is sealed for payment already and can only be clawed back.
    """
    from clearing.cli.opening import opened_service
    from clearing.cli.printing import show_json, show_rows
    from clearing.cli.program import FINDINGS, OK
    from clearing.cli.running import Instant
    from clearing.client_freeze import freeze_client

    at = Instant().convert(since, None, None)
    with opened_service(data_dir) as service:
        done = freeze_client(service, client_id, at, person, reason)
    rows = [{"tenant": one.tenant, "claim_no": one.claim_no, "outcome": one.outcome} for one in done]
    if as_json:
        show_json({"client_id": client_id, "claims": rows})
    else:
        show_rows(rows, ("tenant", "claim_no", "outcome"))
    return FINDINGS if any(one.outcome == "sealed" for one in done) else OK


@client.command("add-key")
@click.argument("client_id")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--person", type=words.PERSON, required=True, help="Who adds it; it is in the tenants' history.")
@click.pass_obj
def add_client_key(data_dir: Path, client_id: str, file: Path, person: str) -> None:
    """登记客户端公钥（P-256 JWK），用于 private_key_jwt 与签名 / Register a client's public key; prints its kid."""
    import json

    from clearing.cli.opening import opened_service
    from tenants.client_keys import add_key
    from tenants.kernel.database import Scope, run
    from tenants.profile import tenant_codes

    try:
        jwk = json.loads(file.read_bytes())
    except ValueError:
        jwk = None
    if not isinstance(jwk, dict):
        raise click.BadParameter("须为 JWK（JSON） / give a JWK", param_hint="FILE")
    with opened_service(data_dir) as service:
        scope = Scope(tenant_codes())
        kid = run(service.engine, scope, service.machine, lambda work: add_key(work, client_id, jwk, person))
    click.echo(kid)


@client.command("revoke-key", cls=words.NamesKey)
@click.argument("client_id")
@click.argument("kid")
@click.option("--person", type=words.PERSON, required=True, help="Who revokes it; it is in the tenants' history.")
@click.pass_obj
def revoke_client_key(data_dir: Path, client_id: str, kid: str, person: str) -> None:
    """吊销客户端公钥 / Revoke a client's public key; what is signed with it is refused at once."""
    from clearing.cli.opening import opened_service
    from tenants.client_keys import revoke_key
    from tenants.kernel.database import Scope, run
    from tenants.profile import tenant_codes

    with opened_service(data_dir) as service:
        scope = Scope(tenant_codes())
        run(service.engine, scope, service.machine, lambda work: revoke_key(work, client_id, kid, person))
    click.echo(f"已吊销 {kid}。 Revoked.")


@client.command()
@click.argument("client_id")
@click.option("--tenant", required=True, help="The tenant whose terms these are.")
@click.option("--signed/--unsigned", default=None, help="Whether every write has to be signed.")
@click.option("--network", "networks", multiple=True, help="Where it may call from, in CIDR notation; repeat.")
@click.option("--any-network", is_flag=True, help="Let it call from anywhere.")
@click.option("--ceiling", help="What it may claim of the tenant in a day, in yuan; `none` for anything.")
@click.option("--person", type=words.PERSON, help="Who sets them; it is in the tenant's history.")
@click.pass_obj
def terms(
    data_dir: Path,
    client_id: str,
    tenant: str,
    signed: bool | None,
    networks: tuple[str, ...],
    any_network: bool,
    ceiling: str | None,
    person: str | None,
) -> None:
    """查看或设定区域对客户端的要求：签名、来源网段、每日限额 / Show or set what a tenant asks of a client."""
    from dataclasses import replace

    from clearing.cli.opening import opened_service
    from clearing.cli.printing import show_json
    from tenants.client_terms import networks_from, set_terms, terms_of
    from tenants.kernel.database import Scope, Work, run
    from tenants.kernel.money import Money, MoneyError

    changed: dict[str, Any] = {} if signed is None else {"signature_required": signed}
    if networks or any_network:
        changed["networks"] = networks_from(networks)
    if ceiling is not None:
        try:
            changed["ceiling"] = None if ceiling == "none" else Money.parse(ceiling)
        except MoneyError as error:
            raise click.BadParameter(f"金额须为元，如 500000.00 / {error}", param_hint="--ceiling") from error
    if changed and person is None:
        raise click.UsageError("请用 --person 指明设定人 / name who sets them with --person")

    def use_case(work: Work) -> Any:  # noqa: ANN401 - JSON
        if changed:
            set_terms(
                work, tenant, client_id, replace(terms_of(work.connection, tenant, client_id), **changed), person or ""
            )
        return terms_of(work.connection, tenant, client_id).json()

    with opened_service(data_dir) as service:
        show_json(run(service.engine, Scope((tenant,)), service.machine, use_case))


_CLIENTS = "select client_id, platform, person, tenants, scopes, created_at, revoked_at from client order by created_at"


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
