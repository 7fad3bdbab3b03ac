"""Orders between tenants go through the banks, and a cycle is settled by their word."""

from clearing.migrations.revision import run_statements

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    """Add to the schema; the statements are in the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Refuse: public money's history is never dropped."""
    raise NotImplementedError("what banks told of orders is never dropped; restore a backup instead")
