"""Lists: what a filter finds is found by an index, also where it is a small part of all claims."""

from alembic import op

revision = "0032"
down_revision = "0031"

_STATEMENTS = (
    "create index claim_provider on claim (tenant, provider_uscc, id)",
    "create index claim_ended on claim (tenant, state, id) where state in ('rejected', 'withdrawn')",
)


def upgrade() -> None:
    """Add the indexes."""
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Refuse, as every revision does: an older service runs on a backup of its own time."""
    raise NotImplementedError("revisions are not taken back; restore a backup instead")
