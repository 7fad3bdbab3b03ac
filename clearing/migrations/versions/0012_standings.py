"""Standings: enterprises' qualifications, providers' admissions, trust lists, and who may not decide about whom."""

from clearing.migrations.revision import run_statements

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Create the tables; the statements are in the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Refuse: who was admitted when, and by whom, is never dropped."""
    raise NotImplementedError("standings are not taken back; restore a backup instead")
