"""The same key and body get the first answer for ever, with one effect; another body is refused."""

import threading
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from psycopg import errors as pg
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from clearing.api.frame import Answer
from tenants.kernel.database import Work
from tenants.kernel.errors import Conflict, FieldError, Invalid, Text, Unavailable
from tests.api.door import Caller, Door, at_once, code
from tests.intake.bodies import claim

BUDGETS = "/v1/tenants/jiangsu/schemes/provincial/budgets"


@pytest.fixture
def series() -> str:
    return f"test-{uuid4()}"


def count(work: Work, series: str) -> int:
    """One effect more; how many there were."""
    latest = work.connection.exec_driver_sql(
        "insert into number_series as n (tenant, series, year, latest) values ('jiangsu', %s, 2024, 1) "
        "on conflict (tenant, series, year) do update set latest = n.latest + 1 returning latest",
        (series,),
    ).scalar_one()
    return int(latest)


def effects(app: Engine, series: str) -> int:
    with app.begin() as connection:
        connection.exec_driver_sql("select * from bind_scope('jiangsu', null)")
        rows = connection.exec_driver_sql("select latest from number_series where series = %s", (series,))
        return int(rows.scalar_one_or_none() or 0)


def counting(series: str, then: Callable[[Work], object] = lambda _: None) -> Callable[[Work], Answer]:
    def use_case(work: Work) -> Answer:
        number = count(work, series)
        then(work)
        return Answer({"count": number}, 201, {"Location": f"/here/{number}", "ETag": f'"{number}"', "X-Kept": "no"})

    return use_case


def keyed(key: str | None = None) -> dict[str, str]:
    return {"Idempotency-Key": key or str(uuid4())}


def test_the_first_answer_comes_again_with_its_headers_and_one_effect(door: Door, app: Engine, series: str) -> None:
    door.offer("/count", counting(series))
    caller, headers = door.hire("claims:read"), keyed()
    first, *others = [caller.post("/count", json={"a": 1}, headers=headers) for _ in range(4)]
    assert (first.status_code, first.get_json(), first.headers.get("Idempotency-Replayed")) == (201, {"count": 1}, None)
    for other in others:
        assert (other.status_code, other.data, other.headers["Idempotency-Replayed"]) == (201, first.data, "true")
        for name in ("Content-Type", "Location", "ETag"):
            assert other.headers[name] == first.headers[name]
        assert other.headers["X-Request-Id"] != first.headers["X-Request-Id"]
    assert effects(app, series) == 1


def test_without_a_key_each_call_has_its_effect_and_reading_calls_ignore_keys(
    door: Door, app: Engine, series: str
) -> None:
    door.offer("/count", counting(series))
    caller, headers = door.hire("claims:read"), keyed()
    assert [caller.post("/count").get_json()["count"] for _ in range(2)] == [1, 2]
    assert [caller.get("/count", headers=headers).get_json()["count"] for _ in range(2)] == [3, 4]
    assert effects(app, series) == 4


@pytest.mark.parametrize("change", ["body", "path", "query", "method"])
def test_the_same_key_for_another_request_is_refused_and_without_effect(
    door: Door, app: Engine, series: str, change: str
) -> None:
    for path in ("/count", "/other"):
        door.offer(path, counting(series), "POST", "PUT")
    caller, headers = door.hire("claims:read"), keyed()
    caller.post("/count?x=1", json={"a": 1}, headers=headers)
    method = "PUT" if change == "method" else "POST"
    path = {"path": "/other?x=1", "query": "/count?x=2"}.get(change, "/count?x=1")
    again = caller.call(method, path, json={"a": 2 if change == "body" else 1}, headers=headers)
    assert code(again) == (409, "idempotency.key_reused")
    assert caller.post("/count?x=1", json={"a": 1}, headers=headers).status_code == 201
    assert effects(app, series) == 1


def test_one_clients_keys_are_not_anothers(door: Door, app: Engine, series: str) -> None:
    door.offer("/count", counting(series))
    headers = keyed()
    callers = [door.hire("claims:read") for _ in range(2)]
    assert [caller.post("/count", headers=headers).get_json()["count"] for caller in callers] == [1, 2]


def test_sixteen_threads_with_one_key_have_one_effect_and_one_answer(door: Door, app: Engine, series: str) -> None:
    door.offer("/count", counting(series))
    caller, headers = door.hire("claims:read"), keyed()
    answers = at_once(*[lambda: caller.post("/count", json={}, headers=headers)] * 16)
    assert {(answer.status_code, answer.data) for answer in answers} == {(201, b'{"count":1}')}
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    assert effects(app, series) == 1


def test_sixteen_threads_with_one_key_and_different_bodies_have_one_winner(
    door: Door, app: Engine, series: str
) -> None:
    door.offer("/count", counting(series))
    caller, headers = door.hire("claims:read"), keyed()
    answers = at_once(*[lambda n=n: caller.post("/count", json={"n": n}, headers=headers) for n in range(16)])
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 15
    assert effects(app, series) == 1


def refuse(_: Work) -> None:
    fault = FieldError("/a/0", "a.wrong", Text("有误", "wrong"))
    raise Invalid("input.wrong", "内容有误。", "It is wrong.", errors=(fault,))


