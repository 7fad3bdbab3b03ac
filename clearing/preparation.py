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
from tenants.instance import REAL, hold_to_mark, require_secrets
from tenants.kernel.clock import SystemClock
from tenants.kernel.database import open_engine
from tenants.kernel.errors import Text
from tenants.kernel.secrets import load_secrets


class PreparationError(Exception):
    """The database cannot be used as asked; ``text`` says why and what to do."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(f"{zh}\n{en}")
        self.text = Text(zh, en)


@dataclass(frozen=True, slots=True)
class Prepared:
    """The settings as they hold for this database, what was seeded, and the demonstration time if there is one."""

    settings: Settings
    seeded: Seeded
    demonstration_at: datetime | None


def migrate_schema(owner_url: str, mark: str = REAL) -> None:
    """Bring the schema to the newest revision, as its owner, and give the database its mark where it has none.

    Raises:
        MixedInstancesError: the database is that of the other kind of instance.
    """
    engine = open_engine(owner_url)
    try:
        migrate(engine, mark)
    finally:
        engine.dispose()


def prepare(settings: Settings, demo_clock: datetime | None) -> Prepared:
    """Set the clock, check the checkpoints and seed, on a migrated database.

    A database that holds a demonstration stays one, whether or not ``demo_clock`` is given. A sandbox's clock is a
    demonstration's, and runs from the machine's time unless another is given.

    Raises:
        MixedInstancesError: database, secrets and settings are not of one kind of instance.
        PreparationError: ``demo_clock`` is given for a database that is in real use.
        CheckpointError: the database contradicts a signed checkpoint, as after the return of an old backup.
        SeedError: what is shipped contradicts what is stored.
        Unavailable: the database is away.
    """
    machine = SystemClock()
    require_secrets(settings.secrets_folder, settings.mark)
    engine = hold_to_mark(open_engine(settings.database_url), settings.mark)
    try:
        at = _set_clock(engine, demo_clock, machine, sandbox=settings.sandbox)
        settings = replace(settings, demonstration=at is not None)
        Checkpoints.of(settings).require_kept(engine)
        office = Office(load_secrets(settings.secrets_folder), settings.demonstration, sandbox=settings.sandbox)
        return Prepared(settings, seed(engine, machine, office), at)
    finally:
        engine.dispose()


def _set_clock(engine: Engine, demo_clock: datetime | None, machine: SystemClock, *, sandbox: bool) -> datetime | None:
    with engine.begin() as connection:
        running = demonstration_time(connection, machine)
        if sandbox:
            return keep_later(connection, demo_clock or running or machine.now(), machine)
        if demo_clock is None:
            return running
        if running is None and connection.exec_driver_sql("select 1 from outbox limit 1").first():
            raise PreparationError(
                "此数据库已有真实业务，不能改作演示。请为演示另选 --data-dir。",
                "This database is in real use and cannot become a demonstration. Choose another --data-dir for that.",
            )
        return keep_later(connection, demo_clock, machine)
