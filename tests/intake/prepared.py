"""A database with the schema, the six tenants and their policies, demonstration included."""

from pathlib import Path

from clearing.embedded import Addresses
from clearing.migrations import migrate
from clearing.seed import seed
from settlement.office import Office
from tenants.kernel.clock import SystemClock
from tenants.kernel.database import open_engine
from tenants.kernel.secrets import load_secrets


def prepared(servers: Addresses, secrets: Path) -> None:
    """Migrate, seed, and let business time be the tests' own; nothing happens where that is done."""
    owner, app = open_engine(servers.owner_url), open_engine(servers.app_url)
    try:
        migrate(owner)
        with owner.begin() as connection:
            connection.exec_driver_sql("delete from service_clock")
        seed(app, SystemClock(), Office(load_secrets(secrets), demonstration=True))
    finally:
        owner.dispose()
        app.dispose()
