"""Working days (工作日) by the official calendar with make-up days (调休), and when a public notice ends.

The State Council publishes each year's holidays and make-up workdays in the autumn before. Years that nobody has
published yet are computed as Monday to Friday and marked provisional (暂定); nothing is paid on a provisional day.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib.metadata import version
from types import MappingProxyType
from typing import Final, NamedTuple

from chinese_calendar import constants  # type: ignore[import-untyped] # the library has no types

MAX_WORKING_DAYS: Final = 250
"""A notice never runs longer than about one year of working days."""

_SATURDAY: Final = 5
_ONE_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class CalendarYear:
    """One published year: weekdays that are ``holidays``, weekend days that are ``workdays``, and the notice.

    ``version`` names this year's data; ``cite`` is the document that published it.
    """

    year: int
    version: str
    holidays: frozenset[date]
    workdays: frozenset[date]
    cite: str

    def __post_init__(self) -> None:
        """Refuse days of another year and days said to be both.

        Raises:
            ValueError: such a day, or no version.
        """
        if any(day.year != self.year for day in self.holidays | self.workdays):
            raise ValueError(f"the calendar of {self.year} holds a day of another year")
        if self.holidays & self.workdays:
            raise ValueError(f"the calendar of {self.year} says of one day that it is a holiday and a workday")
        if not self.version:
            raise ValueError(f"the calendar of {self.year} has no version")


@dataclass(frozen=True, slots=True)
class Calendar:
    """Published years by number; ``version`` names all the data a date was computed with."""

    version: str
    years: Mapping[int, CalendarYear]

    def is_workday(self, day: date) -> bool:
        """Whether people work on the day; Monday to Friday where the year is not published."""
        published = self.years.get(day.year)
        if published is not None:
            if day in published.workdays:
                return True
            if day in published.holidays:
                return False
        return day.weekday() < _SATURDAY

    def is_provisional(self, day: date) -> bool:
        """Whether nobody has published the day's year yet."""
        return day.year not in self.years


class Publicity(NamedTuple):
    """The last day of a notice; ``provisional`` where a year in between is not published."""

    through_on: date
    provisional: bool
    calendar_version: str


@cache
def _library_years() -> Mapping[int, CalendarYear]:
    """The years that the library ``chinesecalendar`` carries, taken from the State Council's notices."""
    name = f"chinesecalendar-{version('chinesecalendar')}"
    first, last = min(constants.holidays).year, max(constants.holidays).year
    return MappingProxyType(
        {
            year: CalendarYear(
                year=year,
                version=name,
                holidays=frozenset(day for day in constants.holidays if day.year == year),
                workdays=frozenset(day for day in constants.workdays if day.year == year),
                cite=f"国务院办公厅关于{year}年部分节假日安排的通知",
            )
            for year in range(first, last + 1)
        }
    )


def official_calendar(loaded: Iterable[CalendarYear] = ()) -> Calendar:
    """The library's years, and above them the years that a tenant loaded from the State Council's notice.

    A loaded year replaces the library's; the calendar's version names both.

    Raises:
        ValueError: a year is loaded twice.
    """
    carried = _library_years()
    years = dict(carried)
    name = f"{carried[max(carried)].version}/{min(carried)}-{max(carried)}"
    seen: set[int] = set()
    for year in sorted(loaded, key=lambda each: each.year):
        if year.year in seen:
            raise ValueError(f"the calendar of {year.year} is loaded twice")
        seen.add(year.year)
        years[year.year] = year
        name += f"+{year.year}:{year.version}"
    return Calendar(version=name, years=MappingProxyType(years))


def publicity_through(published_on: date, working_days: int, calendar: Calendar) -> Publicity:
    """The last of ``working_days`` working days (公示期), counted from the day after publication.

    Raises:
        ValueError: fewer than one day, or more than ``MAX_WORKING_DAYS``.
    """
    if not 1 <= working_days <= MAX_WORKING_DAYS:
        raise ValueError(f"a notice runs from 1 to {MAX_WORKING_DAYS} working days")
    day, left, provisional = published_on, working_days, False
    while left:
        day += _ONE_DAY
        provisional = provisional or calendar.is_provisional(day)
        left -= calendar.is_workday(day)
    return Publicity(day, provisional, calendar.version)
