"""Clearing between tenants: agreements, cycles, debts, positions, orders; obligations of other kinds than claims."""

from clearing.migrations.revision import run_statements

revision = "0006"
down_revision = "0004"


def upgrade() -> None:
    """Add to the schema; the statements are in the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Refuse: public money's history is never dropped."""
    raise NotImplementedError("what regions owe each other is not forgotten; restore a backup instead")
