"""Operating: messages that were given up are found by an index."""

from alembic import op

from clearing.migrations.revision import run_statements

revision = "0023"
down_revision = "0020"


def upgrade() -> None:
    """Create the index; the statements are in the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Take the index away."""
    op.execute("drop index webhook_message_given_up")
