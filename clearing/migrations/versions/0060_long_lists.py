"""Long lists: what a list filters by is found by an index, also where it is a small part of what the tenant has."""

from alembic import op

revision = "0060"
down_revision = "0059"

_OF_A_CASE = (
    "create index duplicate_case_{0}_open_listed on duplicate_case ({0}_tenant, id) where resolved_at is null",
    "create index duplicate_case_{0}_resolved on duplicate_case ({0}_tenant, id) where resolved_at is not null",
    "create index duplicate_case_{0}_kind on duplicate_case ({0}_tenant, kind, id)",
    "create index duplicate_case_{0}_owner on duplicate_case ({0}_tenant, {0}_owner, id) where {0}_owner is not null",
    "create index duplicate_case_{0}_holder on duplicate_case ({0}_id)",
)
_STATEMENTS = (
    *(statement.format(side) for statement in _OF_A_CASE for side in ("later", "earlier")),
    "create index reservation_state on reservation (tenant, state, id)",
    "create index reservation_quota_year on reservation (tenant, quota_year, id)",
    "create index reservation_enterprise on reservation (tenant, enterprise_uscc, id)",
    "create index batch_scheme on batch (tenant, scheme, id)",
    "create index batch_mode on batch (tenant, mode, id)",
    "create index bank_statement_of_batch on bank_statement (tenant, batch_id, id) where batch_id is not null",
    "create index clearing_order_of_batch on clearing_order (tenant, batch_id) where batch_id is not null",
    "create index access_token_issued on access_token (client_id, issued_at)",
    "create index qualification_state on qualification (tenant, state, id)",
    "create index qualification_scheme on qualification (tenant, scheme, id)",
    "create index qualification_year on qualification (tenant, year, id)",
    "create index admission_state on admission (tenant, state, id)",
    "create index admission_scheme on admission (tenant, scheme, id)",
    "create index dead_letter_state on dead_letter (tenant, state, id)",
    "create index dead_letter_source on dead_letter (tenant, source_id, id)",
    "create index obligation_held on obligation (tenant, id) where held_at is not null",
)


def upgrade() -> None:
    """Add the indexes."""
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Refuse, as every revision does: an older service runs on a backup of its own time."""
    raise NotImplementedError("revisions are not taken back; restore a backup instead")
