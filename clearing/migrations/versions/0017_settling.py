"""Batches settled and closed by the bank's word, and what lies in suspense explained by two people."""

from clearing.migrations.revision import run_statements

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Add to the schema; the statements are in the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Refuse: public money's history is never dropped."""
    raise NotImplementedError("what was settled is not forgotten; restore a backup instead")
