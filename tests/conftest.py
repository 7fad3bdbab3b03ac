"""Fixtures for all tests: the real PostgreSQL and Valkey, started once."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from clearing.embedded import Addresses, EmbeddedServers


@pytest.fixture(scope="session")
def data_dir() -> Iterator[Path]:
    """The data folder of the session's servers, with its secrets."""
    folder = Path(tempfile.mkdtemp(prefix="clearing-test-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def servers(data_dir: Path) -> Iterator[Addresses]:
    """Addresses of servers that all tests of the session share; the database has its roles and is empty."""
    with EmbeddedServers(data_dir) as addresses:
        yield addresses
