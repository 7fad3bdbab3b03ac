"""Linkages: what a linked region commits itself to, approved by another person; and matching follows its award."""

from pathlib import Path

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Create and alter the tables; the statements are in the file of the same name."""
    driver = op.get_bind().connection.driver_connection
    if driver is None:
        raise RuntimeError("the migration has no connection")
    # as one simple query: many statements cannot be prepared, and a percent sign is no placeholder here
    driver.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"), prepare=False)


def downgrade() -> None:
    """Refuse: what a region committed itself to is never dropped."""
    raise NotImplementedError("linkages are not taken back; restore a backup instead")
