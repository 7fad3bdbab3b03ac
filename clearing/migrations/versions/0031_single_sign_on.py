"""Single sign-on: how each session was begun, and when an account's own proofs were last set."""

from clearing.migrations.revision import run_statements

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    """Add the columns; the statements are in the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Refuse: who signed in how is history that the audit chain tells of."""
    raise NotImplementedError("accounts and sessions are not taken back; restore a backup instead")
