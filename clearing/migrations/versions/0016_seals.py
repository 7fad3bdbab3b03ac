"""Seals: the releasers' own signatures on what was sealed, and the keys that make them."""

from pathlib import Path

from alembic import op

revision = "0016"
down_revision = "0014"


def upgrade() -> None:
    """Create the tables; the statements are in the file of the same name."""
    driver = op.get_bind().connection.driver_connection
    if driver is None:
        raise RuntimeError("the migration has no connection")
    # as one simple query: many statements cannot be prepared, and a percent sign is no placeholder here
    driver.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"), prepare=False)


def downgrade() -> None:
    """Refuse: who signed what is never dropped."""
    raise NotImplementedError("signatures are not taken back; restore a backup instead")
