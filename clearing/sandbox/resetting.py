"""Resetting: a sandbox is emptied and seeded anew; a real instance never is, whatever the settings say.

The mark is read from the very database that would be emptied, within the transaction that empties it. That transaction
takes everything away, migrates anew, marks and seeds again: whoever kills it finds the sandbox as it was, and who kills
what follows it finds a new sandbox without budgets or test keys. Either way the command is run again.

Clients stay in the database in any case, revoked where their keys are not kept: a service that runs meanwhile knows a
caller for some seconds more, and what that caller sends finds its client there.
"""

from datetime import datetime
from pathlib import Path
from typing import Final

from psycopg import errors as pg
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from clearing.demonstration_clock import keep_later
from clearing.migrations import migrate_within
from clearing.preparation import prepare
from clearing.sandbox.founding import Founded, furnish
from clearing.sandbox.test_keys import KEPT_KEYS, set_aside
from clearing.seed import scope_of_seed, seed_within
from clearing.settings import Settings
from settlement.office import Office
from tenants.instance import SANDBOX, MixedInstancesError, require_secrets, stored_mark
from tenants.kernel.clock import SystemClock
from tenants.kernel.database import ATTEMPTS, begin, database_away, open_engine
from tenants.kernel.secrets import load_secrets

_LOCK: Final = 4206_2026
_LOCK_TIMEOUT: Final = "20s"
_BUSY: Final = (pg.DeadlockDetected, pg.LockNotAvailable)

_CLIENTS: Final = "client_id, secret_hash, platform, tenants, scopes, person, created_at, revoked_at"
_DROPS: Final = """
select format('drop view public.%I cascade', relname) from pg_class
 where relnamespace = 'public'::regnamespace and relkind = 'v'
union all
select 'drop table ' || string_agg(format('public.%I', relname), ', ') || ' cascade' from pg_class
 where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') having count(*) > 0
union all
select format('drop sequence if exists public.%I cascade', relname) from pg_class
 where relnamespace = 'public'::regnamespace and relkind = 'S'
union all
select format('drop routine if exists %s cascade', oid::regprocedure) from pg_proc
 where pronamespace = 'public'::regnamespace
union all
select format('drop type if exists public.%I cascade', t.typname) from pg_type t
 where t.typnamespace = 'public'::regnamespace and t.typtype in ('e', 'd')
"""
"""One statement a row, in their order: what the owner made."""


def reset(owner_url: str, settings: Settings, at: datetime | None, *, keep_keys: bool) -> Founded:
    """Empty the sandbox and found it anew; ``keep_keys``: its clients and their public keys stay good.

    Raises:
        MixedInstancesError: database or secrets are a real instance's; nothing was changed.
        Unavailable: the service that runs on it is too busy just now; nothing was changed.
    """
    require_secrets(settings.secrets_folder, SANDBOX)
    engine = open_engine(owner_url)
    try:
        _emptied(engine, settings, at, keep_keys=keep_keys)
    finally:
        engine.dispose()
    _forget_checkpoints(settings.checkpoints_folder)  # what was signed while the database waited for its emptying
    return furnish(settings, prepare(settings, at))


def _emptied(engine: Engine, settings: Settings, at: datetime | None, *, keep_keys: bool) -> None:
    for _ in range(ATTEMPTS):
        try:
            with engine.begin() as connection:
                return _empty(connection, settings, at, keep_keys=keep_keys)
        except DBAPIError as error:
            if not isinstance(error.orig, _BUSY):
                raise
    raise database_away()


def _empty(connection: Connection, settings: Settings, at: datetime | None, *, keep_keys: bool) -> None:
    connection.exec_driver_sql("select pg_advisory_xact_lock(%s)", (_LOCK,))
    connection.exec_driver_sql(f"set local lock_timeout = '{_LOCK_TIMEOUT}'")
    _require_sandbox(connection)
    # each transaction of the service begins there: the new ones wait and hold nothing, the old ones come to their end
    connection.exec_driver_sql("lock table service_clock in access exclusive mode")
    connection.exec_driver_sql("lock table client, client_key in access exclusive mode")
    machine = SystemClock()
    if not keep_keys:
        connection.exec_driver_sql("update client set revoked_at = %s where revoked_at is null", (machine.now(),))
        (settings.secrets_folder / KEPT_KEYS).unlink(missing_ok=True)
    else:
        set_aside(connection, settings.secrets_folder)
    clients = connection.exec_driver_sql(f"select {_CLIENTS} from client").all()  # noqa: S608 - our own columns
    for statement in connection.exec_driver_sql(_DROPS.replace("%", "%%")).scalars().all():
        connection.exec_driver_sql(statement.replace("%", "%%"))
    migrate_within(connection, SANDBOX)
    for client in clients:
        connection.exec_driver_sql(
            f"insert into client ({_CLIENTS}) values (%s, %s, %s, %s, %s, %s, %s, %s)",  # noqa: S608 - our own columns
            tuple(client),
        )
    keep_later(connection, at or machine.now(), machine)
    office = Office(load_secrets(settings.secrets_folder), demonstration=True, sandbox=True)
    seed_within(begin(connection, scope_of_seed(), machine), office)
    _forget_checkpoints(settings.checkpoints_folder)


def _require_sandbox(connection: Connection) -> None:
    """Refuse whatever does not say of itself that it is a sandbox."""
    there = connection.exec_driver_sql("select to_regclass('public.instance') is not null").scalar_one()
    if not there or stored_mark(connection) != SANDBOX:
        raise MixedInstancesError(
            "该数据库没有沙箱标记，拒绝清空，未作任何更改。正式环境的数据库永远不能重置。",
            "This database does not bear a sandbox's mark: it is not emptied, and nothing was changed. A real "
            "instance's is never reset.",
        )
    connection.exec_driver_sql("lock table instance in access exclusive mode")


def _forget_checkpoints(folder: Path) -> None:
    """Take away what was signed over the history that is gone."""
    for path in folder.glob("*.jsonl"):
        path.unlink(missing_ok=True)
