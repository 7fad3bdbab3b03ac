"""Seals: the releasers' own signatures on what was sealed, and the keys that make them."""

from clearing.migrations.revision import run_statements

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Create the tables; the statements are in the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Refuse: who signed what is never dropped."""
    raise NotImplementedError("signatures are not taken back; restore a backup instead")
