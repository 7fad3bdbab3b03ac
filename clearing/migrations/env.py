"""Alembic's environment: one advisory lock, lock and statement timeouts, the owner's connection passed in."""

from typing import Final

from alembic import context
from sqlalchemy import Connection, text

MIGRATION_LOCK: Final = 4206_2024
LOCK_TIMEOUT: Final = "10s"
STATEMENT_TIMEOUT: Final = "15min"


def _run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=None, transaction_per_migration=True)
    with context.begin_transaction():
        connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
        connection.execute(text(f"set local lock_timeout = '{LOCK_TIMEOUT}'"))
        connection.execute(text(f"set local statement_timeout = '{STATEMENT_TIMEOUT}'"))
        context.run_migrations()


_run(context.config.attributes["connection"])
