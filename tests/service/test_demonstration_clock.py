"""The demonstration clock over HTTP and across restarts: forward only."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.service.running import DEMO_CLOCK, Api, RunningService, running


def now(caller: Api) -> datetime:
    """What the service takes for the present."""
    return datetime.fromisoformat(caller.get("/v1/demo/clock").json["now"])


def test_the_clock_runs_and_moves_forward_but_never_back(service: RunningService, operator: Api) -> None:
    before = now(operator)
    wanted = before + timedelta(hours=2)
    assert operator.put("/v1/demo/clock", {"now": wanted.isoformat()}).status == 200
    assert timedelta(0) <= now(operator) - wanted < timedelta(minutes=1)
    back = operator.put("/v1/demo/clock", {"now": before.isoformat()})
    assert (back.status, back.code) == (409, "clock.backwards")
    assert now(operator) >= wanted


def test_only_an_operator_moves_the_clock(service: RunningService, jssic: Api) -> None:
    assert jssic.put("/v1/demo/clock", {"now": "2030-01-01T00:00:00+08:00"}).code == "scope.missing"


@pytest.mark.parametrize(
    "wanted", ["2024-10-10", "2024-10-10T09:00:00", "tomorrow", 5, None, "9999-12-31T23:59:59+00:00", ""]
)
def test_what_is_no_instant_is_refused_with_its_place(operator: Api, wanted: object) -> None:
    answer = operator.put("/v1/demo/clock", {"now": wanted})
    assert answer.status == 422
    assert answer.json["errors"][0]["pointer"] == "/now"


def test_after_a_restart_the_later_of_stored_and_given_time_holds(place: Path) -> None:
    folder = place / "data"
    with running(folder, "--demo-clock", DEMO_CLOCK) as first:
        caller = first.staff("operator-chen", "clearing:operate")
        assert caller.put("/v1/demo/clock", {"now": "2024-10-15T09:00:00+08:00"}).status == 200
    with running(folder, "--demo-clock", DEMO_CLOCK) as second:
        caller.address = second.address
        assert now(caller) >= datetime.fromisoformat("2024-10-15T09:00:00+08:00")
    with running(folder, "--demo-clock", "2024-11-01T09:00:00+08:00") as third:
        caller.address = third.address
        assert now(caller) >= datetime.fromisoformat("2024-11-01T09:00:00+08:00")
    with running(folder) as fourth:  # a demonstration stays one
        caller.address = fourth.address
        assert now(caller) >= datetime.fromisoformat("2024-11-01T09:00:00+08:00")
