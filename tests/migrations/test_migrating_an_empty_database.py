"""Migrating: from nothing, again, by several processes at once, and never back."""

import multiprocessing
from collections.abc import Iterator
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

import clearing.migrations
from clearing.embedded import Addresses
from clearing.migrations import current_revision, migrate, newest_revision
from tenants.kernel.database import open_engine

PROCESSES = 2
EVERYTHING = (
    "select string_agg(x, E'\\n' order by x) from ("
    "select format('%%s %%s %%s %%s', c.relname, a.attname, a.atttypid::regtype, a.attnotnull) from pg_class c "
    "join pg_attribute a on a.attrelid = c.oid where c.relnamespace = 'public'::regnamespace and a.attnum > 0 "
    "union all select format('%%s %%s', conrelid::regclass, pg_get_constraintdef(oid)) from pg_constraint "
    "where connamespace = 'public'::regnamespace "
    "union all select format('%%s %%s', oid, xmin) from pg_class where relnamespace = 'public'::regnamespace) s(x)"
)


@pytest.fixture
def owner(empty: Addresses) -> Iterator[Engine]:
    engine = open_engine(empty.owner_url)
    yield engine
    engine.dispose()


def scripts() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(clearing.migrations.__file__).parent))
    return config


def everything(connection: Connection) -> str:
    """Every table, column and constraint, and when each was made."""
    return str(connection.exec_driver_sql(EVERYTHING).scalar_one())


def _migrate(url: str, ready: Barrier) -> None:
    ready.wait(60)
    engine = open_engine(url)
    migrate(engine)
    engine.dispose()


def test_an_empty_database_is_migrated_once_by_processes_that_all_begin_at_once(
    empty: Addresses, owner: Engine
) -> None:
    with owner.connect() as connection:
        assert current_revision(connection) is None
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(PROCESSES)
    started = [context.Process(target=_migrate, args=(empty.owner_url, ready)) for _ in range(PROCESSES)]
    for process in started:
        process.start()
    for process in started:
        process.join(120)
    assert [process.exitcode for process in started] == [0] * PROCESSES
    with owner.connect() as connection:
        assert current_revision(connection) == newest_revision()
        assert connection.exec_driver_sql("select count(*) from alembic_version").scalar_one() == 1
        assert "ledger_transfer amount_fen bigint t" in everything(connection)


def test_migrating_again_changes_nothing(owner: Engine) -> None:
    migrate(owner)
    with owner.connect() as connection:
        before = everything(connection)
    migrate(owner)
    with owner.connect() as connection:
        assert everything(connection) == before


def test_the_revision_that_the_code_needs_is_the_one_that_alembic_ends_at() -> None:
    assert ScriptDirectory.from_config(scripts()).get_heads() == [newest_revision()]


def test_history_is_never_migrated_away(owner: Engine) -> None:
    migrate(owner)
    config = scripts()
    with owner.connect() as connection:
        before = everything(connection)
        connection.commit()
        config.attributes["connection"] = connection
        with pytest.raises(NotImplementedError):
            command.downgrade(config, "base")
        connection.rollback()
        assert everything(connection) == before
        assert current_revision(connection) == newest_revision()
