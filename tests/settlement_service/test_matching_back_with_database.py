"""Matching follows its award: waiting while the payout is back, less of it when asked back, in both books at once."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from settlement.bank.simulator import Books
from settlement.batches.batch_steps import CutOrder, cut, publish
from settlement.batches.publicity import PublicityTerms
from settlement.matching import matching_subject, record_payment
from settlement.matching_back import CLAWED_BACK, Back, linked_tenants, take_back
from settlement.matching_list import Due, list_due, who_owes
from settlement.matching_recovery import Recovered, Recovery, recover
from settlement.payouts.instruction import Account
from settlement.payouts.reissue import Proposal, decide, propose, reissue
from tenants.kernel.canonical import sha256
from tenants.kernel.clock import FixedClock, shanghai_day
from tenants.kernel.database import Scope, run, transaction
from tenants.kernel.errors import Conflict, NotFound
from tenants.kernel.ids import new_id
from tenants.kernel.money import Money
from tenants.kernel.workdays import official_calendar
from tests.settlement_service.bank_files import FILES, Desk, batch_file
from tests.settlement_service.bench import MAKER, OFFICE, OVER, RELEASER, Bench, shanghai
from tests.settlement_service.provinces import SEALED, Province, open_province

CAME_BACK, COOLED_OFF = shanghai("2024-10-14"), shanghai("2024-10-18")
AGAIN_DUE_ON = date(2025, 1, 29)
"""Three months after the payout that is issued again on 2024-10-29."""


@dataclass
class Both(Bench):
    """A bench bound to the linked tenant too."""

    also: tuple[str, ...] = field(default=())

    def do(self, use_case: Any, at: datetime = OVER) -> Any:
        with transaction(self.app, Scope((self.tenant, *self.also)), FixedClock(at)) as work:
            return use_case(work.connection)


@dataclass
class Case:
    """A payout of three claims, two of them matched, and the province's bank."""

    province: Province
    both: Both
    desk: Desk

    def come_back(self) -> None:
        """The bank pays the first two and sends them back."""
        self.desk.hand_in(FILES["camt.053"](self.desk.with_state("returned", 0, 1)), CAME_BACK)

    def ask_back(self, claim_id: UUID, keep: str, at: datetime = CAME_BACK) -> None:
        back = Back(CLAWED_BACK, new_id(), "赵", at)
        keeps = {claim_id: Money.parse(keep)}
        self.both.do(lambda c: take_back(c, self.both.tenant, keeps, back, OFFICE.sealer), at)

    def due(self, which: str = "all", tenant: str | None = None) -> list[Due]:
        today = shanghai_day(OVER)
        found: list[Due] = self.both.do(lambda c: list_due(c, tenant or self.both.tenant, today, which, None, None, 9))
        return found

    def owed(self) -> list[tuple[int, bool]]:
        """The linked tenant's obligations: amount, and whether it stands."""
        rows = self.province.linked.rows(
            "select amount_fen, released_at is null as stands from obligation where tenant = %s order by id",
            self.province.linked.tenant,
        )
        return [tuple(row) for row in rows]

    def balance(self, name: str, division: str) -> int:
        return self.desk.balance(f"{name}/provincial/2024/{division}")

    def linked_balance(self, name: str) -> int:
        linked = self.province.linked
        return Desk(linked, self.desk.folder, self.desk.batch, []).year(name)


@pytest.fixture
def case(app: Engine, owner: Engine, tmp_path: Path) -> Case:
    province = open_province(app, owner)
    batch = province.pay_out()
    both = Both(app, province.bench.tenant, claims=province.claims, also=(province.linked.tenant,))
    books = Books()
    books.receive(batch.batch_no, both.do(lambda c: batch_file(c, batch)))
    return Case(province, both, Desk(both, tmp_path, batch, books.execute()))


def test_a_payout_that_came_back_leaves_no_matching_due_in_either_book(case: Case) -> None:
    case.come_back()
    assert [(str(one.amount), str(one.waiting)) for one in case.due()] == [("0.00", "100.00"), ("0.00", "50.00")]
    assert (case.due("open"), case.due("overdue")) == ([], [])
    assert [str(one.waiting) for one in case.due("waiting", case.province.linked.tenant)] == ["100.00"]
    assert case.owed() == [(10_000, False)]
    assert (case.linked_balance("obligations"), case.linked_balance("matching-expense")) == (0, 0)
    for division, fen in ((case.province.own, 10_000), (case.province.outside, 5_000)):
        assert (case.balance("matching-payable", division), case.balance("matching-waiting", division)) == (0, fen)
    assert case.both.do(lambda c: who_owes(c, case.both.tenant, date(2026, 1, 1))) == []
    told = case.both.rows(
        "select tenant, action from audit_entry where subject_id = %s order by tenant",
        matching_subject(case.both.tenant, case.province.claims[0]),
    )
    assert sorted(map(tuple, told)) == sorted(
        (tenant, "matching.taken_back") for tenant in (case.both.tenant, case.province.linked.tenant)
    )


