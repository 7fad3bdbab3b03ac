"""What came back: another account by two people, three working days, owed again once, and one net subsidy."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy.exc import DBAPIError

from settlement.bank.simulator import Books
from settlement.batches.batch import Batch
from settlement.payouts.instruction import Account
from settlement.payouts.reissue import Correction, Proposal, decide, list_corrections, propose, reissue
from tenants.kernel.canonical import sha256
from tenants.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Problem
from tests.settlement_service.bank_files import FILES, Desk, batch_file, open_desk
from tests.settlement_service.bench import MAKER, OFFICE, RELEASER, Bench, shanghai

CAME_BACK = shanghai("2024-10-11", 15)
DECIDED = shanghai("2024-10-14")
COOLED_OFF = shanghai("2024-10-18")
"""The first morning after three working days from 2024-10-14."""
RIGHT = Account("测试企业1有限公司", "6222000000009999", "中国农业银行测试支行", "103301000014")


@pytest.fixture
def desk(bench: Bench, tmp_path: Path) -> Desk:
    """A batch of two, of which the first came back."""
    desk = open_desk(bench, tmp_path, "100.00", "50.00")
    desk.hand_in(FILES["camt.053"](desk.with_state("returned", 0)), CAME_BACK)
    return desk


def returned_claim(desk: Desk) -> UUID:
    return desk.bench.claims[0]


def proposed(desk: Desk, claim_id: UUID, account: Account = RIGHT, actor: str = MAKER) -> Correction:
    proposal = Proposal(account, sha256(account.account_number.encode()), "账号有误")
    tenant = desk.bench.tenant
    return desk.bench.do(lambda c: propose(c, tenant, claim_id, proposal, OFFICE, actor, DECIDED), DECIDED)


def decided(desk: Desk, correction: Correction, outcome: str = "approve", actor: str = RELEASER) -> Correction:
    tenant, reason = desk.bench.tenant, "已核实"
    return desk.bench.do(lambda c: decide(c, tenant, correction.id, outcome, reason, actor, DECIDED), DECIDED)


def again(desk: Desk, claim_id: UUID, at: datetime = COOLED_OFF) -> UUID:
    return desk.bench.do(lambda c: reissue(c, desk.bench.tenant, claim_id, OFFICE, MAKER, at), at)


def paid_again(desk: Desk) -> Desk:
    """A later batch with what is owed again, released, instructed and paid by the bank."""
    bench = desk.bench
    cut_at = shanghai("2024-10-21")
    assert bench.cut(cut_off_at=cut_at, at=cut_at).item_count == 0, "it is no part of an ordinary batch"
    batch: Batch = bench.publish(bench.cut(cut_off_at=cut_at, at=cut_at, kind="reissue"), at=cut_at)
    assert (batch.kind, batch.mode, batch.item_count) == ("reissue", "common_use", 1)
    over = shanghai("2024-10-29")
    batch = bench.instruct(bench.release(bench.seal(batch, at=over), at=over), at=over)
    books = Books()
    books.receive(batch.batch_no, bench.do(lambda c: batch_file(c, batch)))
    return Desk(bench, desk.folder, batch, books.execute())


def test_what_came_back_is_paid_once_more_to_the_corrected_account(desk: Desk) -> None:
    claim_id = returned_claim(desk)
    decision = decided(desk, proposed(desk, claim_id))
    assert decision.cooling_through_on is not None
    assert (decision.outcome, decision.cooling_through_on.isoformat()) == ("approve", "2024-10-17")
    made = again(desk, claim_id)
    assert (desk.year("returned"), desk.year("obligations")) == (0, 10000)
    later = paid_again(desk)
    [payment] = later.payments
    assert (payment.account_number, str(payment.amount)) == (RIGHT.account_number, "100.00")
    assert payment.end_to_end_id not in {one.end_to_end_id for one in desk.payments}
    later.hand_in(FILES["camt.053"](later.payments), shanghai("2024-10-30"))
    assert (desk.year("paid"), desk.year("in-transit"), desk.year("returned")) == (15000, 0, 0)
    [row] = desk.bench.rows("select of_obligation from reissue where tenant = %s", desk.bench.tenant)
    assert (row.of_obligation, made != claim_id) == (claim_id, True)


def test_what_comes_back_again_is_corrected_and_issued_again(desk: Desk) -> None:
    claim_id = returned_claim(desk)
    decided(desk, proposed(desk, claim_id))
    first = again(desk, claim_id)
    later = paid_again(desk)
    later.hand_in(FILES["camt.053"](later.with_state("returned", 0)), shanghai("2024-10-30"))
    assert desk.year("returned") == 10000
    with pytest.raises(Conflict, match=r"correction\.none"):
        again(desk, claim_id, shanghai("2024-10-31"))
    second = proposed(desk, claim_id)
    assert second.obligation_id == first
    decided(desk, second)
    again(desk, claim_id, shanghai("2024-10-31"))
    known = desk.bench.do(lambda c: list_corrections(c, desk.bench.tenant, claim_id))
    assert [each.obligation_id for each in known] == [claim_id, first]
    assert (desk.year("returned"), desk.year("obligations"), desk.year("paid")) == (0, 10000, 5000)


def test_nothing_is_issued_again_before_the_account_has_cooled_off(desk: Desk) -> None:
    claim_id = returned_claim(desk)
    with pytest.raises(Conflict, match=r"correction\.none"):
        again(desk, claim_id)
    correction = proposed(desk, claim_id)
    with pytest.raises(Conflict, match=r"correction\.none"):
        again(desk, claim_id)
    decided(desk, correction)
    with pytest.raises(Conflict, match=r"correction\.cooling_off"):
        again(desk, claim_id, shanghai("2024-10-17", 23))
    assert again(desk, claim_id, COOLED_OFF) != claim_id


def test_who_proposed_the_account_does_not_decide_on_it(desk: Desk) -> None:
    correction = proposed(desk, returned_claim(desk))
    with pytest.raises(Forbidden, match=r"correction\.four_eyes"):
        decided(desk, correction, actor=MAKER)
    with pytest.raises(Invalid, match=r"correction\.reason"):
        desk.bench.do(lambda c: decide(c, desk.bench.tenant, correction.id, "refuse", None, RELEASER, DECIDED))
    refused = decided(desk, correction, "refuse")
    assert decided(desk, correction, "refuse") == refused
    with pytest.raises(Conflict, match=r"correction\.decided"):
        decided(desk, correction)
    with pytest.raises(Conflict, match=r"correction\.none"):
        again(desk, returned_claim(desk))


def test_only_what_came_back_is_corrected_and_issued_again(desk: Desk) -> None:
    arrived = desk.bench.claims[1]
    for attempt in (lambda: proposed(desk, arrived), lambda: again(desk, arrived)):
        with pytest.raises(Conflict, match=r"claim\.not_returned"):
            attempt()
    with pytest.raises(NotFound):
        again(desk, uuid4())


def test_of_two_people_who_issue_again_at_once_exactly_one_does(desk: Desk) -> None:
    claim_id = returned_claim(desk)
    decided(desk, proposed(desk, claim_id))

    def attempt(_: int) -> str:
        try:
            again(desk, claim_id)
        except Problem as problem:
            return problem.code
        return "made"

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(attempt, range(4))) == ["claim.not_returned"] * 3 + ["made"]
    assert (desk.year("returned"), desk.year("obligations")) == (0, 10000)


def test_the_database_itself_refuses_a_second_issue_an_early_one_and_one_by_one_person(desk: Desk) -> None:
    claim_id, tenant = returned_claim(desk), desk.bench.tenant
    correction = proposed(desk, claim_id)
    decision = (
        "insert into account_correction_decision (tenant, correction_id, proposed_by, outcome, cooling_through_on, "
        "decided_by, decided_at) values (%s, %s, %s, 'approve', %s, %s, %s)"
    )
    for by, decider, day in ((MAKER, MAKER, "2024-10-17"), ("x", "y", "2024-10-17"), (MAKER, RELEASER, "2024-10-14")):
        with pytest.raises(DBAPIError):
            desk.bench.change(decision, tenant, correction.id, by, day, decider, DECIDED)
    decided(desk, correction)
    made = again(desk, claim_id)
    insert = (
        "insert into reissue "
        "(tenant, obligation_id, of_obligation, attempt, correction_id, cooling_through_on, made_by, made_at) "
        "values (%s, %s, %s, 1, %s, '2024-10-17', 'x', %s)"
    )
    values: tuple[Any, ...] = (tenant, desk.bench.claims[1], claim_id, correction.id)
    with pytest.raises(DBAPIError, match="reissue_once"):
        desk.bench.change(insert, *values, COOLED_OFF)
    with pytest.raises(DBAPIError, match="reissue_cooled_off"):
        desk.bench.change(insert, *values, DECIDED)
    with pytest.raises(DBAPIError):
        desk.bench.change(insert, tenant, claim_id, made, correction.id, COOLED_OFF)
    for table in ("account_correction", "account_correction_decision", "reissue"):
        for statement in (f"update {table} set tenant = tenant", f"delete from {table}"):  # noqa: S608 - our own tables
            with pytest.raises(DBAPIError):
                desk.bench.change(statement)
