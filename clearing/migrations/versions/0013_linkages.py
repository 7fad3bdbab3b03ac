"""Linkages: what a linked region commits itself to, approved by another person; and matching follows its award."""

from clearing.migrations.revision import run_statements

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Create and alter the tables; the statements are in the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Refuse: what a region committed itself to is never dropped."""
    raise NotImplementedError("linkages are not taken back; restore a backup instead")
