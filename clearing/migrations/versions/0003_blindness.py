"""Blindness: versions of the registry's key, and the log of looks at what another tenant holds; near duplicates."""

from pathlib import Path
from typing import Final

from alembic import op

revision = "0003"
down_revision = "0002"

FILES: Final = ("0003_blindness.sql", "0003_near_duplicates.sql")


def upgrade() -> None:
    """Add the tables, triggers and functions; the statements are in the files."""
    driver = op.get_bind().connection.driver_connection
    if driver is None:
        raise RuntimeError("the migration has no connection")
    for name in FILES:
        # as one simple query: many statements cannot be prepared, and a percent sign is no placeholder here
        driver.execute(Path(__file__).with_name(name).read_text(encoding="utf-8"), prepare=False)


def downgrade() -> None:
    """Refuse: what was logged and decided is never dropped."""
    raise NotImplementedError("blindness is not taken back; restore a backup instead")
