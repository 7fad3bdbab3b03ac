"""Servers of our own whose database is still empty, and the session's migrated one."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from clearing.embedded import Addresses, EmbeddedServers


@pytest.fixture(scope="module")
def empty() -> Iterator[Addresses]:
    """A database that nobody migrated yet."""
    with (
        tempfile.TemporaryDirectory(prefix="clearing-empty-") as folder,
        EmbeddedServers(Path(folder)) as addresses,
    ):
        yield addresses
