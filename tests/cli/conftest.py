"""A world of these tests' own: its commands change the registry's keys and read every tenant's rows."""

from collections.abc import Iterator

import pytest

from tests.cli.regions import Regions, own_regions
from tests.console.world import World, own_world


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """The console's world on servers of its own."""
    with own_world() as made:
        yield made


@pytest.fixture(scope="session")
def regions() -> Iterator[Regions]:
    """Regions that owe each other and send to simulated banks; its tests make their own batches and windows."""
    with own_regions() as made:
        yield made
