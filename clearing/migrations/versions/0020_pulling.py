"""Pulling: a platform's own outlet, the pages that were taken from it, and the records that could not be read."""

from clearing.migrations.revision import run_statements

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Create the tables; the statements are in the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Refuse: what was taken from a platform is never dropped."""
    raise NotImplementedError("pages are not taken back; restore a backup instead")
