"""What a linked region recovers of a matching that it paid on an award that was asked back."""

from pathlib import Path

from alembic import op

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    """Create and alter the tables; the statements are in the file of the same name."""
    driver = op.get_bind().connection.driver_connection
    if driver is None:
        raise RuntimeError("the migration has no connection")
    # as one simple query: many statements cannot be prepared, and a percent sign is no placeholder here
    driver.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"), prepare=False)


def downgrade() -> None:
    """Refuse: what was recovered is never dropped."""
    raise NotImplementedError("recoveries are not taken back; restore a backup instead")
