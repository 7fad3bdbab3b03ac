"""``key``: a tenant's signing keys, listed, rotated and revoked."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from clearing.cli import words
from clearing.cli.banks import AS_JSON, PERSON, require_tenant

if TYPE_CHECKING:
    from settlement.office import Office
    from tenants.kernel.database import Work

TENANT = click.option("--tenant", required=True, help="Whose keys.")
SHOWN = ("kid", "purpose", "alg", "active_from", "retired_at", "revoked_at")


@click.group()
def key() -> None:
    """签名密钥 / Signing keys of the tenants."""


@key.command("list")
@click.option("--tenant", help="Only this tenant's.")
@AS_JSON
@click.pass_obj
def list_keys(data_dir: Path, tenant: str | None, as_json: bool) -> None:
    """列出现有与过去的公钥 / List the public keys, present and past."""
    from clearing.cli.opening import opened_service
    from clearing.cli.printing import show_json, show_rows
    from settlement.signatures.keys import public_keys

    if tenant is not None:
        require_tenant(tenant)
    with opened_service(data_dir) as service, service.engine.connect() as connection:
        rows = [dict(found.jwk()) for found in public_keys(connection, tenant).values()]
    if as_json:
        show_json({"keys": rows})
    else:
        show_rows(rows, ("tenant", "purpose", "alg", "kid", "active_from", "revoked_at"))


@key.command()
@TENANT
@click.option("--purpose", type=click.Choice(("payout", "release")), default="payout", show_default=True)
@click.option("--algorithm", type=click.Choice(("Ed25519", "ES256", "SM2SM3")), help="Its predecessor's if left out.")
@click.option("--holder", type=words.PERSON, help="Of a release key: the person whose it is.")
@PERSON
@AS_JSON
@click.pass_obj
def rotate(
    data_dir: Path, tenant: str, purpose: str, algorithm: str | None, holder: str | None, person: str, as_json: bool
) -> None:
    """停用现行密钥并启用新密钥 / Retire the active key and make its successor."""
    from settlement.signatures.keys import rotate_key
    from settlement.signatures.signing import Purpose

    if (holder is None) == (purpose == "release"):
        raise click.UsageError("放行密钥（且只有放行密钥）属于个人 / --holder goes with --purpose release")
    with _key_work(data_dir, tenant) as (work, office):
        made = rotate_key(work.connection, tenant, Purpose(purpose), office, person, work.at, holder, algorithm)
    _show(made.jwk(), as_json)


@key.command(cls=words.NamesKey)
@click.argument("kid")
@TENANT
@click.option("--reason", type=words.REASON, required=True, help="Why; it stands in the audit chain.")
@PERSON
@AS_JSON
@click.pass_obj
def revoke(data_dir: Path, kid: str, tenant: str, reason: str, person: str, as_json: bool) -> None:
    """吊销密钥，此后的签名一律拒绝 / Revoke a key: its signatures are refused from now on."""
    from settlement.signatures.keys import revoke_key

    with _key_work(data_dir, tenant) as (work, _):
        revoked = revoke_key(work.connection, tenant, kid, person, reason, work.at)
    _show(revoked.jwk(), as_json)


@contextmanager
def _key_work(data_dir: Path, tenant: str) -> Iterator[tuple["Work", "Office"]]:
    """One transaction within the tenant, and the office that seals its keys."""
    from clearing.cli.opening import opened_service
    from tenants.kernel.database import Scope, transaction

    require_tenant(tenant)
    with (
        opened_service(data_dir) as service,
        transaction(service.engine, Scope((tenant,)), service.machine) as work,
    ):
        yield work, service.office


def _show(jwk: dict[str, str], as_json: bool) -> None:
    from clearing.cli.printing import show_json, show_rows

    if as_json:
        show_json(jwk)
    else:
        show_rows([jwk], ("tenant", "purpose", "alg", "kid", "active_from", "revoked_at"))
