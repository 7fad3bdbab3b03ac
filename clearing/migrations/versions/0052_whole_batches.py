"""Whole batches: what a million rows name is looked up once a statement, not once a row."""

from clearing.migrations.revision import run_statements

revision = "0052"
down_revision = "0050"


def upgrade() -> None:
    """Change the schema; the statements are in the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Refuse: rows that were written without a foreign key's trigger are not looked at again."""
    raise NotImplementedError("the schema only goes forward; restore a backup instead")
