"""Movements that name an order between tenants are explained by two people; a receiver's bank tells what arrived."""

from pathlib import Path

from alembic import op

revision = "0050"
down_revision = "0048"


def upgrade() -> None:
    """Add the tables and checks; the statements are in the file of the same name."""
    driver = op.get_bind().connection.driver_connection
    if driver is None:
        raise RuntimeError("the migration has no connection")
    driver.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"), prepare=False)


def downgrade() -> None:
    """Refuse: what two people explained is history that the audit chain tells of."""
    raise NotImplementedError("explanations are not taken back; restore a backup instead")
