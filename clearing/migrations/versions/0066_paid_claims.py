"""What a release checks of each claim it pays is looked up by the right index, statistics or not."""

from clearing.migrations.revision import run_statements

revision = "0066"
down_revision = "0064"


def upgrade() -> None:
    """Replace the check; the statements are in the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Refuse, as every revision does: an older service runs on a backup of its own time."""
    raise NotImplementedError("revisions are not taken back; restore a backup instead")
