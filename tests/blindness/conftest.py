"""Servers of its own: a rotation changes the secrets' folder and the whole registry."""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Engine

from clearing.claims.key_rotation import Rotation
from clearing.claims.vault import open_vault
from clearing.embedded import Addresses, EmbeddedServers
from tenants.kernel.clock import SystemClock
from tenants.kernel.database import open_engine
from tenants.kernel.secrets import load_secrets
from tests.intake.counter import Counter
from tests.intake.prepared import prepared
from tests.races.crowd import Crowd, Place


@dataclass(frozen=True)
class House:
    """One database with its secrets, and everybody who comes to it."""

    addresses: Addresses
    secrets: Path
    counter: Counter
    auditor: Engine
    owner: Engine

    @property
    def rotation(self) -> Rotation:
        return Rotation(self.counter.app, SystemClock(), self.counter.vault.keyring, "王运维")


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    folder = Path(tempfile.mkdtemp(prefix="clearing-blind-"))
    try:
        with EmbeddedServers(folder) as addresses:
            secrets = folder / "secrets"
            prepared(addresses, secrets)
            app, auditor, owner = (
                open_engine(url) for url in (addresses.app_url, addresses.auditor_url, addresses.owner_url)
            )
            yield House(addresses, secrets, Counter(app, open_vault(load_secrets(secrets))), auditor, owner)
            for engine in (app, auditor, owner):
                engine.dispose()
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def crowd(house: House) -> Iterator[Crowd]:
    """Processes whose secrets are as they were before any rotation."""
    people = Crowd(Place(house.addresses.app_url, house.secrets))
    yield people
    people.end()
