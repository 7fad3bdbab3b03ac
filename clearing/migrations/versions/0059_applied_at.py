"""Obligations say when they were applied for: of some schemes it decides on the batch, not when they were approved."""

from pathlib import Path

from alembic import op

revision = "0059"
down_revision = "0056"


def upgrade() -> None:
    """Add the column; the statements are in the file of the same name."""
    driver = op.get_bind().connection.driver_connection
    if driver is None:
        raise RuntimeError("the migration has no connection")
    driver.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"), prepare=False)


def downgrade() -> None:
    """Refuse: batches were cut by it."""
    raise NotImplementedError("which batch a claim belongs to is not forgotten; restore a backup instead")
