"""``sandbox``: found a sandbox, empty it, move its clock. There is no such thing over HTTP."""

import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clearing.cli.running import Instant

if TYPE_CHECKING:
    from clearing.sandbox.founding import Founded

CLOCK = click.option("--clock", type=Instant(), help="From when its business time runs; now, if left out.")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def sandbox() -> None:
    """沙箱 / Sandboxes, in which platforms try everything and nothing is real."""


@sandbox.command()
@CLOCK
@AS_JSON
@click.pass_obj
def create(data_dir: Path, clock: datetime | None, as_json: bool) -> None:
    """把空的环境建成沙箱；可重复运行 / Make a sandbox of an instance in which nothing is; safe to run again."""
    from clearing.places import open_places
    from clearing.sandbox.founding import found

    with open_places(data_dir, os.environ) as places:
        _show(found(places, clock), as_json)


@sandbox.command()
@CLOCK
@click.option("--keep-keys", is_flag=True, help="Clients, their secrets and public keys stay good.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@AS_JSON
@click.pass_obj
def reset(data_dir: Path, clock: datetime | None, keep_keys: bool, yes: bool, as_json: bool) -> None:
    """清空沙箱并重新预置；正式环境一律拒绝 / Empty a sandbox and seed it anew; a real instance is refused.

    The service may go on running meanwhile. Whatever breaks it off, it may be run again.
    """
    from clearing.cli.opening import required
    from clearing.places import OWNER_URL, open_places
    from clearing.sandbox.resetting import reset

    with open_places(data_dir, os.environ) as places:
        owner = required(places.owner_url, OWNER_URL)
        if not yes:
            click.confirm("清空该沙箱的全部数据？/ Empty this sandbox of everything?", abort=True, err=True)
        _show(reset(owner, places.settings, clock, keep_keys=keep_keys), as_json)


@sandbox.command()
@click.option("--to", "wanted", type=Instant(), required=True, help="The business time from now on; never back.")
@AS_JSON
@click.pass_obj
def advance(data_dir: Path, wanted: datetime, as_json: bool) -> None:
    """把沙箱的业务时间拨快 / Move the sandbox's business time forward, past a publicity or a deadline."""
    from clearing.cli.opening import opened_service
    from clearing.cli.printing import show_json
    from clearing.demonstration_clock import move_forward
    from tenants.instance import SANDBOX, require_database
    from tenants.kernel.clock import print_instant

    with opened_service(data_dir) as service, service.engine.begin() as connection:
        require_database(service.settings.mark, SANDBOX)
        now = print_instant(move_forward(connection, wanted, service.machine))
    if as_json:
        show_json({"now": now})
    else:
        click.echo(f"沙箱的业务时间 / the sandbox's business time: {now}")


def _show(founded: "Founded", as_json: bool) -> None:
    from clearing.cli.printing import show_json
    from clearing.sandbox.test_keys import TEST_KEYS
    from tenants.kernel.clock import print_instant

    prepared = founded.prepared
    keys = prepared.settings.secrets_folder / TEST_KEYS
    now = None if prepared.demonstration_at is None else print_instant(prepared.demonstration_at)
    said: dict[str, Any] = {"environment": prepared.settings.mark, "now": now, "keys": str(keys)}
    if as_json:
        show_json(said)
    else:
        click.echo(f"沙箱已就绪 / the sandbox is ready; 业务时间 / business time {now}")
        made = "新建 / new" if founded.keys_made else "未变 / as they were"
        click.echo(f"测试密钥（{made}） / test keys: {keys}")
