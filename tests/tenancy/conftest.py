"""A region of its own for each test, with its administrators and its platform, over the session's real database."""

from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import Engine

from clearing.app import create_app
from clearing.claims.vault import open_vault
from clearing.embedded import Addresses
from clearing.service import Service
from clearing.settings import Settings
from tenants.kernel.clock import FixedClock
from tenants.kernel.secrets import load_secrets
from tests.settlement_service.bench import new_tenant
from tests.tenancy.office import OPENED, Office


@pytest.fixture
def open_office(servers: Addresses, data_dir: Path, app: Engine, owner: Engine) -> Callable[[], Office]:
    """Opens the office of a new region."""

    def opened() -> Office:
        folder = data_dir / "secrets"
        secrets = load_secrets(folder)
        settings = Settings(servers.app_url, servers.redis_url, folder)
        with owner.begin() as connection:
            connection.exec_driver_sql("delete from service_clock")
        queue = Redis.from_url(servers.redis_url)
        service = Service(settings, app, queue, secrets, open_vault(secrets), FixedClock(OPENED))
        return Office(create_app(service), service, new_tenant(owner))

    return opened


@pytest.fixture
def office(open_office: Callable[[], Office]) -> Office:
    return open_office()
