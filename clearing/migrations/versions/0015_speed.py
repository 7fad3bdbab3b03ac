"""Speed: how rows lie on their pages, and what is compressed; nothing that is stored changes its meaning."""

from clearing.migrations.revision import run_statements

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Set storage and fill factors; the statements are in the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Refuse, like every migration here; earlier versions work with these tables as they are."""
    raise NotImplementedError("storage is not taken back; restore a backup instead")
