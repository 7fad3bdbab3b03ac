"""Drafts of a batch's files, which a worker that takes over goes on behind."""

from clearing.migrations.revision import run_statements

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    """Add to the schema; the statements are in the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Refuse: public money's history is never dropped."""
    raise NotImplementedError("restore a backup instead")
