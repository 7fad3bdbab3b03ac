"""``client``: create, list and revoke the clients of the interface."""

import re
from pathlib import Path

import click

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
@click.option("--person", help="The natural person whose decisions these are, for four-eyes.")
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
    from tenants.profile import load_tenants

    known = tuple(profile.tenant for profile in load_tenants())
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


_CLIENTS = "select client_id, platform, person, tenants, scopes, created_at, revoked_at from client order by created_at"


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
