"""Operating: messages that were given up are found by an index."""

from pathlib import Path

from alembic import op

revision = "0023"
down_revision = "0020"


def upgrade() -> None:
    """Create the index; the statements are in the file of the same name."""
    driver = op.get_bind().connection.driver_connection
    if driver is None:
        raise RuntimeError("the migration has no connection")
    # as one simple query: many statements cannot be prepared, and a percent sign is no placeholder here
    driver.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"), prepare=False)


def downgrade() -> None:
    """Take the index away."""
    op.execute("drop index webhook_message_given_up")
