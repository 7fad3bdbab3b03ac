"""Objections to items that are upheld: proposed by one person, decided by another, and what becomes of the item."""

from clearing.migrations.revision import run_statements

revision = "0044"
down_revision = "0042"


def upgrade() -> None:
    """Add to the schema; the statements are in the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Refuse: public money's history is never dropped."""
    raise NotImplementedError("what was upheld is never forgotten; restore a backup instead")
