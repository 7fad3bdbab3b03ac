"""What a linked region recovers of a matching that it paid on an award that was asked back."""

from clearing.migrations.revision import run_statements

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    """Create and alter the tables; the statements are in the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Refuse: what was recovered is never dropped."""
    raise NotImplementedError("recoveries are not taken back; restore a backup instead")
