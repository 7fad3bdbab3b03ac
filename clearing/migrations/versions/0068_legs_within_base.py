"""Legs within the base: what a claim is awarded and what is matched on top never come to more than its base (I6)."""

from pathlib import Path

from alembic import op

revision = "0068"
down_revision = "0066"


def upgrade() -> None:
    """Add the bounds; the statements are in the file of the same name."""
    driver = op.get_bind().connection.driver_connection
    if driver is None:
        raise RuntimeError("the migration has no connection")
    driver.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"), prepare=False)


def downgrade() -> None:
    """Refuse, as every revision does: an older service runs on a backup of its own time."""
    raise NotImplementedError("revisions are not taken back; restore a backup instead")
