"""Foundation: tenants, policies, access, audit, outbox, ledger, registry, claims and settlement."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the schema; the statements are in the file of the same name."""
    op.get_bind().exec_driver_sql(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    """Refuse: public money's history is never dropped."""
    raise NotImplementedError("the foundation is not taken back; restore a backup instead")
