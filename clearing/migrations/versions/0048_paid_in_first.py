"""What a settlement agent pays waits until it is paid in; orders go to their banks by themselves where agreed."""

from clearing.migrations.revision import run_statements

revision = "0048"
down_revision = "0044"


def upgrade() -> None:
    """Add the tables and checks; the statements are in the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Refuse: whose word paid a batch in is history that the audit chain tells of."""
    raise NotImplementedError("pay-ins and their words are not taken back; restore a backup instead")
