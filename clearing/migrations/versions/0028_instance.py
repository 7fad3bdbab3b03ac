"""The instance: whether what is stored here is real, or a sandbox's; written once, and never changed."""

from clearing.migrations.revision import run_statements

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    """Create the mark; the statements are in the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Refuse: a database whose mark was taken away could be given another."""
    raise NotImplementedError("an instance keeps its mark for ever; restore a backup instead")
