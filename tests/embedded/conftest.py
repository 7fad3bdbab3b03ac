"""Data folders to try the launcher on: each test gets its own copy of one that was started once."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from clearing.embedded import EmbeddedServers

Connect = Callable[[str], psycopg.Connection[tuple[object, ...]]]


@pytest.fixture
def place() -> Iterator[Path]:
    """An empty folder with a short path, which only we may enter."""
    folder = Path(tempfile.mkdtemp(prefix="embedded-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def started_once() -> Iterator[Path]:
    """A stopped data folder whose database holds the table ``kept`` with one row."""
    folder = Path(tempfile.mkdtemp(prefix="embedded-"))
    with EmbeddedServers(folder / "data") as addresses, connect(addresses.owner_url) as connection:
        connection.execute("CREATE TABLE kept (word text)")
        connection.execute("INSERT INTO kept VALUES ('first')")
        connection.execute("GRANT SELECT, INSERT ON kept TO clearing_app")
    yield folder / "data"
    shutil.rmtree(folder)


@pytest.fixture
def folder(started_once: Path, place: Path) -> Path:
    """A stopped data folder of this test's own."""
    subprocess.run(["/bin/cp", "-a", started_once, place / "data"], check=True)
    return place / "data"


def connect(url: str) -> psycopg.Connection[tuple[object, ...]]:
    """A plain connection to a SQLAlchemy address."""
    return psycopg.connect(url.replace("+psycopg", "", 1))


def words(url: str) -> list[object]:
    """What the table ``kept`` holds."""
    with connect(url) as connection:
        return [word for (word,) in connection.execute("SELECT word FROM kept ORDER BY word")]
