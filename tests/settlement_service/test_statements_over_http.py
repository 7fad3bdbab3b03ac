"""Bank's answers as clients over HTTP hand them in: a report per line, the same file twice, and refusals."""

from dataclasses import replace
from typing import Any

import pytest

from clearing.api.statements import LineSchema, StatementReportSchema
from settlement.bank.simulator.answers import camt053, entries_of
from tests.settlement_service.bank_files import DAY, FILES, open_desk
from tests.settlement_service.bench import DEBTOR, OVER, Bench
from tests.settlement_service.desk import Desk


@pytest.fixture
def answered(desk: Desk, bench: Bench, tmp_path: Any) -> Any:
    """A batch that was instructed, and its payments as the bank made them."""
    desk.move_to(OVER)
    return open_desk(bench, tmp_path, "100.00", "50.00", "30.00")


def hand_in(desk: Desk, batch_id: object, content: bytes, **headers: str) -> Any:
    return desk.post("maker", f"{desk.batches}/{batch_id}/statements", data=content, headers=headers)


def test_a_bank_file_is_answered_with_a_report_per_line(desk: Desk, answered: Any) -> None:
    content = FILES["camt.053"](answered.with_state("returned", 1))
    answer = hand_in(desk, answered.batch.id, content)
    assert answer.status_code == 201, answer.get_json()
    body = answer.get_json()
    assert set(body) == set(StatementReportSchema().fields)
    assert body["format"] == "camt.053"
    assert body["lines"] == 4
    assert body["classes"]["matched"] == {"count": 3, "amount": "180.00", "to_suspense": "0.00"}
    [line] = body["differences"]["items"]
    assert set(line) == {field.data_key or name for name, field in LineSchema().fields.items()}
    assert (line["class"], line["outcome"], line["amount"], line["reason"]) == ("returned", "returned", "50.00", "AC04")
    path = answer.headers["Location"]
    assert desk.get("releaser", path).get_json() == body
    lines = desk.get("maker", f"{path}/lines?limit=2").get_json()
    assert [line["line"] for line in lines["items"]] == [1, 2]
    more = desk.get("maker", f"{path}/lines?limit=2&cursor={lines['next_cursor']}").get_json()
    assert [line["line"] for line in more["items"]] == [3, 4]
    only = desk.get("maker", f"{path}/lines?class=returned").get_json()["items"]
    assert [line["class"] for line in only] == ["returned"]


def test_the_same_file_again_answers_what_was_stored(desk: Desk, answered: Any) -> None:
    content = FILES["camt.053"](answered.payments)
    first = hand_in(desk, answered.batch.id, content, **{"Idempotency-Key": "a"})
    assert first.status_code == 201
    again = hand_in(desk, answered.batch.id, content, **{"Idempotency-Key": "a"})
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (201, "true")
    fresh = hand_in(desk, answered.batch.id, content)
    assert (fresh.status_code, fresh.get_json()) == (200, first.get_json())
    other = hand_in(desk, answered.batch.id, content + b"\n", **{"Idempotency-Key": "a"})
    assert (other.status_code, other.get_json()["code"]) == (409, "idempotency.key_reused")
    [listed] = desk.get("maker", f"{desk.batches}/{answered.batch.id}/statements").get_json()["items"]
    assert listed["id"] == first.get_json()["id"]


def test_a_refused_file_leaves_nothing(desk: Desk, answered: Any) -> None:
    other = camt053("9999000011112222", entries_of(answered.payments), DAY)
    answer = hand_in(desk, answered.batch.id, other, **{"Accept-Language": "en"})
    assert (answer.status_code, answer.get_json()["code"]) == (422, "statement.foreign")
    cut = FILES["camt.053"](answered.payments)[:-40]
    assert hand_in(desk, answered.batch.id, cut).get_json()["code"] == "statement.malformed"
    assert hand_in(desk, answered.batch.id, b"x", **{"Content-Encoding": "gzip"}).status_code == 415
    little = replace(desk.service, settings=replace(desk.service.settings, statement_mib=1))
    desk.http.application.extensions["clearing"] = little
    assert hand_in(desk, answered.batch.id, b"x" * (2**20 + 1)).status_code == 413
    assert desk.get("maker", f"{desk.batches}/{answered.batch.id}/statements").get_json()["items"] == []
    assert answered.outcomes() == []


def test_another_tenants_people_hand_nothing_in(desk: Desk, answered: Any) -> None:
    desk.hire("stranger", "batches:write", tenant="jiangsu")
    path = f"{desk.batches}/{answered.batch.id}/statements"
    answer = desk.post("stranger", path, data=FILES["camt.053"](answered.payments))
    assert (answer.status_code, answer.get_json()["code"]) == (404, "not_found")
    assert DEBTOR.account_number not in answer.get_data(as_text=True)
