"""A year's linked regions by two people, and qualifications decided by the bureau of the enterprise's city."""

from clearing.migrations.revision import run_statements

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Create and alter the tables; the statements are in the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Refuse: who approved which regions is never dropped."""
    raise NotImplementedError("decisions of two people are not taken back; restore a backup instead")
