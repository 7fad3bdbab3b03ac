from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.kernel.workdays import MAX_WORKING_DAYS, CalendarYear, official_calendar, publicity_through

CALENDAR = official_calendar()


def new_year(year: int, version: str = "国办发明电〔2026〕7号") -> CalendarYear:
    return CalendarYear(year, version, frozenset({date(year, 1, 1)}), frozenset({date(year, 1, 3)}), "国务院办公厅通知")


def test_five_working_days_from_friday_27_september_2024_end_on_10_october() -> None:
    assert publicity_through(date(2024, 9, 27), 5, CALENDAR) == (date(2024, 10, 10), False, CALENDAR.version)


def test_a_make_up_sunday_is_a_workday_and_a_national_holiday_is_not() -> None:
    assert CALENDAR.is_workday(date(2024, 9, 29))
    assert CALENDAR.is_workday(date(2024, 10, 12))
    assert not CALENDAR.is_workday(date(2024, 10, 7))
    assert not CALENDAR.is_workday(date(2024, 9, 28))


def test_the_notice_starts_on_the_day_after_publication() -> None:
    assert publicity_through(date(2024, 8, 28), 1, CALENDAR).through_on == date(2024, 8, 29)


def test_a_date_beyond_the_published_calendar_is_provisional() -> None:
    through = publicity_through(date(2026, 12, 30), 3, CALENDAR)
    assert through.provisional
    assert through.through_on == date(2027, 1, 4)


def test_a_notice_that_ends_within_the_published_calendar_is_certain() -> None:
    assert not publicity_through(date(2026, 12, 24), 5, CALENDAR).provisional


def test_a_date_before_the_published_calendar_is_provisional_too() -> None:
    assert publicity_through(date(2003, 5, 1), 2, CALENDAR).provisional


def test_a_year_loaded_by_hand_makes_its_dates_certain_and_is_named() -> None:
    calendar = official_calendar([new_year(2027)])
    through = publicity_through(date(2026, 12, 30), 3, calendar)
    assert through == (date(2027, 1, 4), False, calendar.version)
    assert "2027:国办发明电〔2026〕7号" in calendar.version
    assert calendar.version != CALENDAR.version
    assert not calendar.is_workday(date(2027, 1, 1))
    assert calendar.is_workday(date(2027, 1, 3))


def test_a_year_loaded_by_hand_replaces_the_library_s() -> None:
    calendar = official_calendar([new_year(2024)])
    assert calendar.is_workday(date(2024, 10, 7))
    assert not official_calendar().is_workday(date(2024, 10, 7))


def test_a_year_loaded_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="loaded twice"):
        official_calendar([new_year(2027), new_year(2027, "2")])


def test_a_calendar_year_with_a_foreign_day_is_refused() -> None:
    with pytest.raises(ValueError, match="another year"):
        CalendarYear(2027, "1", frozenset({date(2028, 1, 1)}), frozenset(), "x")


def test_a_day_that_is_both_holiday_and_workday_is_refused() -> None:
    with pytest.raises(ValueError, match="a holiday and a workday"):
        CalendarYear(2027, "1", frozenset({date(2027, 1, 1)}), frozenset({date(2027, 1, 1)}), "x")


def test_a_calendar_year_without_a_version_is_refused() -> None:
    with pytest.raises(ValueError, match="no version"):
        CalendarYear(2027, "", frozenset(), frozenset(), "x")


@pytest.mark.parametrize("days", [0, -1, MAX_WORKING_DAYS + 1])
def test_a_notice_of_no_or_too_many_days_is_refused(days: int) -> None:
    with pytest.raises(ValueError, match="working days"):
        publicity_through(date(2024, 1, 1), days, CALENDAR)


@given(st.dates(date(2004, 1, 1), date(2025, 12, 31)), st.integers(1, 30))
def test_exactly_the_asked_number_of_workdays_lies_in_the_notice_and_the_last_day_is_one(
    published_on: date, days: int
) -> None:
    through_on = publicity_through(published_on, days, CALENDAR).through_on
    span = [published_on + timedelta(days=n) for n in range(1, (through_on - published_on).days + 1)]
    assert sum(CALENDAR.is_workday(day) for day in span) == days
    assert CALENDAR.is_workday(through_on)
