"""Banks: what was sent, what was asked, what was answered, what the statements say, what came back."""

from clearing.migrations.revision import run_statements

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create the tables; the statements are in the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Refuse: what a bank was told and said is never dropped."""
    raise NotImplementedError("what a bank was told is not taken back; restore a backup instead")
