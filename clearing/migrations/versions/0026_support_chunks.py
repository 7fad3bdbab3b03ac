"""Support chunks: records stored together share one audit entry, and keys that nobody holds are taken at once."""

from pathlib import Path

from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Apply the statements of the file of the same name."""
    driver = op.get_bind().connection.driver_connection
    if driver is None:
        raise RuntimeError("the migration has no connection")
    # as one simple query: many statements cannot be prepared, and a percent sign is no placeholder here
    driver.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"), prepare=False)


def downgrade() -> None:
    """Refuse: records of a chunk have no entry of their own to fall back on."""
    raise NotImplementedError("the audit entries of chunks cannot be taken apart; restore a backup instead")
