"""Crowds over servers of their own, and the books: other tests write into the shared database what no service would."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from clearing.claims.vault import open_vault
from clearing.embedded import Addresses, EmbeddedServers
from tenants.kernel.database import open_engine
from tenants.kernel.secrets import load_secrets
from tests.intake.counter import Counter
from tests.intake.prepared import prepared
from tests.races.crowd import Crowd, Place
from tests.races.unchecked import look_away


@pytest.fixture(scope="session")
def data_dir() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="clearing-races-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def servers(data_dir: Path) -> Iterator[Addresses]:
    with EmbeddedServers(data_dir) as addresses:
        yield addresses


@pytest.fixture(scope="session")
def place(servers: Addresses, data_dir: Path) -> Place:
    prepared(servers, data_dir / "secrets")
    return Place(servers.app_url, data_dir / "secrets")


@pytest.fixture(scope="session")
def counter(place: Place) -> Iterator[Counter]:
    engine = open_engine(place.app_url)
    yield Counter(engine, open_vault(load_secrets(place.secrets)))
    engine.dispose()


@pytest.fixture(scope="session")
def auditor(place: Place, servers: Addresses) -> Iterator[Engine]:
    engine = open_engine(servers.auditor_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def crowd(place: Place) -> Iterator[Crowd]:
    people = Crowd(place)
    yield people
    people.end()


@pytest.fixture(scope="session")
def blind_crowd(place: Place) -> Iterator[Crowd]:
    """Processes in which the application does not look at who holds a spending: only the database does."""
    people = Crowd(place, look_away)
    yield people
    people.end()
