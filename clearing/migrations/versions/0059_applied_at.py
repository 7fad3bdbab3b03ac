"""Obligations say when they were applied for: of some schemes it decides on the batch, not when they were approved."""

from clearing.migrations.revision import run_statements

revision = "0059"
down_revision = "0056"


def upgrade() -> None:
    """Add the column; the statements are in the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Refuse: batches were cut by it."""
    raise NotImplementedError("which batch a claim belongs to is not forgotten; restore a backup instead")
