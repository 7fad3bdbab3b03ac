"""What the command line lists: tenants with their policies, and public keys."""

import json

import click
import pytest

from tests.cli.commands import command
from tests.console.world import World


def test_tenants_are_listed_with_the_versions_of_their_policies(world: World) -> None:
    items = json.loads(command(world.story, "tenant", "list", "--json"))["items"]
    assert [one["tenant"] for one in items] == list(world.story.tenants)
    [province] = [one for one in items if one["tenant"] == "jiangsu"]
    assert (province["name_zh"], province["name_en"]) == ("江苏省", "Jiangsu Province")
    assert all(version.startswith("jiangsu/") for version in province["policies"])
    shown = command(world.story, "tenant", "list")
    assert all(one["name_zh"] in shown for one in items)


def test_the_keys_of_one_tenant_or_of_all_are_listed_as_they_are_published(world: World) -> None:
    rotate = ("key", "rotate", "--tenant", "qingpu", "--person", "运维-陈", "--json")
    made = json.loads(command(world.story, *rotate))
    [mine] = [
        one
        for one in json.loads(command(world.story, "key", "list", "--tenant", "qingpu", "--json"))["keys"]
        if one["kid"] == made["kid"]
    ]
    published = world.app.test_client().get("/.well-known/jwks/qingpu.json").get_json()["keys"]
    assert mine["x"] in {one["x"] for one in published}
    everyone = json.loads(command(world.story, "key", "list", "--json"))["keys"]
    assert {"qingpu"} <= {one["tenant"] for one in everyone}
    assert made["kid"] in command(world.story, "key", "list")
    with pytest.raises(click.BadParameter, match="atlantis"):
        command(world.story, "key", "list", "--tenant", "atlantis")
