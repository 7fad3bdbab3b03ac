"""Time: never back, instants in UTC, days in Shanghai."""

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.kernel import clock as clock_module
from tenants.kernel.clock import SHANGHAI, FixedClock, OffsetClock, SystemClock, print_instant, shanghai_day

NOON = datetime(2024, 9, 1, 4, tzinfo=UTC)


class SetBack(datetime):
    """A machine whose time was set back by an hour while the process ran."""

    readings: Iterator[datetime] = iter(())

    @classmethod
    def now(cls, tz: object = None) -> datetime:  # type: ignore[override]  # noqa: ARG003 - the signature
        return next(cls.readings)


def test_a_machine_that_is_set_back_does_not_take_the_clock_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SystemClock()
    readings = [NOON, NOON - timedelta(hours=1), NOON + timedelta(seconds=1), NOON]
    monkeypatch.setattr(SetBack, "readings", iter(readings))
    monkeypatch.setattr(clock_module, "datetime", SetBack)
    assert [clock.now() for _ in readings] == [NOON, NOON, NOON + timedelta(seconds=1), NOON + timedelta(seconds=1)]


def test_the_machines_clock_is_aware_and_never_goes_back_under_threads() -> None:
    clock = SystemClock()
    seen: list[list[datetime]] = []

    def read() -> None:
        seen.append([clock.now() for _ in range(500)])

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    assert all(one == sorted(one) for one in seen)
    assert clock.now().tzinfo is UTC


def test_a_fixed_clock_moves_forward_only() -> None:
    clock = FixedClock(NOON)
    clock.move_to(NOON)
    with pytest.raises(ValueError, match="never goes back"):
        clock.move_to(NOON - timedelta(microseconds=1))
    clock.move_to(NOON.astimezone(SHANGHAI) + timedelta(days=1))
    assert clock.now() == NOON + timedelta(days=1)
    assert clock.now().tzinfo is UTC


@pytest.mark.parametrize("use", [FixedClock, shanghai_day, print_instant])
def test_an_instant_without_a_zone_is_refused_not_guessed(use: object) -> None:
    assert callable(use)
    with pytest.raises(ValueError, match="zone"):
        use(datetime(2024, 9, 1, 12))  # noqa: DTZ001 - that is the point


def test_demonstration_time_runs_at_the_machines_pace_and_not_before_its_anchor() -> None:
    anchor = [(NOON, datetime(2026, 1, 1, tzinfo=UTC))]
    machine = FixedClock(datetime(2025, 12, 31, tzinfo=UTC))
    clock = OffsetClock(lambda: anchor[0], machine)
    assert clock.now() == NOON
    machine.move_to(datetime(2026, 1, 1, 0, 0, 7, tzinfo=UTC))
    assert clock.now() == NOON + timedelta(seconds=7)
    anchor[0] = (NOON + timedelta(days=30), machine.now())
    assert clock.now() == NOON + timedelta(days=30)


@pytest.mark.parametrize(
    ("at", "day"),
    [
        ("2024-08-31T15:59:59.999999Z", date(2024, 8, 31)),
        ("2024-08-31T16:00:00Z", date(2024, 9, 1)),
        ("2024-12-31T16:00:00Z", date(2025, 1, 1)),
        ("2024-09-01T23:59:59+08:00", date(2024, 9, 1)),
        ("2024-09-01T00:00:00+14:00", date(2024, 8, 31)),
    ],
)
def test_a_business_day_begins_at_midnight_in_shanghai(at: str, day: date) -> None:
    assert shanghai_day(datetime.fromisoformat(at)) == day


@given(st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)), st.integers(-14, 14))  # noqa: DTZ001 - zone follows
def test_a_printed_instant_is_the_same_instant_with_the_offset_of_shanghai(naive: datetime, hours: int) -> None:
    at = naive.replace(tzinfo=timezone(timedelta(hours=hours)))
    printed = print_instant(at)
    assert datetime.fromisoformat(printed) == at
    assert printed.endswith("+08:00")
