"""What the bank told of a batch's instructions is looked up by its key, statistics or not."""

from clearing.migrations.revision import run_statements

revision = "0074"
down_revision = "0069"


def upgrade() -> None:
    """Replace the checks; the statements are in the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Refuse, as every revision does: an older service runs on a backup of its own time."""
    raise NotImplementedError("revisions are not taken back; restore a backup instead")
