"""Policy life: drafts, submission, approval by another person, corrections, and what the database keeps of them."""

from clearing.migrations.revision import run_statements

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Change the schema; the statements are in the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Refuse: public money's history is never dropped."""
    raise NotImplementedError("a policy's history is not taken back; restore a backup instead")
