"""Objections to items of every kind of batch: what has no claim of its own is held and resumed."""

from clearing.migrations.revision import run_statements

revision = "0037"
down_revision = "0035"


def upgrade() -> None:
    """Add to the schema; the statements are in the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Refuse: public money's history is never dropped."""
    raise NotImplementedError("what was objected to is never forgotten; restore a backup instead")
