"""A batch by the bank's word: settled with the last outcome, closed with a signed statement, stated again later."""

import json
from base64 import urlsafe_b64decode
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from settlement.bank.simulator.answers import camt053, entries_of
from settlement.batches.batch import Batch, lock_batch
from settlement.batches.batch_settlement import (
    Settlement,
    close_paid,
    list_settlements,
    settlement_lines,
    state_again,
    sums_of,
)
from settlement.payouts.instruction import Account
from settlement.payouts.reissue import Proposal, decide, propose, reissue
from settlement.signatures.keys import public_keys
from settlement.signatures.signing import SETTLEMENT, verify_compact
from tenants.kernel.canonical import sha256 as digest_of
from tenants.kernel.database import StartAgainError
from tenants.kernel.errors import Conflict, Problem
from tests.settlement_service.bank_files import FILES, Desk, open_desk
from tests.settlement_service.bench import DEBTOR, MAKER, OFFICE, OVER, RELEASER, Bench, shanghai

CAME_BACK = shanghai("2024-10-11", 15)
CLOSED = shanghai("2024-10-21")
NEXT_YEAR = shanghai("2025-01-08")


@pytest.fixture
def desk(bench: Bench, tmp_path: Path) -> Desk:
    return open_desk(bench, tmp_path, "100.00", "50.00", "30.00")


def state(desk: Desk) -> str:
    return desk.bench.read(desk.batch).state


def close(desk: Desk, reason: str | None = None, at: datetime = CLOSED, actor: str = MAKER) -> Batch:
    def closing(connection: Any) -> Batch:
        batch = lock_batch(connection, desk.bench.tenant, desk.batch.id)
        return close_paid(connection, batch, reason, OFFICE, actor, at)

    return desk.bench.do(closing, at)


def again(desk: Desk, reason: str | None, at: datetime) -> Settlement:
    tenant = desk.bench.tenant
    return desk.bench.do(lambda c: state_again(c, tenant, desk.batch.id, reason, OFFICE, MAKER, at), at)


def statements(desk: Desk) -> list[Settlement]:
    return desk.bench.do(lambda c: list_settlements(c, desk.batch))


def lines(desk: Desk, at: datetime) -> bytes:
    return b"".join(desk.bench.do(lambda c: list(settlement_lines(c, desk.batch, at))))


def owe_again(desk: Desk, position: int) -> None:
    """The account corrected by two people, cooled off, and owed again."""
    tenant, claim_id = desk.bench.tenant, desk.bench.claims[position]
    right = Account(f"测试企业{position + 1}有限公司", "6222000000009999", "中国农业银行测试支行", "103301000014")
    proposal = Proposal(right, digest_of(b"another account"), "账号有误")
    decided_at, cooled = shanghai("2024-10-14"), shanghai("2024-10-18")
    made = desk.bench.do(lambda c: propose(c, tenant, claim_id, proposal, OFFICE, MAKER, decided_at), decided_at)
    desk.bench.do(lambda c: decide(c, tenant, made.id, "approve", None, RELEASER, decided_at), decided_at)
    desk.bench.do(lambda c: reissue(c, tenant, claim_id, OFFICE, MAKER, cooled), cooled)


def test_a_batch_is_settled_with_the_last_word_of_the_bank_and_no_sooner(desk: Desk) -> None:
    desk.hand_in(FILES["pain.002"](desk.payments))
    desk.hand_in(FILES["camt.053"](desk.payments[:2]))
    assert state(desk) == "instructed"
    with pytest.raises(Conflict, match=r"batch\.state"):
        close(desk)
    desk.hand_in(FILES["camt.053"](desk.payments[2:]))
    assert state(desk) == "settled"
    rows = desk.bench.rows(
        "select body from audit_entry where tenant = %s and action = 'batch.settled'", desk.bench.tenant
    )
    assert [json.loads(row.body)["actor"] for row in rows] == ["system"]


def test_a_rejection_of_the_whole_message_settles_it_too(desk: Desk) -> None:
    desk.hand_in(FILES["pain.002"](desk.with_state("rejected", 0, 1, 2)))
    assert state(desk) == "settled"


def test_the_statement_adds_up_to_the_sealed_total_and_verifies_with_public_keys_alone(desk: Desk) -> None:
    desk.hand_in(FILES["csv"]([*desk.with_state("returned", 1)[:2], *desk.with_state("rejected", 2)[2:]]), CAME_BACK)
    owe_again(desk, 1)
    owe_again(desk, 2)
    assert close(desk).state == "closed"
    [made] = statements(desk)
    assert made.sums.paid.amount + made.sums.returned.amount + made.sums.rejected.amount == desk.batch.total
    keys = desk.bench.do(lambda c: public_keys(c, desk.bench.tenant))
    payload, key = verify_compact(made.jws, SETTLEMENT, keys)
    key.require_valid_at(CLOSED)
    said = json.loads(payload)
    assert said["paid"] == {"count": 1, "amount": "100.00"}
    assert said["returned"] == {"count": 1, "amount": "50.00"}
    assert said["rejected"] == {"count": 1, "amount": "30.00"}
    assert said["open"] == {"count": 0, "amount": "0.00"}
    assert said["reissued"] == {"count": 2, "amount": "80.00"}
    assert (said["total"], said["batch_root"]) == ("180.00", desk.batch.merkle_root)
    assert said["lines_sha256"] == sha256(lines(desk, CLOSED)).hexdigest()
    assert said["manifest_sha256"] == desk.batch.manifest_sha256
    header = json.loads(urlsafe_b64decode(made.jws.split(".")[0] + "=="))
    assert header["typ"] == SETTLEMENT


