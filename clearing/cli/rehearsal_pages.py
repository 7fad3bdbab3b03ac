"""How a rehearsal looks in a terminal: its progress while it runs, and its report."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

SHOWN = 20
"""Changed claims that are printed; ``--changed`` writes all of them."""


@contextmanager
def progress() -> Iterator[Callable[[int, int], None]]:
    """A bar on the terminal's error output; nothing where that is a file or a pipe."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    shown = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), disable=not sys.stderr.isatty())
    with shown:
        task = shown.add_task("核定 / claims", total=None)
        yield lambda done, of: shown.update(task, completed=done, total=of)


def show_report(report: dict[str, Any], changed: Sequence[Any]) -> None:
    """Print the sums and the first changed claims."""
    from clearing.cli.printing import show_rows

    click.echo(
        f"{report['version']}: {report['claims']} 笔 claims, {report['changed']} 笔变化 changed, "
        f"核定 award {report['award']['before']} → {report['award']['after']} ({report['award']['difference']}), "
        f"配套 matching {report['matching']['difference']}, 现存 standing {report['standing']['difference']}"
    )
    for name in ("zones", "types", "months"):
        rows = [_flat(name[:-1], line) for line in report[name]]
        show_rows(rows, (name[:-1], "claims", "changed", "before", "after", "difference"))
    rows = [
        {"cap": line["cap"], "before": line["before"]["amount"], "after": line["after"]["amount"]}
        for line in report["caps"]
    ]
    show_rows(rows, ("cap", "before", "after"))
    show_rows(report["budgets"], ("year", "appropriated", "left", "left_after"))
    rows = [
        {
            "claim_no": line["claim_no"],
            "before": f"{line['before']['state']} {line['before']['award']}",
            "after": f"{line['after']['state']} {line['after']['award']}",
            "difference": line["difference"],
        }
        for line in changed[:SHOWN]
    ]
    show_rows(rows, ("claim_no", "before", "after", "difference"))
    if len(changed) > SHOWN:
        click.echo(f"… 另有 {len(changed) - SHOWN} 笔 / {len(changed) - SHOWN} more")


def _flat(name: str, line: dict[str, Any]) -> dict[str, Any]:
    return {name: line[name], "claims": line["claims"], "changed": line["changed"], **line["award"]}
