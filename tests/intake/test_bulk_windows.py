"""How the lines of a bulk body are gathered before they are taken in: few at a time, whatever they hold."""

import json
from collections.abc import Iterable

import pytest

from clearing.api import support_records
from clearing.api.bulk import MAX_LINES, gathered
from clearing.api.ndjson import Line
from clearing.claims.case import Desk
from connectors.submission import Submission
from tenants.kernel.errors import Invalid
from tenants.principal import Principal
from tests.intake.bodies import WUJIANG, Body, claim


def desk_of(claim_: Submission) -> Desk:
    """A desk for each tenant but one."""
    if claim_.tenant == "atlantis":
        raise Invalid("claim.invalid", "没有", "none")
    return Desk(claim_.tenant, "delta", "client", "client", may_import=False, demonstration=True)


def lines(contents: Iterable[bytes | None]) -> list[Line]:
    return [Line(number, content) for number, content in enumerate(contents, start=1)]


def text(body: Body) -> bytes:
    return json.dumps(body).encode()


@pytest.mark.parametrize("content", [b"x", b"{}", None, text(claim(WUJIANG, tenant="atlantis"))])
def test_lines_that_are_refused_are_answered_few_at_a_time(content: bytes | None) -> None:
    windows = list(gathered(iter(lines([content] * (3 * MAX_LINES + 1))), desk_of))
    assert [len(window.lines) for window in windows] == [MAX_LINES, MAX_LINES, MAX_LINES, 1]


def test_claims_of_several_tenants_are_gathered_together() -> None:
    tenants = ["wujiang", "qingpu", "wujiang", "jiashan"] * 20
    windows = list(gathered(iter(lines(text(claim(WUJIANG, tenant=one)) for one in tenants)), desk_of))
    assert [len(window.lines) for window in windows] == [80]


def test_an_external_id_stands_in_a_window_once() -> None:
    body = text(claim(WUJIANG))
    windows = list(gathered(iter(lines([body, b"x", body, body])), desk_of))
    assert [[number for number, _ in window.lines] for window in windows] == [[1, 2], [3], [4]]


def test_a_full_window_of_claims_is_taken_in_before_the_rest_is_read() -> None:
    read: list[int] = []

    def body_lines() -> Iterable[Line]:
        for line in lines(text(claim(WUJIANG)) for _ in range(MAX_LINES + 5)):
            read.append(line.number)
            yield line

    windows = gathered(iter(body_lines()), desk_of)
    assert len(next(windows).lines) == MAX_LINES
    assert read[-1] <= MAX_LINES + 1


def test_support_records_that_are_refused_are_answered_few_at_a_time() -> None:
    caller = Principal("client", "client", "wujiang-local", ("wujiang",), frozenset())
    chunks = list(support_records.gathered(iter(lines([b"x"] * (2 * support_records.RECORDS_AT_ONCE + 1))), caller))
    assert [len(chunk) for chunk in chunks] == [support_records.RECORDS_AT_ONCE] * 2 + [1]
