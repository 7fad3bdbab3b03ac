"""What the revisions in ``versions`` have in common: each runs the SQL that stands beside it."""

from pathlib import Path

from alembic import op


def run_statements(file: str | Path) -> None:
    """Run all statements of the ``.sql`` file of this name; that of a revision's module is good as well."""
    driver = op.get_bind().connection.driver_connection
    if driver is None:
        raise RuntimeError("the migration has no connection")
    # as one simple query: many statements cannot be prepared, and a percent sign is no placeholder here
    driver.execute(Path(file).with_suffix(".sql").read_text(encoding="utf-8"), prepare=False)