def test_what_is_issued_again_is_matched_anew_three_months_later(case: Case) -> None:
    case.come_back()
    both, claim_id = case.both, case.province.claims[0]
    account = Account("测试企业1有限公司", "6222000000009999", "中国农业银行测试支行", "103301000014")
    proposal = Proposal(account, sha256(b"6222000000009999"), "账号有误")
    made = both.do(lambda c: propose(c, both.tenant, claim_id, proposal, OFFICE, MAKER, CAME_BACK), CAME_BACK)
    both.do(lambda c: decide(c, both.tenant, made.id, "approve", "已核实", RELEASER, CAME_BACK), CAME_BACK)
    both.do(lambda c: reissue(c, both.tenant, claim_id, OFFICE, MAKER, COOLED_OFF), COOLED_OFF)
    cut_at, over = shanghai("2024-10-21"), shanghai("2024-10-29")
    batch = both.publish(both.cut(cut_off_at=cut_at, at=cut_at, kind="reissue"), at=cut_at)
    both.instruct(both.release(both.seal(batch, at=over), at=over), at=over)
    [again, still] = sorted(case.due(), key=lambda one: one.claim_id != claim_id)
    assert (str(again.amount), str(again.waiting), again.due_on) == ("100.00", "0.00", AGAIN_DUE_ON)
    assert (str(still.amount), str(still.waiting)) == ("0.00", "50.00")
    assert case.owed() == [(10_000, False), (10_000, True)]
    assert (case.linked_balance("obligations"), case.balance("matching-payable", case.province.own)) == (10_000, 10_000)
    both.do(lambda c: c.exec_driver_sql("select 1"))
    assert both.instruct_by_id(batch.id, over).state == "instructed"
    assert case.owed() == [(10_000, False), (10_000, True)]


def test_a_part_asked_back_reduces_the_matching_and_frees_the_enterprises_cap(case: Case) -> None:
    cap = f"matching/provincial/2024/{case.province.own}/91320300MA1TEST00X"
    before = case.desk.balance(cap)
    case.ask_back(case.province.claims[0], "60.00")
    case.ask_back(case.province.claims[0], "60.00")
    [one] = case.due("open", case.province.linked.tenant)
    assert (str(one.amount), case.owed()) == ("60.00", [(10_000, False), (6_000, True)])
    assert (case.linked_balance("obligations"), case.desk.balance(cap) - before) == (6_000, 4_000)
    case.ask_back(case.province.claims[0], "0.00")
    assert (case.due("open", case.province.linked.tenant), case.linked_balance("obligations")) == ([], 0)


def test_a_batch_that_is_not_sealed_gives_its_item_up_and_a_sealed_one_pays_what_is_then_to_be_recovered(
    case: Case,
) -> None:
    linked = case.province.linked
    linked.set_account()
    order = CutOrder(linked.tenant, "provincial", "common_use", OVER, kind="matching")
    batch = linked.do(lambda c: cut(c, order, MAKER, OVER), OVER)
    case.ask_back(case.province.claims[0], "70.00", OVER)
    assert (linked.read(batch).item_count, str(linked.read(batch).total), case.owed()[-1]) == (0, "0.00", (7_000, True))
    batch = linked.do(lambda c: cut(c, order, MAKER, OVER), OVER)
    terms = PublicityTerms(1, official_calendar())
    linked.do(lambda c: publish(c, linked.tenant, batch.id, terms, MAKER, OVER), OVER)
    sealed = linked.seal(batch, at=SEALED)
    case.ask_back(case.province.claims[0], "30.00", SEALED)
    assert [str(one.to_recover) for one in case.due("to_recover", linked.tenant)] == ["40.00"]
    paid = case.province.instruct(linked.release(sealed, at=SEALED), linked.tenant)
    assert str(paid.total) == "70.00"
    case.ask_back(case.province.claims[0], "0.00", SEALED)
    [one] = case.due("paid", linked.tenant)
    assert (str(one.amount), str(one.to_recover)) == ("70.00", "70.00")
    assert case.balance("matching-paid", case.province.own) == 7_000


def pay_by_batch(case: Case) -> None:
    """The linked tenant pays its matching of the first claim."""
    linked = case.province.linked
    linked.set_account()
    order = CutOrder(linked.tenant, "provincial", "common_use", OVER, kind="matching")
    batch = linked.do(lambda c: cut(c, order, MAKER, OVER), OVER)
    terms = PublicityTerms(1, official_calendar())
    linked.do(lambda c: publish(c, linked.tenant, batch.id, terms, MAKER, OVER), OVER)
    case.province.instruct(linked.release(linked.seal(batch, at=SEALED), at=SEALED), linked.tenant)


def come_back(case: Case, tenant: str, claim: int, amount: str, document: str = "收1") -> Recovered:
    recovery = Recovery(Money.parse(amount), SEALED.date(), document)
    claim_id = case.province.claims[claim]
    made: Recovered = run(
        case.both.app,
        Scope((tenant,)),
        FixedClock(SEALED),
        lambda work: recover(work, tenant, claim_id, recovery, "钱"),
    )
    return made


