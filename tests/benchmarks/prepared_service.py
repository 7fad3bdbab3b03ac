"""A service over servers of its own, prepared as for the tests of intake, without HTTP."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis

from clearing.claims.vault import open_vault
from clearing.embedded import Addresses, EmbeddedServers
from clearing.garbage import collect_seldom
from clearing.service import Service
from clearing.settings import Settings
from tenants.kernel.clock import SystemClock
from tenants.kernel.database import open_engine
from tenants.kernel.secrets import load_secrets
from tests.intake.prepared import prepared


@contextmanager
def prepared_service() -> Iterator[tuple[Service, Addresses, Path]]:
    """The service, its servers' addresses, and a folder for files."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, EmbeddedServers(Path(folder, "data")) as addresses:
        secrets_folder = Path(folder, "data", "secrets")
        prepared(addresses, secrets_folder)
        secrets = load_secrets(secrets_folder)
        service = Service(
            Settings(addresses.app_url, addresses.redis_url, secrets_folder, demonstration=True),
            open_engine(addresses.app_url),
            Redis.from_url(addresses.redis_url),
            secrets,
            open_vault(secrets),
            SystemClock(),
        )
        collect_seldom()  # as the command does
        yield service, addresses, Path(folder)
        service.engine.dispose()
