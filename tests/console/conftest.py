"""The console over a database of its own: its tests carry batches to their end."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from clearing.embedded import EmbeddedServers
from tests.console.world import World, world_of


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    folder = Path(tempfile.mkdtemp(prefix="console-"))
    try:
        with EmbeddedServers(folder) as addresses, world_of(addresses, folder.resolve()) as made:
            yield made
    finally:
        shutil.rmtree(folder)
