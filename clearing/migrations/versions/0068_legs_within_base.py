"""Legs within the base: what a claim is awarded and what is matched on top never come to more than its base (I6)."""

from clearing.migrations.revision import run_statements

revision = "0068"
down_revision = "0066"


def upgrade() -> None:
    """Add the bounds; the statements are in the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Refuse, as every revision does: an older service runs on a backup of its own time."""
    raise NotImplementedError("revisions are not taken back; restore a backup instead")
