"""Migrations: the schema, step by step, applied by its owner under one lock.

Revisions are numbered, and each file in ``versions`` begins with its number. Alembic is imported only where there is
something to do, so that a start on a current database does not wait for it.
"""

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, inspect

from tenants.instance import REAL, put_mark

_HERE: Final = Path(__file__).parent


def migrate(owner: Engine, mark: str = REAL) -> None:
    """Bring the database to the newest revision; nothing happens when it is there already.

    A database without a mark gets this one, for ever.

    Raises:
        MixedInstancesError: the database is that of the other kind of instance; nothing was changed.
    """
    with owner.begin() as connection:
        if current_revision(connection) == newest_revision():
            put_mark(connection, mark)
            return
    with owner.begin() as connection:
        migrate_within(connection, mark)


def migrate_within(connection: Connection, mark: str) -> None:
    """Bring the database to the newest revision within the owner's running transaction, and give it its mark.

    Raises:
        MixedInstancesError: as for :func:`migrate`.
    """
    from alembic import command  # noqa: PLC0415 - see above
    from alembic.config import Config  # noqa: PLC0415 - see above

    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    put_mark(connection, mark)


def newest_revision() -> str:
    """The revision that this code needs."""
    return max(path.name.partition("_")[0] for path in (_HERE / "versions").glob("[0-9]*.py"))


def current_revision(connection: Connection) -> str | None:
    """The revision that the database is at; ``None`` where nothing was ever migrated."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.exec_driver_sql("select version_num from alembic_version").scalar_one_or_none()
