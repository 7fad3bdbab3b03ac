"""Support chunks: records stored together share one audit entry, and keys that nobody holds are taken at once."""

from clearing.migrations.revision import run_statements

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Apply the statements of the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Refuse: records of a chunk have no entry of their own to fall back on."""
    raise NotImplementedError("the audit entries of chunks cannot be taken apart; restore a backup instead")
