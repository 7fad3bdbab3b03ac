"""Clients: signed requests, what a tenant asks of a client, what each submitted in a day; receipts count support."""

from clearing.migrations.revision import run_statements

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Create the tables; the statements are in the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Refuse: what a platform signed is evidence and is never dropped."""
    raise NotImplementedError("signatures are not taken back; restore a backup instead")
