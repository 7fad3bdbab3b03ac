"""Districts of reviewers, reservations confirmed lower, and what follows from an unsound sample."""

from clearing.migrations.revision import run_statements

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Create and alter the tables; the statements are in the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Refuse: whom a district bound, and what followed from a sample, is never dropped."""
    raise NotImplementedError("districts are not taken back; restore a backup instead")
