"""Accounts under four eyes: proposals, and the invitations with which people set their own proofs."""

from pathlib import Path

from alembic import op

revision = "0041"
down_revision = "0039"


def upgrade() -> None:
    """Add the tables; the statements are in the file of the same name."""
    driver = op.get_bind().connection.driver_connection
    if driver is None:
        raise RuntimeError("the migration has no connection")
    driver.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"), prepare=False)


def downgrade() -> None:
    """Refuse: who proposed, approved and enrolled is history that the audit chain tells of."""
    raise NotImplementedError("proposals and invitations are not taken back; restore a backup instead")
