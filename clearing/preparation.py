"""What has to be true before the service serves: the schema is current, the clock is set, what is shipped is stored."""

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Engine

from clearing.checkpoints import Checkpoints
from clearing.demonstration_clock import demonstration_time, keep_later
from clearing.migrations import migrate
from clearing.seed import Seeded, seed
from clearing.settings import Settings
from settlement.office import Office
from tenants.kernel.clock import SystemClock
from tenants.kernel.database import open_engine
from tenants.kernel.secrets import load_secrets


@dataclass(frozen=True, slots=True)
class Prepared:
    """The settings as they hold for this database, what was seeded, and the demonstration time if there is one."""

    settings: Settings
    seeded: Seeded
    demonstration_at: datetime | None


def migrate_schema(owner_url: str) -> None:
    """Bring the schema to the newest revision, as its owner."""
    engine = open_engine(owner_url)
    try:
        migrate(engine)
    finally:
        engine.dispose()


def prepare(settings: Settings, demo_clock: datetime | None) -> Prepared:
    """Set the clock, check the checkpoints and seed, on a migrated database.

    A database that holds a demonstration stays one, whether or not ``demo_clock`` is given.

    Raises:
        CheckpointError: the database contradicts a signed checkpoint, as after the return of an old backup.
        SeedError: what is shipped contradicts what is stored.
        Unavailable: the database is away.
    """
    machine = SystemClock()
    engine = open_engine(settings.database_url)
    try:
        at = _set_clock(engine, demo_clock, machine)
        settings = replace(settings, demonstration=at is not None)
        Checkpoints.of(settings).require_kept(engine)
        office = Office(load_secrets(settings.secrets_folder), settings.demonstration)
        return Prepared(settings, seed(engine, machine, office), at)
    finally:
        engine.dispose()


def _set_clock(engine: Engine, demo_clock: datetime | None, machine: SystemClock) -> datetime | None:
    with engine.begin() as connection:
        if demo_clock is None:
            return demonstration_time(connection, machine)
        return keep_later(connection, demo_clock, machine)
