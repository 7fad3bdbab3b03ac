"""``clearing registry-key``: made once, rotated and retired; what the registry says stays the same."""

import json
from typing import Any

import click
import pytest

from tenants.kernel.errors import Conflict
from tenants.kernel.secrets import registry_key_path
from tests.cli.commands import command
from tests.console.world import World

PERSON = ("--person", "运维-陈")


def versions(world: World) -> list[dict[str, Any]]:
    listed = json.loads(command(world.story, "registry-key", "list", "--json"))
    return list(listed["versions"])


def stored(world: World, table: str) -> int:
    with world.service.engine.connect() as connection:
        return int(connection.exec_driver_sql(f"select count(*) from {table}").scalar_one())  # noqa: S608 - ours


def test_the_registrys_key_is_made_rotated_and_retired_by_commands(world: World) -> None:
    story, path = world.story, registry_key_path(world.story.secrets_folder, 2)
    assert versions(world) == [{"version": "1", "state": "current"}]
    with pytest.raises(click.ClickException, match="registry-key make 2"):
        command(story, "registry-key", "rotate", *PERSON)
    assert versions(world) == [{"version": "1", "state": "current"}]
    assert str(path) in command(story, "registry-key", "make", "2")
    assert (path.stat().st_mode & 0o777, path.stat().st_size) == (0o600, 32)
    made = path.read_bytes()
    with pytest.raises(click.ClickException, match="已存在"):
        command(story, "registry-key", "make", "2")
    assert path.read_bytes() == made
    keys, holdings = stored(world, "registry_key"), stored(world, "registry_holding")
    told = command(story, "registry-key", "rotate", *PERSON)
    assert f"version 2 is complete: {keys} keys, {holdings} holdings copied" in told
    assert [one["state"] for one in versions(world)] == ["current", "current"], (
        "both are written until the old one is retired"
    )
    assert "keep its file" in command(story, "registry-key", "retire", "1", *PERSON)
    assert [one["state"] for one in versions(world)] == ["retired", "current"]
    assert "retired" in command(story, "registry-key", "list")
    with pytest.raises(Conflict):
        command(story, "registry-key", "retire", "2", *PERSON)
    assert (stored(world, "registry_key"), stored(world, "registry_holding")) == (keys, holdings)
