"""``registry-key``: the key of the blind registry, listed, rotated and retired while the service runs."""

import os
import secrets as random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from clearing.cli import words

if TYPE_CHECKING:
    from clearing.claims.key_rotation import Rotation

PERSON = click.option(
    "--person", type=words.PERSON, required=True, help="Who does this; it stands in every tenant's audit chain."
)


@click.group("registry-key")
def registry_key() -> None:
    """查重登记的密钥 / The key of the blind registry."""


@registry_key.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_versions(data_dir: Path, as_json: bool) -> None:
    """列出各版本及其状态 / List the versions and their states; the keys themselves are never shown."""
    from clearing.claims.key_rotation import versions_of
    from clearing.cli.opening import opened_service
    from clearing.cli.printing import show_json, show_rows

    with opened_service(data_dir) as service, service.engine.connect() as connection:
        rows = [{"version": str(one.version), "state": one.state} for one in versions_of(connection)]
    if as_json:
        show_json({"versions": rows})
    else:
        show_rows(rows, ("version", "state"))


@registry_key.command()
@click.argument("version", type=click.IntRange(2, 9999))
@click.pass_obj
def make(data_dir: Path, version: int) -> None:
    """生成新密钥文件，须先复制到每台主机 / Make the file of a new key: copy it to every machine before you rotate."""
    from clearing.cli.opening import migrated
    from tenants.kernel.secrets import KEY_BYTES, registry_key_path

    with migrated(data_dir) as places:
        path = registry_key_path(places.settings.secrets_folder, version)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise click.ClickException(f"{path} 已存在 / is there already") from None
        with os.fdopen(descriptor, "wb") as file:
            file.write(random.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
    click.echo(f"{path}")


@registry_key.command()
@PERSON
@click.pass_obj
def rotate(data_dir: Path, person: str) -> None:
    """启用下一版密钥，两版并写，直至复制完成 / Begin the next version, write both, and copy what stands."""
    from clearing.claims.key_rotation import versions_of

    with _rotation(data_dir, person) as rotation:
        with rotation.engine.connect() as connection:
            known = versions_of(connection)
        filling = [one.version for one in known if one.state == "filling"]
        version = filling[0] if filling else _begun(rotation, max(one.version for one in known) + 1)
        heads = holdings = 0
        for progress in rotation.fill(version):
            heads, holdings = heads + progress.heads, holdings + progress.holdings
    click.echo(f"第 {version} 版已完成 / version {version} is complete: {heads} keys, {holdings} holdings copied")


@registry_key.command()
@click.argument("version", type=click.IntRange(1, 9999))
@PERSON
@click.pass_obj
def retire(data_dir: Path, version: int, person: str) -> None:
    """停用旧版本并清除其登记；密钥文件须保留 / Retire an old version and drop its rows; its file must be kept."""
    with _rotation(data_dir, person) as rotation:
        for _ in rotation.retire(version):
            pass
    click.echo(f"第 {version} 版已停用 / version {version} is retired; keep its file: it lies under the newer key")


def _begun(rotation: "Rotation", version: int) -> int:
    from clearing.claims.keyring import KEY_MISSING
    from tenants.kernel.errors import Unavailable

    try:
        return rotation.begin()
    except Unavailable as away:
        if away.code != KEY_MISSING:
            raise
        raise click.ClickException(
            f"本机没有第 {version} 版的密钥文件：先运行 registry-key make {version}，并复制到每台主机。 "
            f"This machine has no file of version {version}: "
            f"run registry-key make {version} first, and copy the file to every machine."
        ) from None


@contextmanager
def _rotation(data_dir: Path, person: str) -> Iterator["Rotation"]:
    from clearing.claims.key_rotation import Rotation
    from clearing.cli.opening import opened_service

    with opened_service(data_dir) as service:
        yield Rotation(service.engine, service.machine, service.vault.keyring, person)
