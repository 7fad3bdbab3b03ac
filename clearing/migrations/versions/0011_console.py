"""Console: accounts of people, what they tried at the door, and their sessions."""

from clearing.migrations.revision import run_statements

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Create the tables; the statements are in the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Refuse: who signed in when is history that the audit chain tells of."""
    raise NotImplementedError("accounts and sessions are not taken back; restore a backup instead")
