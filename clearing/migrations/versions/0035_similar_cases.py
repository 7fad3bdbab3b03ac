"""Similar cases: two claims that look alike stand in the register of cases, with an owner and a deadline."""

from clearing.migrations.revision import run_statements

revision = "0035"
down_revision = "0033"


def upgrade() -> None:
    """Let the register hold them; the statements are in the file of the same name."""
    run_statements(__file__)


def downgrade() -> None:
    """Refuse: cases are never dropped."""
    raise NotImplementedError("cases are never dropped; restore a backup instead")
