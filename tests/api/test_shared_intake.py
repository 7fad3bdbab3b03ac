"""Requests that come at once share transactions, and each gets its own answer."""

import time
from typing import Any

from sqlalchemy import Engine

from tests.api.door import Caller, Door, at_once, code
from tests.intake.bodies import WUJIANG, Body, again, claim

THREADS = 32
QUIET_TURNS = 10


def submit(caller: Caller, bodies: list[Body]) -> list[Any]:
    return at_once(*[lambda body=body: caller.post("/v1/claims", json=body) for body in bodies])


def transactions_of(app: Engine, answers: list[Any]) -> int:
    with app.begin() as connection:
        connection.exec_driver_sql("select * from bind_scope('jiangsu', null)")
        ids = [answer.get_json()["id"] for answer in answers]
        statement = "select count(distinct xmin::text) from claim where id = any(%s::uuid[])"
        return int(connection.exec_driver_sql(statement, (ids,)).scalar_one())


def test_claims_that_come_at_once_share_transactions_and_each_is_answered_with_its_own(door: Door, app: Engine) -> None:
    bodies = [claim(amount=f"{10_000 + number}.00") for number in range(THREADS)]
    answers = submit(door.platform(), bodies)
    assert {answer.status_code for answer in answers} == {201}
    for body, answer in zip(bodies, answers, strict=True):
        shown = answer.get_json()
        assert shown["external_id"] == body["external_id"]
        assert shown["assessment"]["base"] == body["invoices"][0]["amount"]
        assert answer.headers["Location"] == f"/v1/claims/{shown['id']}"
    assert len({answer.get_json()["claim_no"] for answer in answers}) == THREADS
    assert transactions_of(app, answers) < THREADS


def test_good_late_repeated_and_differing_claims_at_once_each_get_their_own_outcome(door: Door) -> None:
    caller = door.platform()
    old = [claim() for _ in range(4)]
    assert {caller.post("/v1/claims", json=body).status_code for body in old} == {201}
    wanted: list[tuple[Body, int, str | None]] = []
    for number in range(24):
        known = old[number % 4]
        wanted += [
            (claim(), 201, None),
            (known, 200, None),
            (again(known, external_id=known["external_id"]), 409, "claim.content_differs"),
            (claim(submitted_at="2024-01-05T09:00:00+08:00"), 422, "claim.invalid"),
        ][number % 4 : number % 4 + 1]
    answers = submit(caller, [body for body, _, _ in wanted])
    for (body, status, problem), answer in zip(wanted, answers, strict=True):
        assert answer.status_code == status, answer.get_json()
        assert answer.get_json().get("code") == problem
        assert problem or answer.get_json()["external_id"] == body["external_id"]


def test_the_same_claim_from_every_thread_is_stored_once(door: Door) -> None:
    caller, body = door.platform(), claim()
    answers = submit(caller, [body] * THREADS)
    assert sorted(answer.status_code for answer in answers) == [200] * (THREADS - 1) + [201]
    assert len({answer.get_json()["id"] for answer in answers}) == 1


def test_one_external_id_with_different_contents_at_once_has_one_winner(door: Door) -> None:
    caller, external_id = door.platform(), claim()["external_id"]
    answers = submit(caller, [claim(external_id=external_id) for _ in range(THREADS)])
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * (THREADS - 1)


def test_one_spending_claimed_by_every_thread_has_one_winner(door: Door) -> None:
    body = claim()
    answers = submit(door.platform(), [again(body) for _ in range(THREADS)])
    assert {answer.status_code for answer in answers} == {201}
    winners = [answer.get_json() for answer in answers if answer.get_json()["state"] == "in_review"]
    assert len(winners) == 1
    assert {answer.get_json()["assessment"]["award"] for answer in answers} == {
        "0.00",
        winners[0]["assessment"]["award"],
    }


def test_another_tenants_use_of_the_id_befalls_its_own_claim_only(door: Door) -> None:
    taken = claim()
    assert door.platform().post("/v1/claims", json=taken).status_code == 201
    stranger = door.platform("jssic", ("wujiang", "shanxi-hainan"))
    bodies = [claim(WUJIANG) for _ in range(15)]
    bodies.insert(7, claim(WUJIANG, external_id=taken["external_id"]))
    answers = submit(stranger, bodies)
    assert [answer.status_code for answer in answers] == [201] * 7 + [409] + [201] * 8
    assert code(answers[7]) == (409, "claim.content_differs")
    assert "CL-" not in answers[7].get_data(as_text=True)


def test_a_database_that_refuses_all_is_told_to_every_caller_and_then_forgotten(
    door: Door, owner: Engine, app: Engine
) -> None:
    caller, bodies = door.platform(), [claim() for _ in range(16)]
    caller.get("/v1/claims?limit=1")  # so that the token is known
    with owner.connect() as blocker:
        blocker.exec_driver_sql("lock table number_series in access exclusive mode")
        calls = [lambda body=body: caller.post("/v1/claims", json=body) for body in bodies]
        *answers, cancelled = at_once(*calls, lambda: cancel_whoever_waits(app))
        blocker.rollback()
    assert {answer.status_code for answer in answers} == {503}
    assert 1 <= cancelled < len(bodies)
    repeated = submit(caller, bodies)
    assert {answer.status_code for answer in repeated} == {201}


def cancel_whoever_waits(app: Engine) -> int:
    """Cancel whoever waits for the lock, until nobody comes any more; how many there were."""
    cancelled, quiet = 0, 0
    while quiet < QUIET_TURNS:
        time.sleep(0.05)
        with app.begin() as watcher:
            found = watcher.exec_driver_sql(
                "select count(pg_cancel_backend(pid)) from pg_locks "
                "where not granted and relation = 'number_series'::regclass"
            ).scalar_one()
        cancelled, quiet = cancelled + found, 0 if found else quiet + 1
    return cancelled
