"""Speed: how rows lie on their pages, and what is compressed; nothing that is stored changes its meaning."""

from pathlib import Path

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Set storage and fill factors; the statements are in the file of the same name."""
    driver = op.get_bind().connection.driver_connection
    if driver is None:
        raise RuntimeError("the migration has no connection")
    # as one simple query: many statements cannot be prepared, and a percent sign is no placeholder here
    driver.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"), prepare=False)


def downgrade() -> None:
    """Refuse, like every migration here; earlier versions work with these tables as they are."""
    raise NotImplementedError("storage is not taken back; restore a backup instead")
