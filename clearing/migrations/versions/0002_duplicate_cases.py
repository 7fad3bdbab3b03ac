"""Cases: suspected duplicates between two holders of one spending, each side a tenant's."""

from clearing.migrations.revision import run_statements

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the register; the statements are in the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Refuse: what was suspected and decided is kept."""
    raise NotImplementedError("the register of cases is not taken back; restore a backup instead")
