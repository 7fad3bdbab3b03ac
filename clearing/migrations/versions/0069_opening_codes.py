"""Opening codes: who approves an account holds the link, who proposed it the code that opens it."""

from clearing.migrations.revision import run_statements

revision = "0069"
down_revision = "0068"


def upgrade() -> None:
    """Add the columns; the statements are in the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Refuse, as every revision does: an older service runs on a backup of its own time."""
    raise NotImplementedError("revisions are not taken back; restore a backup instead")
