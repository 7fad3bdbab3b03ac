"""Blindness: versions of the registry's key, and the log of looks at what another tenant holds; near duplicates."""

from pathlib import Path
from typing import Final

from clearing.migrations.revision import run_statements

revision = "0003"
down_revision = "0002"

FILES: Final = ("0003_blindness.sql", "0003_near_duplicates.sql")


def upgrade() -> None:
    """Add the tables, triggers and functions; the statements are in the files."""
    for name in FILES:
        run_statements(Path(__file__).with_name(name))


def downgrade() -> None:
    """Refuse: what was logged and decided is never dropped."""
    raise NotImplementedError("blindness is not taken back; restore a backup instead")
