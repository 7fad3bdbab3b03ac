"""Months closed at the finance desk."""

from clearing.migrations.revision import run_statements

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Add to the schema; the statements are in the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Refuse: public money's history is never dropped."""
    raise NotImplementedError("a closed month stays closed; restore a backup instead")
