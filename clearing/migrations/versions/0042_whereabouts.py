"""Lists of claims: by where their payment is, by year, platform, scheme, mode and day, each found by an index."""

from alembic import op

revision = "0042"
down_revision = "0041"

_STATEMENTS = (
    "create index obligation_in_batch on obligation (tenant, batch_id, id) where released_at is null",
    (
        "create index obligation_in_no_batch on obligation (tenant, id) where batch_id is null and released_at is null "
        "and kind is null"
    ),
    "create index obligation_reissued on obligation (tenant, batch_id) where kind = 'reissue' and released_at is null",
    (
        "create index instruction_outcome_back on instruction_outcome (tenant, instruction_id) "
        "where outcome in ('returned', 'rejected')"
    ),
    "create index instruction_outcome_told on instruction_outcome (tenant, at) where outcome <> 'accepted'",
    "create index instruction_claim_of on instruction_claim (tenant, instruction_id)",
    "create index batch_state on batch (tenant, state, id)",
    "create index claim_quota_year on claim (tenant, quota_year, id)",
    "create index claim_platform on claim (tenant, platform, id)",
    "create index claim_scheme on claim (tenant, scheme, id)",
    "create index claim_mode on claim (tenant, mode, id)",
    "create index claim_submitted on claim (tenant, submitted_at, id)",
)


def upgrade() -> None:
    """Add the indexes."""
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Refuse, as every revision does: an older service runs on a backup of its own time."""
    raise NotImplementedError("revisions are not taken back; restore a backup instead")
