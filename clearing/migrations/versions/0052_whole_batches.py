"""Whole batches: what a million rows name is looked up once a statement, not once a row."""

from pathlib import Path

from alembic import op

revision = "0052"
down_revision = "0050"


def upgrade() -> None:
    """Change the schema; the statements are in the file of the same name."""
    driver = op.get_bind().connection.driver_connection
    if driver is None:
        raise RuntimeError("the migration has no connection")
    # as one simple query: many statements cannot be prepared, and a percent sign is no placeholder here
    driver.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"), prepare=False)


def downgrade() -> None:
    """Refuse: rows that were written without a foreign key's trigger are not looked at again."""
    raise NotImplementedError("the schema only goes forward; restore a backup instead")
