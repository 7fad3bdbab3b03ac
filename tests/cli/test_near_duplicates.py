"""``clearing near-duplicates``: what came since the last search is compared, once."""

import re

import pytest

from tenants.kernel.errors import Conflict
from tests.cli.commands import command
from tests.console.world import World


def test_the_search_compares_what_came_and_then_finds_nothing_new(world: World) -> None:
    pytest.importorskip("splink", reason="the search for near duplicates is not installed (clearing[linkage])")
    told = re.search(r"swept: (\d+) claims, 0 held, 0 audit cases", command(world.story, "near-duplicates", "sweep"))
    assert told
    assert int(told[1]) > 0
    assert "swept: 0 claims, 0 held, 0 audit cases" in command(world.story, "near-duplicates", "sweep")


def test_a_model_is_not_counted_over_too_few_pairs(world: World) -> None:
    pytest.importorskip("splink", reason="the search for near duplicates is not installed (clearing[linkage])")
    with pytest.raises(Conflict, match="the shipped model stays in use"):
        command(world.story, "near-duplicates", "train", "--person", "运维-陈")
