"""Free keys in bulk: a known key is told by the index itself, and arrays are read as they lie (P3)."""

from pathlib import Path

from alembic import op

revision = "0054"
down_revision = "0052"


def upgrade() -> None:
    """Replace the function; the statements are in the file of the same name."""
    driver = op.get_bind().connection.driver_connection
    if driver is None:
        raise RuntimeError("the migration has no connection")
    driver.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"), prepare=False)


def downgrade() -> None:
    """Refuse: the service behind it goes by the primary key's name."""
    raise NotImplementedError("a registry that is written to is not taken back; restore a backup instead")
