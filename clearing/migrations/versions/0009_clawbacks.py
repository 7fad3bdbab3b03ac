"""Clawbacks: money that was paid and is asked back, and what was recovered of it."""

from clearing.migrations.revision import run_statements

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Create the tables; the statements are in the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Refuse: what was asked back is never dropped."""
    raise NotImplementedError("what was asked back is not taken back; restore a backup instead")
