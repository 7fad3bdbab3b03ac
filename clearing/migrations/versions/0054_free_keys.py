"""Free keys in bulk: a known key is told by the index itself, and arrays are read as they lie (P3)."""

from clearing.migrations.revision import run_statements

revision = "0054"
down_revision = "0052"


def upgrade() -> None:
    """Replace the function; the statements are in the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Refuse: the service behind it goes by the primary key's name."""
    raise NotImplementedError("a registry that is written to is not taken back; restore a backup instead")
