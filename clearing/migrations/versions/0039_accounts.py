"""Accounts: roles change after an account was made, and the database knows who set them."""

from clearing.migrations.revision import run_statements

revision = "0039"
down_revision = "0037"


def upgrade() -> None:
    """Add the columns; the statements are in the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Refuse: who gave and took roles is history that the audit chain tells of."""
    raise NotImplementedError("accounts and sessions are not taken back; restore a backup instead")
