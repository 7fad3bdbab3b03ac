"""Objections to items that are upheld: proposed by one person, decided by another, and what becomes of the item."""

from pathlib import Path

from alembic import op

revision = "0044"
down_revision = "0042"


def upgrade() -> None:
    """Add to the schema; the statements are in the file of the same name."""
    driver = op.get_bind().connection.driver_connection
    if driver is None:
        raise RuntimeError("the migration has no connection")
    # as one simple query: many statements cannot be prepared, and a percent sign is no placeholder here
    driver.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"), prepare=False)


def downgrade() -> None:
    """Refuse: public money's history is never dropped."""
    raise NotImplementedError("what was upheld is never forgotten; restore a backup instead")
