"""What a command prints: lines for people, or one JSON document for machines."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import click

from tenants.kernel.canonical import plain

_WIDE: Final = 400


def show_json(value: object) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(plain(value), ensure_ascii=False, indent=2))


def show_rows(rows: Sequence[Mapping[str, object]], columns: Sequence[str]) -> None:
    """Print a table with these columns; nothing but a word when it is empty."""
    from rich.console import Console
    from rich.table import Table

    if not rows:
        click.echo("（无） none")
        return
    table = Table(box=None)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    # for a pipe or a file there is no width to keep to; what others wrote is shown as it is, [b] and :bank: too
    Console(width=None if sys.stdout.isatty() else _WIDE, markup=False, emoji=False).print(table)


def _cell(value: object) -> str:
    shown = plain(value)
    if isinstance(shown, list):
        return ", ".join(map(str, shown))
    return "" if shown is None else str(shown)
