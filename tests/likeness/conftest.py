"""Claims that look alike, on servers of their own: a sweep compares everything there is."""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest
from redis import Redis

from clearing.app import create_app
from clearing.claims.vault import open_vault
from clearing.embedded import EmbeddedServers
from clearing.likeness.engine import DuckEngine
from clearing.likeness.sweep import Swept, sweep
from clearing.service import Service
from clearing.settings import Settings
from clearing.verification.examination import verify_database
from tenants.kernel.clock import FixedClock
from tenants.kernel.database import open_engine
from tenants.kernel.secrets import load_secrets
from tests.api.door import NOW, Caller, Door
from tests.intake.prepared import prepared

ASIDE: Final = ("clock.", "outbox.stuck")
"""The test's clock is no demonstration's, and nobody delivers notices here."""


@dataclass(frozen=True)
class Alike:
    """The service over a database of its own."""

    door: Door
    auditor_url: str
    secrets: Path

    @property
    def service(self) -> Service:
        return self.door.service

    def platform(self, platform: str, tenant: str) -> Caller:
        return self.door.platform(platform, (tenant,))

    def reviewer(self, *tenants: str) -> Caller:
        return self.door.hire("reviews:write", "claims:read", "audit:read", tenants=tenants)

    def seal_a_batch(self) -> None:
        """Jiangsu's approved claims go into a batch that is sealed; the clock moves beyond its publicity."""
        batches = "/v1/tenants/jiangsu/batches"
        finance = self.door.hire("batches:write", tenants=("jiangsu",))
        cut = finance.post(batches, json={"scheme": "provincial", "mode": "common_use"}).get_json()
        assert finance.post(f"{batches}/{cut['id']}/publish", json={}).status_code == 200
        self.door.clock.move_to(NOW + timedelta(days=40))
        finance = self.door.hire("batches:write", tenants=("jiangsu",))
        sealed = finance.post(f"{batches}/{cut['id']}/seal", json={})
        assert sealed.status_code == 200, sealed.get_json()

    def sweep(self) -> Swept:
        return sweep(self.service.engine, self.service.machine, DuckEngine())

    def found(self) -> list[str]:
        """What the independent auditor finds."""
        found = verify_database(self.auditor_url, self.secrets, None)
        return [f"{one.subject} {one.place}" for one in found if not one.subject.startswith(ASIDE)]


@pytest.fixture(scope="module")
def alike() -> Iterator[Alike]:
    folder = Path(tempfile.mkdtemp(prefix="clearing-alike-"))
    try:
        with EmbeddedServers(folder) as addresses:
            prepared(addresses, folder / "secrets")
            settings = Settings(addresses.app_url, addresses.redis_url, folder / "secrets", demonstration=True)
            secrets = load_secrets(folder / "secrets")
            app, queue = open_engine(addresses.app_url), Redis.from_url(addresses.redis_url)
            service = Service(settings, app, queue, secrets, open_vault(secrets), FixedClock(NOW))
            door = Door(create_app(service), service)
            yield Alike(door, addresses.auditor_url, folder / "secrets")
            app.dispose()
            queue.close()
    finally:
        shutil.rmtree(folder)
