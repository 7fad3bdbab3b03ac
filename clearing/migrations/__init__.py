"""Migrations: the schema, step by step, applied by its owner under one lock."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config


def migrate(owner: Engine) -> None:
    """Bring the database to the newest revision; nothing happens when it is there already."""
    with owner.connect() as connection:
        if MigrationContext.configure(connection).get_current_revision() == newest_revision():
            return
    with owner.begin() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def newest_revision() -> str | None:
    """The revision that this code needs."""
    return ScriptDirectory.from_config(_config()).get_current_head()
