"""Lists as commands show them: whole, read page by page."""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

Row = TypeVar("Row")
Place = TypeVar("Place")

PAGE: Final = 500


def every(page: Callable[[Place | None, int], Sequence[Row]], place: Callable[[Row], Place]) -> list[Row]:
    """All rows of a list; ``page`` answers at most so many that stand behind a ``place``, or the first ones."""
    rows = list[Row]()
    while more := page(place(rows[-1]) if rows else None, PAGE):
        rows += more
    return rows
