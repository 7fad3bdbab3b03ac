"""Webhooks: endpoints of platforms, the messages on their way there, and nightly receipts."""

from clearing.migrations.revision import run_statements

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Create the tables; the statements are in the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Refuse: what a platform was told is part of the history."""
    raise NotImplementedError("webhooks are not taken back; restore a backup instead")
