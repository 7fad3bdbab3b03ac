"""A world of these tests' own: its commands change the registry's keys and read every tenant's rows."""

from collections.abc import Iterator

import pytest

from tests.console.world import World, own_world


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """The console's world on servers of its own."""
    with own_world() as made:
        yield made
