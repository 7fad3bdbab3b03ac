"""Accounts under four eyes: proposals, and the invitations with which people set their own proofs."""

from clearing.migrations.revision import run_statements

revision = "0041"
down_revision = "0039"


def upgrade() -> None:
    """Add the tables; the statements are in the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Refuse: who proposed, approved and enrolled is history that the audit chain tells of."""
    raise NotImplementedError("proposals and invitations are not taken back; restore a backup instead")
