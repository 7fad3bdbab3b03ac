"""Similar cases: two claims that look alike stand in the register of cases, with an owner and a deadline."""

from pathlib import Path

from alembic import op

revision = "0035"
down_revision = "0033"


def upgrade() -> None:
    """Let the register hold them; the statements are in the file of the same name."""
    driver = op.get_bind().connection.driver_connection
    if driver is None:
        raise RuntimeError("the migration has no connection")
    # as one simple query: many statements cannot be prepared, and a percent sign is no placeholder here
    driver.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"), prepare=False)


def downgrade() -> None:
    """Refuse: cases are never dropped."""
    raise NotImplementedError("cases are never dropped; restore a backup instead")
