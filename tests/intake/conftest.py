"""A migrated and seeded database for the session; tests keep apart by enterprises and invoices of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from clearing.claims.vault import open_vault
from clearing.embedded import Addresses
from tenants.kernel.database import open_engine
from tenants.kernel.secrets import load_secrets
from tests.intake.counter import Counter
from tests.intake.prepared import prepared


@pytest.fixture(scope="session")
def database(servers: Addresses, data_dir: Path) -> Addresses:
    prepared(servers, data_dir / "secrets")
    return servers


@pytest.fixture(scope="session")
def app(database: Addresses) -> Iterator[Engine]:
    engine = open_engine(database.app_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def owner(database: Addresses) -> Iterator[Engine]:
    engine = open_engine(database.owner_url)
    yield engine
    engine.dispose()


@pytest.fixture
def counter(app: Engine, data_dir: Path) -> Counter:
    secrets = load_secrets(data_dir / "secrets")
    return Counter(app, open_vault(secrets), secrets=secrets)
