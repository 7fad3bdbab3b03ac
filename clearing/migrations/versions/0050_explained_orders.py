"""Movements that name an order between tenants are explained by two people; a receiver's bank tells what arrived."""

from clearing.migrations.revision import run_statements

revision = "0050"
down_revision = "0048"


def upgrade() -> None:
    """Add the tables and checks; the statements are in the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Refuse: what two people explained is history that the audit chain tells of."""
    raise NotImplementedError("explanations are not taken back; restore a backup instead")
