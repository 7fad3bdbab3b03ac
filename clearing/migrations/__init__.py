"""Migrations: the schema, step by step, applied by its owner under one lock.

Revisions are numbered, and each file in ``versions`` begins with its number. Alembic is imported only where there is
something to do, so that a start on a current database does not wait for it.
"""

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, inspect

_HERE: Final = Path(__file__).parent


def migrate(owner: Engine) -> None:
    """Bring the database to the newest revision; nothing happens when it is there already."""
    with owner.connect() as connection:
        if current_revision(connection) == newest_revision():
            return
    from alembic import command  # noqa: PLC0415 - see above
    from alembic.config import Config  # noqa: PLC0415 - see above

    config = Config()
    config.set_main_option("script_location", str(_HERE))
    with owner.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def newest_revision() -> str:
    """The revision that this code needs."""
    return max(path.name.partition("_")[0] for path in (_HERE / "versions").glob("[0-9]*.py"))


def current_revision(connection: Connection) -> str | None:
    """The revision that the database is at; ``None`` where nothing was ever migrated."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.exec_driver_sql("select version_num from alembic_version").scalar_one_or_none()
