"""What a settlement agent pays waits until it is paid in; orders go to their banks by themselves where agreed."""

from pathlib import Path

from alembic import op

revision = "0048"
down_revision = "0044"


def upgrade() -> None:
    """Add the tables and checks; the statements are in the file of the same name."""
    driver = op.get_bind().connection.driver_connection
    if driver is None:
        raise RuntimeError("the migration has no connection")
    driver.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"), prepare=False)


def downgrade() -> None:
    """Refuse: whose word paid a batch in is history that the audit chain tells of."""
    raise NotImplementedError("pay-ins and their words are not taken back; restore a backup instead")