def test_what_was_paid_on_an_award_asked_back_is_a_receivable_until_it_came_back_in_both_books(case: Case) -> None:
    linked, cap = case.province.linked.tenant, f"matching/provincial/2024/{case.province.own}/91320300MA1TEST00X"
    pay_by_batch(case)
    taken = case.desk.balance(cap)
    case.ask_back(case.province.claims[0], "60.00", SEALED)
    assert (case.linked_balance("matching-recoverable"), case.linked_balance("matching-expense")) == (-4_000, -6_000)
    assert case.desk.balance(cap) == taken
    assert str(come_back(case, linked, 0, "15.00").recovered) == "15.00"
    again = come_back(case, linked, 0, "15.00")
    assert again.json() | {"claim_id": "", "claim_no": ""} == {
        "province": case.both.tenant, "claim_id": "", "claim_no": "", "asked_back": "40.00", "recovered": "15.00",
        "to_recover": "25.00",
    }  # fmt: skip
    assert [str(one.to_recover - one.recovered) for one in case.due("to_recover", linked)] == ["25.00"]
    with pytest.raises(Conflict) as refused:
        come_back(case, linked, 0, "16.00")
    assert refused.value.code == "matching.recovered"
    with pytest.raises(Conflict, match=r"25\.00"):
        come_back(case, linked, 0, "25.01", "收2")
    come_back(case, linked, 0, "25.00", "收2")
    assert case.due("to_recover", linked) == []
    assert (case.linked_balance("matching-recoverable"), case.linked_balance("matching-recovered")) == (0, -4_000)
    assert (case.balance("matching-paid", case.province.own), case.desk.balance(cap) - taken) == (6_000, 4_000)
    told = case.both.rows(
        "select tenant, count(*) from audit_entry where action = 'matching.recovered' and tenant = any(%s) group by 1",
        list(case.province.tenants),
    )
    assert {tuple(row) for row in told} == {(tenant, 2) for tenant in case.province.tenants}


def test_only_the_region_itself_records_what_came_back_and_no_more_than_it_paid(case: Case) -> None:
    linked = case.province.linked.tenant
    with pytest.raises(Conflict) as refused:
        come_back(case, linked, 0, "1.00")
    assert refused.value.code == "matching.not_paid"
    pay_by_batch(case)
    with pytest.raises(Conflict, match=r"0\.00"):
        come_back(case, linked, 0, "1.00")
    case.ask_back(case.province.claims[0], "60.00", SEALED)
    with pytest.raises(Conflict) as refused:
        come_back(case, case.both.tenant, 0, "1.00")
    assert refused.value.code == "matching.in_books"
    with pytest.raises(NotFound):
        come_back(case, linked, 1, "1.00")
    with pytest.raises(DBAPIError, match="no more is recovered"):
        case.both.change(
            "insert into matching_recovery values (%s, uuidv7(), %s, %s, 4001, '2024-10-01', 'x', 'x', now())",
            case.both.tenant, case.province.claims[0], linked,
        )  # fmt: skip


def test_two_who_record_what_came_back_at_once_record_no_more_than_there_is(case: Case) -> None:
    linked = case.province.linked.tenant
    pay_by_batch(case)
    case.ask_back(case.province.claims[0], "60.00", SEALED)

    def try_one(number: int) -> str:
        try:
            return str(come_back(case, linked, 0, "25.00", f"收{number}").recovered)
        except Conflict as conflict:
            return conflict.code

    with ThreadPoolExecutor(4) as crowd:
        assert sorted(crowd.map(try_one, range(4))) == ["25.00"] + ["matching.recovered"] * 3


def test_a_region_that_is_no_tenant_owes_what_is_left_and_nothing_more(case: Case) -> None:
    tenant, claim_id = case.both.tenant, case.province.claims[1]
    case.ask_back(claim_id, "20.00")

    def pay(connection: Connection) -> None:
        record_payment(connection, tenant, claim_id, date(2025, 1, 5), "徐财〔2025〕1号", MAKER, shanghai("2025-01-06"))

    case.both.do(pay, shanghai("2025-01-06"))
    assert case.balance("matching-paid", case.province.outside) == 2_000
    case.come_back()
    assert [str(one.waiting) for one in case.due("paid")] == ["0.00"]


def test_a_matching_that_was_taken_back_whole_is_not_recorded_as_paid(case: Case) -> None:
    tenant, claim_id = case.both.tenant, case.province.claims[1]
    case.ask_back(claim_id, "0.00")
    with pytest.raises(Conflict) as refused:
        case.both.do(lambda c: record_payment(c, tenant, claim_id, date(2024, 10, 14), "x", MAKER, CAME_BACK))
    assert refused.value.code == "matching.nothing"
    with pytest.raises(DBAPIError, match="stays taken back"):
        case.both.change("update matching_due set freed_fen = 1 where claim_id = %s", claim_id)
    assert case.both.do(lambda c: linked_tenants(c, tenant)) == (tenant, case.province.linked.tenant)
