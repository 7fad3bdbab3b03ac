"""A bulk submission whose connection is cut, at any line: the client goes on, and the final state is the same."""

from collections.abc import Iterator
from copy import deepcopy
from datetime import date, timedelta

import pytest

from connectors.client import Caller, ClientSecret, LineAnswer, Patience, Platform
from tests.intake.bodies import Body, claim
from tests.scenarios.callers import Callers
from tests.scenarios.faulty_way import Cut, CutUpload, Fault, LostAnswer, LostRequest, Way, way_to

ON = date(2024, 9, 30)
LINES = 24
CUTS: list[Fault] = [
    LostRequest(), LostAnswer(), Cut(0), Cut(1, 40), Cut(7, cleanly=True), Cut(11, 3), Cut(LINES - 1),
    Cut(LINES - 1, 99), CutUpload(0, 9), CutUpload(1), CutUpload(7, 40, cleanly=True), CutUpload(LINES - 1, 99),
    CutUpload(LINES),
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
