"""Single sign-on: how each session was begun, and when an account's own proofs were last set."""

from pathlib import Path

from alembic import op

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    """Add the columns; the statements are in the file of the same name."""
    driver = op.get_bind().connection.driver_connection
    if driver is None:
        raise RuntimeError("the migration has no connection")
    driver.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"), prepare=False)


def downgrade() -> None:
    """Refuse: who signed in how is history that the audit chain tells of."""
    raise NotImplementedError("accounts and sessions are not taken back; restore a backup instead")
