"""What every list shares: its filter, its page by keyset, its count and sums up to a bound, and the file of all of it.

A list that grows is never counted to its end by merely being looked at: beyond ``COUNTED`` rows the page says so, and
counts and sums everything when it is asked to. The file counts and sums the very rows that it holds.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Generic, TypeVar

from flask import Response, request
from flask_babel import gettext as _
from marshmallow import Schema

from clearing.api.noun import cursor_id, load, write_cursor
from clearing.console.export import Column, as_csv, as_xlsx
from clearing.console.screen import show, within
from tenants.kernel.database import Work
from tenants.kernel.errors import Conflict, Problem
from tenants.kernel.money import ZERO, Money

Row = TypeVar("Row")
Key = TypeVar("Key")
"""By which a list goes on behind its last row."""

COUNTED: Final = 10_000
"""So many rows are counted and summed unasked."""
EXPORTED_AT_ONCE: Final = 500
MOST_EXPORTED: Final = 100_000
EVERYTHING: Final = "all"
"""What ``totals`` says in the address of a list that is to be counted and summed to its end."""
_OF_THE_PAGE: Final = frozenset({"done", "totals"})
_NO_FILTER: Final = _OF_THE_PAGE | {"cursor", "limit"}

Value = Money | int


@dataclass(frozen=True, slots=True)
class Figure(Generic[Row]):
    """One sum of a list: its name, and what each row adds to it.

    ``of`` is ``None`` where it is no sum over rows, as where several concern one claim: then the ``totals`` tell it.
    """

    name: str
    of: Callable[[Row], Value] | None


@dataclass(frozen=True, slots=True)
class Tally:
    """What a filter finds: how many rows, and what they come to; ``beyond`` where it stopped at ``COUNTED``."""

    count: int
    sums: tuple[tuple[str, Value], ...] = ()
    beyond: bool = False


@dataclass(frozen=True, slots=True)
class Listing(Generic[Row, Key]):
    """One list as its screen shows and exports it.

    ``read`` takes the query, the key of the row before and how many; ``totals`` the query and how many rows to count at
    most (all for ``None``), and answers the count and one value for each of the ``figures``.
    """

    name: str
    schema: type[Schema]
    read: Callable[[Work, Mapping[str, Any], Key | None, int], Sequence[Row]]
    totals: Callable[[Work, Mapping[str, Any], int | None], tuple[Any, ...]]
    key: Callable[[Row], Key]
    columns: Callable[[], tuple[Column[Row], ...]]
    figures: Callable[[], tuple[Figure[Row], ...]] = tuple
    tenants: tuple[str, ...] | None = None
    after: Callable[[str | None], Key | None] = cursor_id  # type: ignore[assignment]  # where the key is an id
    written: Callable[[Key], str] = str

    def page(self) -> dict[str, Any]:
        """One page, counted and summed, for the template; a filter that is nonsense keeps what was typed."""
        given = asked()
        told: dict[str, Any] = {"asked": given, "items": None, "tally": None, "next_cursor": None, "problem": None}
        try:
            query: dict[str, Any] = load(self.schema(), dict(given))
            limit, after = query.pop("limit"), self.after(query.pop("cursor"))
        except Problem as problem:
            return told | {"problem": problem}

        def use_case(work: Work) -> tuple[Sequence[Row], tuple[Any, ...]]:
            return self.read(work, query, after, limit + 1), self.totals(work, query, counted())

        rows, totals = within(use_case, self.tenants)
        following = write_cursor(self.written(self.key(rows[limit - 1]))) if len(rows) > limit else None
        names = [figure.name for figure in self.figures()]
        return told | {"items": rows[:limit], "tally": tally_of(totals, names), "next_cursor": following}

    def export(self, form: str) -> Response:
        """The rows that the address asks for, all of them, as a file with the count and sums of just these."""
        query: dict[str, Any] = load(self.schema(), dict(filters()))
        query.pop("limit"), query.pop("cursor")
        found = within(lambda work: self.totals(work, query, MOST_EXPORTED + 1), self.tenants)
        require_exportable(found[0])
        rows = every(
            lambda after, limit: within(lambda work: self.read(work, query, after, limit), self.tenants), self.key
        )
        return as_file(form, self.name, self.columns(), rows, self.figures(), found[1:])


def shown(template: str, listing: Mapping[str, Any], problem: Problem | None = None, **more: Any) -> Response:  # noqa: ANN401
    """The page of a list, which tells of the problem given or of its own."""
    problem = problem or listing["problem"]
    status = HTTPStatus.OK if problem is None else problem.status
    return show(template, status, **{**more, **listing, "problem": problem})


def asked() -> dict[str, str]:
    """What the list's address asks for, its page included."""
    return {name: value.strip() for name, value in request.args.items() if value.strip() and name not in _OF_THE_PAGE}


def filters() -> dict[str, str]:
    """What the list's address asks for, whatever page it shows: what an export holds."""
    return {name: value for name, value in asked().items() if name not in _NO_FILTER}


def counted() -> int | None:
    """How many rows this page counts: one beyond the bound, or all of them where its address asks for that."""
    return None if request.args.get("totals") == EVERYTHING else COUNTED + 1


def tally_of(totals: Sequence[Any], names: Sequence[str]) -> Tally:
    """Count and sums as they were found, up to what was ``counted``."""
    beyond = counted() is not None and totals[0] > COUNTED
    if beyond:
        return Tally(COUNTED, (), beyond=True)
    return Tally(totals[0], tuple(zip(names, totals[1:], strict=True)))


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
    form: str,
    name: str,
    columns: tuple[Column[Row], ...],
    rows: Iterable[Row],
    figures: Sequence[Figure[Row]] = (),
    found: Sequence[Value] = (),
) -> Response:
    """The rows as ``csv`` or ``xlsx``; their count and sums stand below, or on a sheet of their own.

    ``found`` holds a value for each figure: its kind, and the sum itself where no row adds to it.
    """
    running = _Running(figures, found)
    return (as_csv if form == "csv" else as_xlsx)(name, columns, running.over(rows), running.said)


def require_exportable(count: int) -> None:
    """Refuse to export more than one file should hold.

    Raises:
        Conflict: ``export.too_large``.
    """
    if count > MOST_EXPORTED:
        raise Conflict(
            "export.too_large",
            f"筛选结果超过 {MOST_EXPORTED} 条，一次最多导出这么多，请缩小范围。",
            f"The filter finds over {MOST_EXPORTED} rows, which is the most that is exported at once. Ask for fewer.",
        )


class _Running(Generic[Row]):
    """Counts and sums rows as they go by."""

    def __init__(self, figures: Sequence[Figure[Row]], found: Sequence[Value]) -> None:
        self._figures = figures
        self._count = 0
        self._sums: list[Any] = [
            value if figure.of is None else ZERO if isinstance(value, Money) else 0
            for figure, value in zip(figures, found, strict=True)
        ]

    def over(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The same rows, counted and summed when all have gone by."""
        for row in rows:
            self._count += 1
            for place, figure in enumerate(self._figures):
                if figure.of is not None:
                    self._sums[place] += figure.of(row)
            yield row

    def said(self) -> tuple[tuple[str, str], ...]:
        """The count and each sum, by name."""
        sums = [(figure.name, str(value)) for figure, value in zip(self._figures, self._sums, strict=True)]
        return ((str(_("条数")), str(self._count)), *sums)
