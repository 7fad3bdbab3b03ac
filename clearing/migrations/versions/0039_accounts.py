"""Accounts: roles change after an account was made, and the database knows who set them."""

from pathlib import Path

from alembic import op

revision = "0039"
down_revision = "0037"


def upgrade() -> None:
    """Add the columns; the statements are in the file of the same name."""
    driver = op.get_bind().connection.driver_connection
    if driver is None:
        raise RuntimeError("the migration has no connection")
    driver.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"), prepare=False)


def downgrade() -> None:
    """Refuse: who gave and took roles is history that the audit chain tells of."""
    raise NotImplementedError("accounts and sessions are not taken back; restore a backup instead")
