"""``migrate`` and ``seed``."""

import os
from datetime import datetime
from pathlib import Path

import click

from clearing.cli.running import Instant


@click.command()
@click.pass_obj
def migrate(data_dir: Path) -> None:
    """更新数据库结构 / Bring the schema to the newest revision, as its owner."""
    from clearing.cli.opening import opened, required
    from clearing.migrations import migrate as bring_up
    from clearing.migrations import newest_revision
    from clearing.places import OWNER_URL, open_places

    with open_places(data_dir, os.environ) as places, opened(required(places.owner_url, OWNER_URL)) as owner:
        bring_up(owner, places.settings.mark)
    click.echo(f"数据库结构版本 / schema revision: {newest_revision()}")


@click.command()
@click.option(
    "--demo-clock", type=Instant(), help="Demonstration mode, with its policies and accounts, from this time on."
)
@click.pass_obj
def seed(data_dir: Path, demo_clock: datetime | None) -> None:
    """写入随附的区域与政策；可重复运行 / Store the shipped tenants and policies; safe to run again."""
    from clearing.cli.opening import migrated
    from clearing.preparation import prepare

    with migrated(data_dir) as places:
        prepared = prepare(places.settings, demo_clock)
    click.echo(
        f"新增区域 {prepared.seeded.tenants}，政策版本 {prepared.seeded.policies}。 "
        f"Added {prepared.seeded.tenants} tenants and {prepared.seeded.policies} policy versions."
    )
