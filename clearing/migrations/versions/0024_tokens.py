"""Tokens: signing keys whose private half is in a PKCS#11 token and not in the database."""

from alembic import op

revision = "0024"
down_revision = "0023"

_STATEMENTS = (
    "alter table signing_key alter column private_sealed drop not null",
    "alter table signing_key add column token_uri text",
    "alter table signing_key add constraint signing_key_kept_once check (num_nulls(private_sealed, token_uri) = 1)",
    "comment on column signing_key.token_uri is 'where the private half is (RFC 7512), where it is not sealed here'",
)


def upgrade() -> None:
    """Let a key be in a token."""
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Refuse: what is in a token cannot be taken out of it."""
    raise NotImplementedError("a key in a token cannot be read; restore a backup instead")
