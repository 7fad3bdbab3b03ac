"""Flows: what banks told before there was an event of each payment is told now; requests for quota are pulled too."""

from clearing.migrations.revision import run_statements

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Write the events of the past; the statements are in the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Refuse: what platforms were told is not taken back."""
    raise NotImplementedError("what was told is not taken back; restore a backup instead")
