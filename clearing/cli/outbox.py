"""``outbox``: what the workers have still to do, and what is stuck."""

from pathlib import Path

import click

SHOWN = ("id", "tenant", "kind", "platform", "attempts", "next_attempt_at", "progress", "last_error")
MAX_SHOWN = 1000


@click.command()
@click.option("--stuck", is_flag=True, help="Only what failed so often that somebody has to look.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def outbox(data_dir: Path, stuck: bool, as_json: bool) -> int:
    """列出未完成的任务 / List what is not done yet; exit code 1 when something is stuck."""
    from clearing.cli.opening import opened_service
    from clearing.cli.printing import show_json, show_rows
    from clearing.cli.program import FINDINGS, OK
    from clearing.relay import STUCK_ATTEMPTS

    with opened_service(data_dir) as service, service.engine.connect() as connection:
        found = connection.exec_driver_sql(_OPEN, (STUCK_ATTEMPTS if stuck else 0, MAX_SHOWN))
        rows = [dict(row) for row in found.mappings()]
    if as_json:
        show_json({"items": rows})
    else:
        show_rows(rows, SHOWN)
    return FINDINGS if any(row["attempts"] >= STUCK_ATTEMPTS for row in rows) else OK


_OPEN = (
    "select id, tenant, kind, platform, attempts, created_at, next_attempt_at, last_error, "
    # of a batch's files a worker tells how far it is: settlement.batches.progress
    "(select substr(a.application_name, 38) from pg_stat_activity a "
    "where starts_with(a.application_name, outbox.subject_id::text || ' ') limit 1) as progress from outbox "
    "where done_at is null and attempts >= %s order by attempts desc, next_attempt_at, id limit %s"
)
