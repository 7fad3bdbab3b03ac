"""The client library against the running service, over a way that loses, cuts and delays."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from connectors.client import Caller, CallError, ClientSecret, Patience, Platform, UnansweredError
from connectors.reading import read_submission
from connectors.submission import SupportKey, SupportRecord
from tenants.kernel.money import Money
from tests.intake.bodies import JIANGSU, claim, invoice_number
from tests.scenarios.callers import Callers
from tests.scenarios.faulty_way import Busy, Cut, LostAnswer, LostRequest, Through, Way, way_to
from tests.service.running import until

ON = date(2024, 9, 30)
BRISK = Patience(attempts=4, first_wait=timedelta(milliseconds=1), longest_wait=timedelta(milliseconds=4))


@pytest.fixture(scope="module")
def way(callers: Callers) -> Iterator[Way]:
    with way_to(callers.address) as made:
        yield made


@pytest.fixture(scope="module")
def secret(callers: Callers) -> ClientSecret:
    api = callers.platform("jssic", "jiangsu")
    assert api.client_id is not None
    return ClientSecret(api.client_id, api.client_secret)


@pytest.fixture
def platform(way: Way, secret: ClientSecret) -> Iterator[Platform]:
    with Caller(way.address, secret, BRISK) as caller:
        assert caller.token
        yield Platform(caller)


def keys_sent(way: Way) -> list[str | None]:
    return [headers.get("Idempotency-Key") for _, path, headers, _ in way.seen if path.startswith("/v1/")]


def test_a_typed_claim_is_submitted_and_answered_typed(platform: Platform) -> None:
    body = claim(on=ON)
    answer = platform.submit(read_submission(body))
    assert (answer.external_id, answer.tenant, answer.revision) == (body["external_id"], "jiangsu", 1)
    assert answer.state == "in_review"
    assert answer.award == Money.parse("2500.00")
    assert platform.claim(answer.id) == answer
    found = platform.find(body["external_id"])
    assert found is not None
    assert found.id == answer.id
    assert platform.find("no-such-number") is None


def test_a_write_whose_answer_was_lost_is_repeated_with_its_key_and_takes_effect_once(
    platform: Platform, way: Way
) -> None:
    way.follow(LostAnswer(), LostRequest(), Busy(502), Through())
    body = claim(on=ON)
    answer = platform.submit(body)
    assert answer.revision == 1
    sent = keys_sent(way)
    assert len(sent) == 4
    assert len(set(sent)) == 1
    assert sent[0] is not None
    assert len(list(platform.claims(external_id=body["external_id"]))) == 1


def test_two_writes_never_share_a_key(platform: Platform, way: Way) -> None:
    way.follow()
    platform.submit(claim(on=ON))
    platform.submit(claim(on=ON))
    assert len(set(keys_sent(way))) == 2


def test_what_the_service_refuses_is_raised_at_once_with_every_pointer(platform: Platform, way: Way) -> None:
    way.follow()
    body = claim(on=ON)
    body["invoices"][0]["amount"] = "1e3"
    del body["payee"]["cnaps"]
    with pytest.raises(CallError, match="422") as refused:
        platform.submit(body)
    problem = refused.value.problem
    assert problem is not None
    assert {(one.pointer, one.code) for one in problem.errors} == {
        ("/invoices/0/amount", "money.malformed"),
        ("/payee/cnaps", "field.required"),
    }
    assert len(way.seen) == 1


def test_a_way_that_never_answers_ends_in_an_error_after_bounded_attempts(platform: Platform, way: Way) -> None:
    way.follow(*[LostRequest()] * 9)
    with pytest.raises(UnansweredError, match="4 attempts"):
        platform.submit(claim(on=ON))
    assert len(way.seen) == BRISK.attempts


def test_the_wait_that_the_service_asks_for_is_kept(way: Way, secret: ClientSecret) -> None:
    waited: list[Any] = []
    patience = Patience(attempts=3, first_wait=timedelta(milliseconds=1), sleep=waited.append)
    way.follow(Busy(429, "17"), Busy(503, "99999"), Through())
    with Caller(way.address, secret, patience) as caller:
        Platform(caller).submit(claim(on=ON))
    assert waited == [timedelta(seconds=17), patience.longest_retry_after]


def test_waits_double_up_to_their_bound_and_are_never_all_the_same() -> None:
    patience = Patience(first_wait=timedelta(seconds=1), longest_wait=timedelta(seconds=8))
    for attempt, step in ((1, 1), (2, 2), (3, 4), (4, 8), (5, 8), (500, 8)):
        waits = {patience.wait_after(attempt) for _ in range(50)}
        assert min(waits) >= timedelta(seconds=step) / 2
        assert max(waits) <= timedelta(seconds=step)
        assert len(waits) > 1


def test_a_revoked_token_is_replaced_within_the_call(
    platform: Platform, callers: Callers, secret: ClientSecret, way: Way
) -> None:
    before = platform.caller.token
    with callers.engine.begin() as connection:
        connection.exec_driver_sql("delete from access_token where client_id = %s", (secret.client_id,))
    until(lambda: _is_refused(callers, before))  # a process may honour it for two seconds more
    way.follow()
    assert platform.submit(claim(on=ON)).revision == 1
    assert platform.caller.token != before


def _is_refused(callers: Callers, token: str) -> bool:
    api = callers.platform("jssic", "jiangsu")
    return all(api.get("/v1/claims?limit=1", Authorization=f"Bearer {token}").status == 401 for _ in range(8))


def test_a_wrong_secret_is_an_error_and_is_not_tried_again(way: Way, secret: ClientSecret) -> None:
    way.follow()
    with Caller(way.address, ClientSecret(secret.client_id, "wrong"), BRISK) as caller, pytest.raises(CallError):
        caller.get("/v1/claims")
    assert [path for _, path, _, _ in way.seen] == ["/oauth/token"]
    assert "wrong" not in repr(ClientSecret("client", "wrong"))


def test_bulk_goes_on_at_the_first_line_without_an_answer(platform: Platform, way: Way) -> None:
    bodies = [claim(on=ON) for _ in range(7)]
    way.follow(Cut(2, 30), LostAnswer(), Cut(0), Cut(3, cleanly=True), Busy(503), Through())
    answers = list(platform.submit_all(bodies))
    assert [one.line for one in answers] == list(range(1, 8))
    assert [one.claim.external_id for one in answers] == [body["external_id"] for body in bodies]
    assert {one.claim.revision for one in answers} == {1}
    sent = [body.count(b"\n") for _, path, _, body in way.seen if path.endswith("/bulk")]
    assert sent == [7, 5, 5, 5, 2, 2]


def test_bulk_gives_up_when_nothing_more_is_answered(platform: Platform, way: Way) -> None:
    bodies = [claim(on=ON) for _ in range(3)]
    way.follow(Cut(1), *[Cut(0)] * 9)
    found = platform.submit_all(bodies)
    assert next(found).line == 1
    with pytest.raises(UnansweredError, match="line 2"):
        list(found)


def test_a_refused_line_and_one_too_large_are_answers_among_the_others(platform: Platform, way: Way) -> None:
    way.follow()
    bad = claim(on=ON) | {"mode": "free"}
    huge = claim(on=ON) | {"duplicate_explanation": "长" * 3_000_000}
    answers = list(platform.submit_all([claim(on=ON), bad, huge, claim(on=ON)]))
    assert [one.status for one in answers] == [201, 422, 413, 201]
    assert [one.is_taken for one in answers] == [True, False, False, True]
    problem = answers[1].problem
    assert problem is not None
    assert problem.errors[0].pointer == "/mode"


def test_more_lines_than_one_request_takes_are_numbered_through(platform: Platform, way: Way) -> None:
    way.follow()
    good = claim(on=ON)
    answers = list(platform.submit_all({"number": number} if number else good for number in range(1_001)))
    assert [one.line for one in answers] == list(range(1, 1_002))
    assert [one.status for one in answers] == [201] + [422] * 1_000
    assert sum(path.endswith("/bulk") for _, path, _, _ in way.seen) == 3


def test_support_records_and_events_are_typed_too(platform: Platform, way: Way) -> None:
    way.follow()
    invoice, body = invoice_number(), claim(JIANGSU, on=ON)
    record = SupportRecord(
        "jssic", f"S-{invoice}", "jiangsu", body["enterprise"]["uscc"],
        (SupportKey("invoice", invoice, Money.parse("800.00")),), ON,
    )  # fmt: skip
    answer = platform.register_support(record)
    assert (answer.keys, answer.collisions) == (1, ())
    again = list(platform.register_all_support([record]))
    assert (again[0].status, again[0].support_record) == (200, answer)
    body["invoices"][0]["number"] = invoice
    refused = platform.submit(body)
    assert refused.state == "rejected"
    assert any(one.rule.startswith("duplicate.") and one.cite for one in refused.findings)
    mine = until(lambda: [one for one in platform.events() if one.subject_id == refused.id])
    assert mine[-1].type == "claim.rejected"
    assert mine[-1].data["external_id"] == body["external_id"]
    assert not list(platform.events(after=max(one.seq for one in platform.events())))


def test_withdrawing_takes_effect_once_although_its_answer_was_lost(platform: Platform, way: Way) -> None:
    answer = platform.submit(claim(on=ON))
    way.follow(LostAnswer())
    assert platform.withdraw(answer.id, "企业撤回").state == "withdrawn"
    assert platform.claim(answer.id).state == "withdrawn"
