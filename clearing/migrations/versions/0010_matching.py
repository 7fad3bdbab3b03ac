"""Matching that is due, yearly rewards, two releasers above a limit."""

from clearing.migrations.revision import run_statements

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add to the schema; the statements are in the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Refuse: public money's history is never dropped."""
    raise NotImplementedError("what is owed is not forgotten; restore a backup instead")
