"""A bulk submission whose connection is cut, at any line: the client goes on, and the final state is the same."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from clearing.demonstration.claims import generate
from connectors.client import Caller, ClientSecret, LineAnswer, Patience, Platform, bulk
from tests.intake.bodies import Body, claim
from tests.scenarios.callers import Callers
from tests.scenarios.faulty_way import Cut, Fault, LostAnswer, LostRequest, Through, Way, way_to
from tests.service.running import RunningService, running

ON = date(2024, 9, 30)
LINES = 24
CUTS: list[Fault] = [
    LostRequest(), LostAnswer(), Cut(0), Cut(1, 40), Cut(7, cleanly=True), Cut(11, 3), Cut(LINES - 1),
    Cut(LINES - 1, 99),
]  # fmt: skip
BRISK = Patience(attempts=5, first_wait=timedelta(milliseconds=1), longest_wait=timedelta(milliseconds=20))
Outcome = tuple[bool, str | None, str | None, int | None, tuple[str, ...]]


def lines() -> list[Body]:
    """Claims with everything among them that depends on order: twins of an invoice, one id twice, faults."""
    found = [claim(on=ON) for _ in range(LINES)]
    found[9]["invoices"][0]["number"] = found[3]["invoices"][0]["number"]  # another enterprise's invoice
    found[14] = deepcopy(found[4]) | {"external_id": found[14]["external_id"]}  # the same project once more
    found[12] = deepcopy(found[2])  # the same line twice
    found[13] = found[13] | {"external_id": found[1]["external_id"]}  # one id, another content
    found[5]["invoices"][0]["amount"] = "1e5"
    found[20]["documents"].pop()
    return found


def outcome(answer: LineAnswer) -> Outcome:
    """What became of a line, but for whether it was stored just now or by an attempt before."""
    if answer.problem is not None:
        return False, answer.problem.code, None, None, ()
    made = answer.claim
    return True, made.state, str(made.award), made.revision, tuple(finding.rule for finding in made.findings)


@pytest.fixture(scope="module")
def cut_way(callers: Callers) -> Iterator[Way]:
    with way_to(callers.address) as way:
        yield way


@pytest.fixture(scope="module")
def platform(callers: Callers, cut_way: Way) -> Iterator[Platform]:
    api = callers.platform("jssic", "jiangsu")
    assert api.client_id is not None
    with Caller(cut_way.address, ClientSecret(api.client_id, api.client_secret), BRISK) as caller:
        yield Platform(caller)


@pytest.fixture(scope="module")
def uncut(platform: Platform) -> list[Outcome]:
    return [outcome(answer) for answer in platform.submit_all(lines())]


@pytest.mark.parametrize("fault", CUTS, ids=str)
def test_a_cut_at_a_sampled_line_leads_to_the_same_final_state(
    platform: Platform, cut_way: Way, uncut: list[Outcome], fault: Fault
) -> None:
    given = lines()
    cut_way.follow(fault)
    assert [outcome(answer) for answer in platform.submit_all(given)] == uncut
    for number in (3, 9, 14):
        stored = list(platform.claims(external_id=given[number]["external_id"]))
        assert [(one.state, one.revision) for one in stored] == [(uncut[number][1], 1)]


def test_a_cut_after_every_single_line_leads_to_the_same_final_state(
    platform: Platform, cut_way: Way, uncut: list[Outcome]
) -> None:
    cut_way.follow(*[Cut(1, number % 50) for number in range(LINES - 1)])
    assert [outcome(answer) for answer in platform.submit_all(lines())] == uncut
    assert sum(path.endswith("/bulk") for _, path, _, _ in cut_way.seen) == LINES


WHOLE = 10_000
AT_ONCE = 100
"""Lines of one request: what is sent again after each cut is bounded by it, and every line is a place of a cut."""


@contextmanager
def fresh_service() -> Iterator[RunningService]:
    """A service of its own, with nothing in it."""
    folder = Path(tempfile.mkdtemp(prefix="cut-"))
    with running(folder / "data", "--demo-clock", "2024-09-27T09:00:00+08:00") as started:
        yield started
    shutil.rmtree(folder)


def whole_state(service: RunningService, cut: bool) -> tuple[list[Outcome], dict[str, Any]]:  # noqa: FBT001 - of a pair
    """Ten thousand generated claims in bulk, cut after each line or never: every answer, and what is stored."""
    bodies = [one.body for one in generate(31, WHOLE * 2) if one.platform == "jssic"][:WHOLE]
    assert len(bodies) == WHOLE
    with ExitStack() as stack:
        way = stack.enter_context(way_to(service.address))
        way.plan = lambda _number, path: Cut(1, 7) if cut and path.endswith("/bulk") else Through()
        api = service.platform("jssic", "jiangsu")
        assert api.client_id is not None
        secret = ClientSecret(api.client_id, api.client_secret)
        platform = Platform(stack.enter_context(Caller(way.address, secret, BRISK)))
        answers = []
        for answer in platform.submit_all(bodies):
            answers.append(outcome(answer))
            way.seen.clear()
        stored = {one.external_id: (one.state, one.revision, str(one.award)) for one in platform.claims()}
    assert service.run("verify", "--json").returncode == 0
    return answers, stored


@pytest.mark.long
def test_ten_thousand_lines_cut_after_every_line_end_in_the_same_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "BULK_LINES", AT_ONCE)
    with fresh_service() as service:
        never = whole_state(service, cut=False)
    with fresh_service() as service:
        always = whole_state(service, cut=True)
    assert len(never[0]) == WHOLE
    assert always == never