def test_what_came_back_is_issued_again_first_or_somebody_says_why_not(desk: Desk) -> None:
    desk.hand_in(FILES["camt.053"](desk.with_state("returned", 1)), CAME_BACK)
    with pytest.raises(Conflict, match=r"batch\.not_reissued"):
        close(desk)
    assert close(desk, "企业已注销，不再拨付").state == "closed"
    [made] = statements(desk)
    assert (made.reason, made.sums.reissued.count) == ("企业已注销，不再拨付", 0)


def test_a_reason_where_nothing_is_left_to_explain_is_refused(desk: Desk) -> None:
    desk.hand_in(FILES["camt.053"](desk.payments))
    with pytest.raises(Problem, match=r"settlement\.reason"):
        close(desk, "多余的说明")
    assert state(desk) == "settled"


def test_closing_twice_by_one_person_changes_nothing_and_by_another_is_refused(desk: Desk) -> None:
    desk.hand_in(FILES["camt.053"](desk.payments))
    first = close(desk)
    assert close(desk) == first
    with pytest.raises(Conflict, match=r"batch\.state"):
        close(desk, actor="maker-sun")
    assert len(statements(desk)) == 1


def test_what_comes_back_in_the_next_year_goes_to_its_own_year_and_is_stated_again(desk: Desk) -> None:
    desk.hand_in(FILES["camt.053"](desk.payments))
    close(desk)
    first = lines(desk, CLOSED)
    assert again(desk, None, shanghai("2024-12-01")) == statements(desk)[0]
    credits_ = [each for each in entries_of(desk.with_state("returned", 0)) if each.is_credit]
    late = desk.hand_in(camt053(DEBTOR.account_number, credits_, NEXT_YEAR.date()), NEXT_YEAR)
    assert desk.classes(late) == ["returned"]
    assert (desk.year("paid"), desk.year("returned"), desk.year("returned", 2025)) == (8_000, 10_000, 0)
    assert state(desk) == "closed"
    assert desk.bench.rows("select payout_state(%s, %s) as now", desk.bench.tenant, desk.bench.claims[0])[0].now == (
        "returned"
    )
    assert lines(desk, CLOSED) == first, "what was stated stays true of its instant"
    with pytest.raises(Conflict, match=r"batch\.not_reissued"):
        again(desk, None, shanghai("2025-01-09"))
    second = again(desk, "待企业更正账号", shanghai("2025-01-09"))
    assert (second.number, second.previous_sha256) == (2, statements(desk)[0].sha256)
    assert second.sums.returned.amount.fen == 10_000


def test_nothing_is_booked_of_a_batch_at_or_before_the_instant_of_its_statement(desk: Desk) -> None:
    desk.hand_in(FILES["camt.053"](desk.payments))
    close(desk)
    with pytest.raises(StartAgainError):
        desk.hand_in(FILES["mt940"](desk.with_state("returned", 0)), CLOSED)
    [instruction] = desk.bench.rows(
        "select instruction_id, statement_id from instruction_outcome where tenant = %s order by 1 limit 1",
        desk.bench.tenant,
    )
    with pytest.raises(DBAPIError, match="statement was made later"):
        desk.bench.change(
            "insert into instruction_outcome (tenant, instruction_id, outcome, amount_fen, statement_id, at) "
            "select tenant, instruction_id, 'returned', amount_fen, statement_id, %s from instruction_outcome "
            "where tenant = %s and instruction_id = %s and outcome = 'paid'",
            OVER, desk.bench.tenant, instruction.instruction_id,
        )  # fmt: skip


def test_the_database_settles_and_closes_nothing_too_soon(desk: Desk) -> None:
    tenant, batch_id = desk.bench.tenant, desk.batch.id
    settle = "update batch set state = 'settled', settled_at = now() where tenant = %s and id = %s"
    with pytest.raises(DBAPIError, match="has not told of each"):
        desk.bench.change(settle, tenant, batch_id)
    desk.hand_in(FILES["camt.053"](desk.payments))
    with pytest.raises(DBAPIError, match="closed with its statement"):
        desk.bench.change("update batch set state = 'closed' where tenant = %s and id = %s", tenant, batch_id)
    with pytest.raises(DBAPIError, match="stays settled"):
        desk.bench.change("update batch set settled_at = now() where tenant = %s and id = %s", tenant, batch_id)
    close(desk)
    for change in ("update batch_settlement set reason = 'x'", "delete from batch_settlement"):
        with pytest.raises(DBAPIError):
            desk.bench.change(change)


def test_the_database_takes_no_statement_that_is_not_what_the_bank_told(desk: Desk) -> None:
    desk.hand_in(FILES["camt.053"](desk.payments))
    for paid, returned in ((18_000, 0), (17_000, 1_000), (17_000, 0)):
        with pytest.raises(DBAPIError):
            desk.bench.change(
                "insert into batch_settlement select tenant, id, 1, item_count, total_fen, 2, %s, 0, %s, 0, 0, 0, 0, "
                "repeat('0', 64), repeat('0', 64), 'x', repeat('0', 64), 'x', 'x', now() from batch "
                "where tenant = %s and id = %s",
                paid, returned, desk.bench.tenant, desk.batch.id,
            )  # fmt: skip


def test_the_sums_before_the_end_tell_what_is_open(desk: Desk) -> None:
    desk.hand_in(FILES["camt.053"](desk.payments[:1]))
    sums = desk.bench.do(lambda c: sums_of(c, desk.batch, OVER))
    assert (sums.paid.count, sums.open.count, sums.open.amount.fen) == (1, 2, 8_000)
