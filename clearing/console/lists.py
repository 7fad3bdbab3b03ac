"""What every list shares: what its address asks for, all of it page by page, and the file of exactly that."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeVar

from flask import Response, request

from clearing.console.export import Column, as_csv, as_xlsx
from tenants.kernel.errors import Conflict

Row = TypeVar("Row")
Key = TypeVar("Key")
"""By which a list goes on behind its last row."""

EXPORTED_AT_ONCE: Final = 500
MOST_EXPORTED: Final = 100_000
_NO_FILTER: Final = frozenset({"done", "cursor", "limit"})


def asked() -> dict[str, str]:
    """What the list's address asks for, its page included."""
    return {name: value.strip() for name, value in request.args.items() if value.strip() and name != "done"}


def filters() -> dict[str, str]:
    """What the list's address asks for, whatever page it shows: what an export holds."""
    return {name: value for name, value in asked().items() if name not in _NO_FILTER}


def every(read: Callable[[Key | None, int], Sequence[Row]], key: Callable[[Row], Key]) -> Iterator[Row]:
    """All rows, page by page; ``read`` takes the key of the last row and how many, in a transaction of its own."""
    after: Key | None = None
    while True:
        rows = read(after, EXPORTED_AT_ONCE)
        yield from rows
        if len(rows) < EXPORTED_AT_ONCE:
            return
        after = key(rows[-1])


def as_file(
    form: str, name: str, columns: tuple[Column[Row], ...], rows: Iterable[Row], totals: tuple[tuple[str, str], ...]
) -> Response:
    """The rows as ``csv`` or ``xlsx``; the totals stand below, or on a sheet of their own."""
    return (as_csv if form == "csv" else as_xlsx)(name, columns, rows, totals)


def require_exportable(count: int) -> None:
    """Refuse to export more than one file should hold.

    Raises:
        Conflict: ``export.too_large``.
    """
    if count > MOST_EXPORTED:
        raise Conflict(
            "export.too_large",
            f"筛选出 {count} 条，一次最多导出 {MOST_EXPORTED} 条，请缩小范围。",
            f"The filter finds {count} rows; at most {MOST_EXPORTED} are exported at once. Ask for fewer.",
        )
