"""The end of a batch as clients over HTTP bring it about, and its statement as anybody verifies it offline."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clearing.api.settlements import BatchOutcomeSchema, BatchSettlementSchema
from clearing.api.suspense import SuspenseLineSchema, SuspenseResolutionSchema
from settlement.bank.simulator.answers import camt053, entries_of
from settlement.offline.settled import verify_settlement
from tests.settlement_service.bank_files import DAY, open_desk
from tests.settlement_service.bench import DEBTOR, OVER, Bench, shanghai
from tests.settlement_service.desk import Desk

CLOSED = shanghai("2024-10-15")


@pytest.fixture
def answered(desk: Desk, bench: Bench, tmp_path: Path) -> Any:
    """A batch of three: one arrives, one comes back, one arrives under a reference that nobody knows."""
    desk.move_to(OVER)
    made = open_desk(bench, tmp_path, "100.00", "50.00", "30.00")
    payments = made.with_state("returned", 1)
    payments[2] = replace(payments[2], end_to_end_id="A" * 26)
    content = camt053(DEBTOR.account_number, entries_of(payments), DAY)
    path = f"{desk.batches}/{made.batch.id}/statements"
    assert desk.post("maker", path, data=content).status_code == 201
    return made


def explained(desk: Desk, answered: Any) -> None:
    """The stranger's movement is assigned by two people, which settles the batch."""
    path = f"/v1/tenants/{desk.tenant}/suspense"
    [line] = desk.get("maker", path).get_json()["items"]
    assert set(line) == {field.data_key or name for name, field in SuspenseLineSchema().fields.items()}
    [row] = answered.bench.rows(
        "select instruction_id from instruction_claim where tenant = %s and claim_id = %s",
        desk.tenant, answered.bench.claims[2],
    )  # fmt: skip
    body = {
        "kind": "assign", "instruction_id": str(row.instruction_id), "reason": "附言缺失，已核对收款人",
        "lines": [{"statement_id": line["statement_id"], "line": line["line"]}],
    }  # fmt: skip
    desk.move_to(CLOSED)
    made = desk.post("maker", f"{path}/resolutions", json=body)
    assert (made.status_code, set(made.get_json())) == (201, set(SuspenseResolutionSchema().fields))
    decision = f"{made.headers['Location']}/decision"
    assert desk.post("maker", decision, json={"outcome": "approve"}).status_code == 403
    desk.hire("makers-other-client", "batches:release", person="li")
    own = desk.post("makers-other-client", decision, json={"outcome": "approve"})
    assert (own.status_code, own.get_json()["code"]) == (403, "suspense.four_eyes")
    [waiting] = desk.get("releaser", f"{path}/resolutions?waiting=true").get_json()["items"]
    assert waiting["id"] == made.get_json()["id"]
    done = desk.post("releaser", decision, json={"outcome": "approve", "reason": "已核"})
    assert (done.status_code, done.get_json()["decision"]) == (200, "approve")
    assert desk.get("releaser", path).get_json()["items"] == []
    assert desk.get("releaser", made.headers["Location"]).get_json() == done.get_json()


def test_a_batch_is_explained_closed_and_verified_with_its_statement_alone(
    desk: Desk, answered: Any, tmp_path: Path
) -> None:
    batch = {"id": str(answered.batch.id)}
    path = f"{desk.batches}/{batch['id']}/settlement"
    before = desk.get("maker", path).get_json()
    assert set(before) == set(BatchOutcomeSchema().fields)
    assert (before["state"], before["now"]["open"]) == ("instructed", {"count": 1, "amount": "30.00"})
    assert desk.post("maker", path, json={}).get_json()["code"] == "batch.not_closed"
    explained(desk, answered)
    refused = desk.step("maker", batch, "close", headers={"Accept-Language": "en"})
    assert (refused.status_code, refused.get_json()["code"]) == (409, "batch.not_reissued")
    closed = desk.step("maker", batch, "close", json={"reason": "企业已注销"}).get_json()
    assert (closed["state"], closed["possible_steps"]) == ("closed", [])
    [statement] = desk.get("releaser", path).get_json()["statements"]
    assert set(statement) == set(BatchSettlementSchema().fields)
    assert (statement["paid"], statement["returned"]) == (
        {"count": 2, "amount": "130.00"}, {"count": 1, "amount": "50.00"},
    )  # fmt: skip
    again = desk.post("maker", path, json={})
    assert (again.status_code, again.get_json()) == (201, statement), "nothing has changed: the last one is answered"
    answer = desk.get("releaser", f"{path}/lines")
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    lines = tmp_path / "lines.jsonl"
    lines.write_bytes(answer.data)
    assert desk.get("releaser", f"{path}/lines?number=2").status_code == 404
    keys = desk.http.get(f"/.well-known/jwks/{desk.tenant}.json").get_json()
    assert verify_settlement(statement["jws"], keys, lines, manifest_sha256=closed["manifest_sha256"]) == []
    for change, code in CHANGES.items():
        lines.write_bytes(change(answer.data))
        assert code in {found.code for found in verify_settlement(statement["jws"], keys, lines)}, code
    header, payload, signature = statement["jws"].split(".")
    said = json.loads(urlsafe_decoded(payload))
    said["paid"]["amount"] = "180.00"
    forged = ".".join((header, urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode(), signature))
    assert [found.code for found in verify_settlement(forged, keys)] == ["signature.wrong"]
    assert [found.code for found in verify_settlement("x", keys)] == ["signature.malformed"]
    assert [found.code for found in verify_settlement(statement["jws"], {"keys": []})] == ["key.unknown"]


def urlsafe_decoded(text: str) -> bytes:
    from base64 import urlsafe_b64decode

    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _first(content: bytes) -> bytes:
    return content.split(b"\n")[0] + b"\n"


CHANGES: dict[Callable[[bytes], bytes], str] = {
    lambda content: content.replace(b'"50.00"', b'"51.00"'): "differs",
    lambda content: content[len(_first(content)) :]: "differs",
    lambda content: content + _first(content): "line.repeated",
    lambda content: content[len(_first(content)) :] + _first(content): "differs",
    lambda content: content[:-3]: "line.malformed",
}


def test_bad_explanations_are_answered_with_pointers(desk: Desk, answered: Any) -> None:
    path = f"/v1/tenants/{desk.tenant}/suspense/resolutions"
    bad: list[tuple[dict[str, Any], str]] = [
        ({}, "/kind"),
        ({"kind": "lost", "lines": [], "reason": "x"}, "/kind"),
        ({"kind": "unrelated", "reason": "x", "lines": [{"statement_id": "x", "line": 0}]}, "/lines/0/statement_id"),
        ({"kind": "assign", "reason": "x", "lines": [{"statement_id": str(answered.batch.id), "line": 1}]},
         "/instruction_id"),
    ]  # fmt: skip
    for body, pointer in bad:
        answer = desk.post("maker", path, json=body)
        assert answer.status_code == 422, answer.get_json()
        assert pointer in [error["pointer"] for error in answer.get_json()["errors"]]
    assert desk.get("maker", f"/v1/tenants/{desk.tenant}/suspense?cursor=eA").status_code == 422
