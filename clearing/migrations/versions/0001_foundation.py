"""Foundation: tenants, policies, access, audit, outbox, ledger, registry, claims and settlement."""

from clearing.migrations.revision import run_statements

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the schema; the statements are in the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Refuse: public money's history is never dropped."""
    raise NotImplementedError("the foundation is not taken back; restore a backup instead")