def test_a_refusal_comes_again_though_the_same_call_would_now_succeed(door: Door, app: Engine, series: str) -> None:
    refusals = iter([refuse])

    def refuse_once(work: Work) -> None:
        for one in refusals:
            one(work)

    door.offer("/count", counting(series, refuse_once))
    caller, headers = door.hire("claims:read"), keyed()
    first = caller.post("/count", json={}, headers=headers)
    again = caller.post("/count", json={}, headers=headers)
    assert code(first) == code(again) == (422, "input.wrong")
    assert again.data == first.data
    assert again.content_type == first.content_type == "application/problem+json"
    assert again.headers["Idempotency-Replayed"] == "true"
    assert effects(app, series) == 0
    assert caller.post("/count", json={}, headers=keyed()).get_json() == {"count": 1}


def test_a_refusal_and_a_success_that_race_under_one_key_are_answered_alike(
    door: Door, app: Engine, series: str
) -> None:
    turns, others_wait = iter([True]), threading.Event()

    def refuse_first(work: Work) -> None:
        if next(turns, False):
            others_wait.wait(0.3)
            raise Conflict("state.wrong", "状态不符。", "Not in this state.")

    door.offer("/count", counting(series, refuse_first))
    caller, headers = door.hire("claims:read"), keyed()
    answers = at_once(*[lambda: caller.post("/count", json={}, headers=headers)] * 4)
    answers.append(caller.post("/count", json={}, headers=headers))
    assert len({(answer.status_code, answer.data) for answer in answers}) == 1
    assert effects(app, series) == (1 if answers[0].status_code == 201 else 0)


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (RuntimeError("a fault of ours"), 500),
        (Unavailable("queue.unavailable", "队列不可用。", "The queue is away."), 503),
        (DBAPIError("x", None, pg.AdminShutdown("terminating connection")), 503),
    ],
    ids=["our fault", "unavailable", "database"],
)
def test_a_fault_of_the_service_is_not_remembered_and_the_call_may_be_repeated(
    door: Door, app: Engine, series: str, fault: Exception, status: int
) -> None:
    faults = iter([fault])

    def fail_once(work: Work) -> None:
        if (one := next(faults, None)) is not None:
            raise one

    door.offer("/count", counting(series, fail_once))
    caller, headers = door.hire("claims:read"), keyed()
    assert caller.post("/count", json={}, headers=headers).status_code == status
    assert effects(app, series) == 0
    again = caller.post("/count", json={}, headers=headers)
    assert (again.status_code, again.get_json()) == (201, {"count": 1})
    assert "Idempotency-Replayed" not in again.headers


def test_a_crash_between_the_effect_and_the_commit_leaves_nothing(door: Door, app: Engine, series: str) -> None:
    crashes = iter([True])

    def crash_once(work: Work) -> None:
        if next(crashes, False):
            pid = work.connection.exec_driver_sql("select pg_backend_pid()").scalar_one()
            with app.begin() as other:
                other.exec_driver_sql("select pg_terminate_backend(%s, 5000)", (pid,))

    door.offer("/count", counting(series, crash_once))
    caller, headers = door.hire("claims:read"), keyed()
    lost = caller.post("/count", json={}, headers=headers)
    assert code(lost) == (503, "database.unavailable")
    assert lost.headers["Retry-After"] == "5"
    assert effects(app, series) == 0
    assert caller.post("/count", json={}, headers=headers).get_json() == {"count": 1}


@pytest.mark.parametrize("key", ["", "x" * 256, "a\x7fb", "键", "a\tb"], ids=["empty", "long", "DEL", "zh", "tab"])
def test_a_key_that_is_no_printable_ascii_is_refused(door: Door, key: str) -> None:
    caller = door.hire("policies:write")
    answer = caller.put(
        f"{BUDGETS}/2031", json={"amount": "1.00"}, headers={"Idempotency-Key": key.encode().decode("latin-1")}
    )
    assert code(answer) == (400, "idempotency.key_invalid")


@pytest.mark.parametrize("key", ["x" * 255, " ", "'; drop table claim; --", "\\x00", "%s"])
def test_an_odd_but_printable_key_is_a_key(door: Door, app: Engine, series: str, key: str) -> None:
    door.offer("/count", counting(series))
    caller = door.hire("claims:read")
    answers = [caller.post("/count", headers={"Idempotency-Key": key}) for _ in range(2)]
    assert [answer.get_json() for answer in answers] == [{"count": 1}] * 2 or key == " "
    assert effects(app, series) == 1 or key == " "


def test_an_unreadable_request_does_not_use_its_key_up(door: Door) -> None:
    caller, headers = door.hire("policies:write", "claims:read"), keyed()
    assert caller.put(f"{BUDGETS}/2032", data=b"{", headers=headers, content_type="application/json").status_code == 400
    assert caller.put(f"{BUDGETS}/2032", json={"amount": "5.00"}, headers=headers).status_code == 200
    assert caller.get(f"{BUDGETS}/2032").get_json()["amount"] == "5.00"


def test_a_claim_sent_by_sixteen_threads_with_one_key_is_one_claim(door: Door) -> None:
    caller, headers, body = door.platform(), keyed(), claim()
    answers = at_once(*[lambda: caller.post("/v1/claims", json=body, headers=headers)] * 16)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.data for answer in answers}) == 1
    assert len(listed(caller, body)) == 1


def listed(caller: Caller, body: dict[str, Any]) -> list[Any]:
    found: list[Any] = caller.get(f"/v1/claims?external_id={body['external_id']}").get_json()["items"]
    return found
