"""An objection that is upheld has an end, whatever the item: a table of kinds by what was found; the unhappy ways."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from clearing.claims.objections import Complaint, object_to_item, outcomes_of
from clearing.claims.upheld import decide_upholding
from clearing.claims.vault import open_vault
from settlement.bank.simulator import Books
from settlement.batches.batch import Batch
from settlement.batches.held_items import HeldItem, list_held, resume
from settlement.batches.upholding import ENDS, Finding, propose
from settlement.matching_back import CLAWED_BACK, TAKEN_BACK, Back, take_back
from settlement.payouts.came_back import list_came_back
from tenants.kernel.clock import FixedClock
from tenants.kernel.database import Scope, run, transaction
from tenants.kernel.errors import Conflict, NotFound, Problem
from tenants.kernel.ids import new_id
from tenants.kernel.money import Money
from tests.settlement_service.bank_files import FILES, Desk, batch_file, open_desk
from tests.settlement_service.bench import OFFICE, OVER, Bench, shanghai
from tests.settlement_service.claims import approved_claim
from tests.settlement_service.provinces import Province, open_province
from tests.settlement_service.test_kinds_with_database import KINDS, Kind
from tests.settlement_service.test_matching_back_with_database import Both
from tests.settlement_service.test_reissue_with_database import again, decided, proposed

VAULT = open_vault(OFFICE.secrets)
FOUND = shanghai("2024-10-22")
QUOTA = "quota/provincial/2024/91320300MA1TEST00X"


@dataclass
class Held:
    """One item on hold at one bench, and what surrounds it."""

    bench: Bench
    batch: Batch
    item: HeldItem
    province: Province | None = None
    desk: Desk | None = None
    claim_id: UUID | None = None
    cap_before: int = field(default=0)

    def propose(self, outcome: str, keeps: str = "0.00", actor: str = "审核一") -> None:
        finding = Finding(outcome, Money.parse(keeps), "异议属实")
        self.bench.do(lambda c: propose(c, self.bench.tenant, self.item.obligation_id, finding, actor, FOUND), FOUND)

    def decide(self, outcome: str = "approve", reason: str | None = None, actor: str = "审核二") -> None:
        tenant, obligation_id = self.bench.tenant, self.item.obligation_id
        run(
            self.bench.app,
            Scope((tenant,)),
            FixedClock(FOUND),
            lambda work: decide_upholding(work, VAULT, tenant, obligation_id, outcome, reason, actor),
        )

    def resume(self, reason: str = "已核实") -> None:
        tenant, obligation_id = self.bench.tenant, self.item.obligation_id
        self.bench.do(lambda c: resume(c, tenant, obligation_id, reason, "审核一", FOUND), FOUND)

    def outcome(self) -> str:
        """What the notice says of the objection."""
        with transaction(self.bench.app, Scope((self.bench.tenant,)), FixedClock(FOUND)) as work:
            [said] = outcomes_of(work, self.bench.read(self.batch))
        return said.state

    def held(self) -> list[HeldItem]:
        found: list[HeldItem] = self.bench.do(lambda c: list_held(c, self.bench.tenant, None, 10))
        return found

    def balance(self, code: str, bench: Bench | None = None) -> int:
        at = bench or self.bench
        [row] = at.rows(
            "select coalesce(sum(case when credit = %s then amount_fen else -amount_fen end), 0)::bigint as fen "
            "from ledger_transfer where tenant = %s and kind in ('post', 'posted') and %s in (debit, credit)",
            code, at.tenant, code,
        )  # fmt: skip
        return int(row.fen)

    def year(self, name: str, bench: Bench | None = None) -> int:
        return self.balance(f"{name}/provincial/2024", bench)

    def later(self) -> Batch:
        """The next batch of the kind."""
        at = shanghai("2024-10-23")
        return self.bench.cut(self.batch.mode, cut_off_at=at, at=at, kind=self.item.kind)

    def told(self, *actions: str) -> list[tuple[str, str, str]]:
        """Tenant, action and state to of the entries."""
        rows = self.bench.rows(
            "select action, body::json ->> 'actor' as actor, body::json ->> 'to' as after from audit_entry "
            "where tenant = %s and action = any(%s) order by seq",
            self.bench.tenant, list(actions),
        )  # fmt: skip
        return [tuple(row) for row in rows]

    def events(self) -> list[str]:
        rows = self.bench.rows(
            "select kind from outbox where tenant = %s and kind like 'payout.%%' and created_at = %s order by id",
            self.bench.tenant, FOUND,
        )  # fmt: skip
        return [row.kind for row in rows]


def hold(bench: Bench, batch: Batch, at: Any) -> HeldItem:
    """Object to the only item of the batch."""
    [row] = bench.rows(
        "select o.claim_no from batch_item i join obligation o on o.tenant = i.tenant and o.id = i.claim_id "
        "where i.batch_id = %s",
        batch.id,
    )
    with transaction(bench.app, Scope((bench.tenant,)), FixedClock(at)) as work:
        object_to_item(work, VAULT, bench.read(batch), str(row.claim_no), Complaint("不属实"), "审核一")
    [item] = bench.do(lambda c: list_held(c, bench.tenant, None, 10))
    return item


def held_incentive(bench: Bench, owner: Engine, tmp_path: Path) -> Held:
    batch = Kind(bench, *KINDS["incentive"]).published("60.00")
    return Held(bench, batch, hold(bench, batch, OVER))


def held_home_region(bench: Bench, owner: Engine, tmp_path: Path) -> Held:
    batch = Kind(bench, *KINDS["home_region"]).published("60.00")
    return Held(bench, batch, hold(bench, batch, OVER))


def held_matching(bench: Bench, owner: Engine, tmp_path: Path) -> Held:
    province = open_province(bench.app, owner)
    province.pay_out()
    linked = province.linked
    linked.set_account()
    batch = linked.publish(linked.cut(cut_off_at=OVER, at=OVER, kind="matching"), at=OVER)
    cap = f"matching/provincial/2024/{province.own}/91320300MA1TEST00X"
    made = Held(linked, batch, hold(linked, batch, OVER), province, claim_id=province.claims[0])
    made.cap_before = made.balance(cap, province.bench)
    return made


def held_reissue(bench: Bench, owner: Engine, tmp_path: Path) -> Held:
    """A claim of 80.00 whose payout came back, issued again to another account, in publicity once more."""
    with transaction(bench.app, Scope((bench.tenant,)), FixedClock(OVER.replace(month=9, day=20))) as work:
        claim_id = approved_claim(work, VAULT, bench.tenant, "80.00")
    desk = open_desk(bench, tmp_path, "50.00")
    mine = next(n for n, one in enumerate(desk.payments) if str(one.amount) == "80.00")
    desk.hand_in(FILES["camt.053"](desk.with_state("returned", mine)), OVER.replace(hour=7))
    decided(desk, proposed(desk, claim_id))
    again(desk, claim_id)
    at = shanghai("2024-10-21")
    batch = bench.publish(bench.cut(cut_off_at=at, at=at, kind="reissue"), at=at)
    return Held(bench, batch, hold(bench, batch, at), desk=desk, claim_id=claim_id)


MAKE: dict[str, Callable[[Bench, Engine, Path], Held]] = {
    "incentive": held_incentive,
    "matching": held_matching,
    "reissue": held_reissue,
    "home_region": held_home_region,
}
TABLE = [(kind, outcome) for kind, outcomes in ENDS.items() for outcome in outcomes]


@pytest.fixture
def held(request: pytest.FixtureRequest, bench: Bench, owner: Engine, tmp_path: Path) -> Held:
    return MAKE[request.param](bench, owner, tmp_path)


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(Problem) as refused:
        call()
    return refused.value.code


def every(*kinds: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("held", kinds or tuple(kind for kind, ends in ENDS.items() if ends), indirect=True)


@pytest.mark.parametrize(("held", "outcome"), TABLE, indirect=["held"], ids=["-".join(each) for each in TABLE])
def test_an_upheld_objection_ends_the_item_whatever_it_is(held: Held, outcome: str) -> None:
    keeps = "25.00" if outcome == "lowered" else "0.00"
    held.propose(outcome, keeps)
    [waiting] = held.held()
    assert (waiting.finding, str(waiting.finding_keeps), waiting.finding_by) == (outcome, keeps, "审核一")
    held.decide()
    assert held.held() == []
    [row] = held.bench.rows(
        "select released_at, held_at, batch_id from obligation where id = %s", held.item.obligation_id
    )
    assert (row.released_at, row.held_at, row.batch_id) == (FOUND, None, None)
    left = Money.parse(keeps).fen
    assert held.year("obligations") == left
    next_one = held.later()
    assert (next_one.item_count, next_one.total_fen) == (1 if left else 0, left)
    assert held.told("item.upholding_proposed", "item.upheld") == [
        ("item.upholding_proposed", "审核一", "on_hold"),
        ("item.upheld", "审核二", outcome),
    ]
    told = {"withdrawn": ["payout.withdrawn"], "returned": ["payout.returned"], "lowered": []}[outcome]
    assert held.events() == ([] if held.item.kind == "incentive" else told)
    assert code_of(held.decide) == "item.not_held"
    assert code_of(held.resume) == "item.not_held"


@every("incentive")
def test_a_reward_that_is_lowered_takes_the_rest_back_to_its_years_budget(held: Held) -> None:
    before = held.year("budget")
    held.propose("lowered", "25.00")
    held.decide()
    assert held.year("budget") - before == 3_500
    [again] = held.bench.rows(
        "select o.kind, o.amount_fen, o.claim_no from objection_upholding_decision d "
        "join obligation o on o.tenant = d.tenant and o.id = d.instead_id where d.tenant = %s",
        held.bench.tenant,
    )
    assert tuple(again) == ("incentive", 2_500, held.item.claim_no)


@every("matching")
def test_matching_is_taken_back_in_both_books_and_frees_the_enterprises_cap(held: Held) -> None:
    assert held.province is not None
    bench, own = held.province.bench, held.province.own
    held.propose("lowered", "25.00")
    held.decide()
    assert held.balance(f"matching-payable/provincial/2024/{own}", bench) == 2_500
    assert held.balance(f"matching/provincial/2024/{own}/91320300MA1TEST00X", bench) - held.cap_before == 7_500
    assert (held.year("obligations"), held.year("matching-expense")) == (2_500, -2_500)
    rows = bench.rows("select body from audit_entry where tenant = %s and action = 'matching.taken_back'", bench.tenant)
    assert len(rows) == 1
    assert '"ground":"upheld"' in rows[0].body


@every("reissue")
def test_a_payment_given_up_goes_back_to_budget_and_quota_of_its_year(held: Held) -> None:
    assert held.claim_id is not None
    before = held.year("budget"), held.balance(QUOTA)
    held.propose("withdrawn")
    held.decide()
    assert (held.year("budget") - before[0], held.balance(QUOTA) - before[1]) == (8_000, 8_000)
    assert (held.year("returned"), held.year("obligations")) == (0, 0)
    assert held.bench.do(lambda c: list_came_back(c, held.bench.tenant, None, 10)) == []
    assert held.bench.rows("select 1 from registry_holding where holder_id = %s", held.claim_id) == []
    desk = held.desk
    assert desk is not None
    assert code_of(lambda: again(desk, held.claim_id, FOUND)) == "claim.not_returned"  # type: ignore[arg-type]


@every("reissue")
def test_a_payment_to_a_wrong_account_is_back_with_what_came_back_and_issued_again_by_another_correction(
    held: Held,
) -> None:
    held.propose("returned")
    held.decide()
    desk, claim_id = held.desk, held.claim_id
    assert desk is not None
    assert claim_id is not None
    [back] = held.bench.do(lambda c: list_came_back(c, held.bench.tenant, None, 10))
    assert (back.obligation_id, back.correction(FOUND.date())) == (claim_id, "none")
    assert held.year("returned") == 8_000
    assert code_of(lambda: again(desk, claim_id, FOUND)) == "correction.none"
    decided(desk, proposed(desk, claim_id))
    made = again(desk, claim_id, FOUND)
    rows = held.bench.rows(
        "select obligation_id, attempt from reissue where tenant = %s order by attempt", held.bench.tenant
    )
    assert [tuple(row) for row in rows] == [(held.item.obligation_id, 1), (made, 2)]
    assert (held.year("returned"), held.year("obligations")) == (0, 8_000)
    later = held.later()
    at = shanghai("2024-10-31")
    later = held.bench.publish(later, at=shanghai("2024-10-23"))
    paid = held.bench.instruct(held.bench.release(held.bench.seal(later, at=at), at=at), at=at)
    [state] = held.bench.rows("select payout_state(%s, %s) as state", held.bench.tenant, claim_id)
    assert (paid.state, state.state) == ("instructed", "instructed")


@every()
def test_who_proposed_it_does_not_decide_and_what_is_refused_stays_on_hold(held: Held) -> None:
    held.propose("withdrawn")
    assert code_of(lambda: held.propose("withdrawn")) == "upholding.open"
    assert code_of(held.resume) == "upholding.open"
    assert code_of(lambda: held.decide(actor="审核一")) == "upholding.four_eyes"
    assert code_of(lambda: held.decide("refuse")) == "upholding.reason"
    held.decide("refuse", "证据不足")
    [still] = held.held()
    assert still.finding is None
    assert held.told("item.upholding_refused") == [("item.upholding_refused", "审核二", "on_hold")]
    assert code_of(held.decide) == "upholding.none"
    held.resume()
    assert held.later().item_count == 1


@every()
def test_a_finding_that_does_not_fit_the_item_is_refused(held: Held) -> None:
    wrong = next(each for each in ("returned", "lowered") if each not in ENDS[held.item.kind])
    assert code_of(lambda: held.propose(wrong, "1.00")) == "input.invalid"
    assert code_of(lambda: held.propose("withdrawn", "1.00")) == "input.invalid"
    if "lowered" in ENDS[held.item.kind]:
        for keeps in ("0.00", str(held.item.amount), "999999.00"):
            assert code_of(lambda k=keeps: held.propose("lowered", k)) == "input.invalid"  # type: ignore[misc]
    finding = Finding("withdrawn", Money(0), "异议属实")
    with pytest.raises(NotFound):
        held.bench.do(lambda c: propose(c, held.bench.tenant, new_id(), finding, "审核一", FOUND), FOUND)


@every("home_region")
def test_what_is_paid_for_another_region_is_that_regions_to_end(held: Held) -> None:
    assert code_of(lambda: held.propose("withdrawn")) == "item.other_region"
    held.resume()
    assert held.held() == []


@every("matching")
def test_what_is_taken_back_while_an_objection_holds_it_is_held_no_more(held: Held) -> None:
    assert held.province is not None
    province, claim_id = held.province.bench.tenant, held.claim_id
    held.propose("withdrawn")

    def ask_back(keeps: str) -> None:
        back = Back(CLAWED_BACK, new_id(), "赵", FOUND)
        with transaction(held.bench.app, Scope((province, held.bench.tenant)), FixedClock(FOUND)) as work:
            take_back(work.connection, province, {claim_id: Money.parse(keeps)}, back, OFFICE.sealer)  # type: ignore[dict-item]

    ask_back("40.00")
    assert held.held() == []
    assert code_of(held.decide) == "item.not_held"
    assert held.told("item.ended") == [("item.ended", "赵", "ended")]
    assert held.outcome() == "ended"
    assert (held.later().total_fen, held.year("obligations")) == (4_000, 4_000)


@every("matching")
def test_whatever_a_reviewer_writes_a_dismissed_objection_is_told_as_dismissed(held: Held) -> None:
    assert held.outcome() == "on_hold"
    held.resume(reason=TAKEN_BACK)
    assert held.outcome() == "resumed"


@every()
def test_the_database_itself_wants_two_people_and_an_end(held: Held) -> None:
    held.propose("withdrawn")
    insert = (
        "insert into objection_upholding_decision (tenant, upholding_id, objection_id, obligation_id, proposed_by, "
        "outcome, decided_by, decided_at) "
        "select tenant, id, objection_id, obligation_id, proposed_by, 'approve', %s, %s "
        "from objection_upholding where tenant = %s"
    )
    for by, constraint in (("审核一", "four_eyes"), ("审核二", "has ended")):
        with pytest.raises(DBAPIError, match=constraint):
            held.bench.change(insert, by, FOUND, held.bench.tenant)
    for table in ("objection_upholding", "objection_upholding_decision"):
        for statement in (f"update {table} set tenant = tenant", f"delete from {table}"):  # noqa: S608 - our own tables
            with pytest.raises(DBAPIError):
                held.bench.change(statement)


@every("reissue")
def test_the_database_itself_issues_nothing_again_twice_that_stands(held: Held) -> None:
    assert held.desk is not None
    assert held.claim_id is not None
    with pytest.raises(Conflict, match=r"claim\.not_returned"):
        again(held.desk, held.claim_id, FOUND)
    insert = (
        "insert into reissue (tenant, obligation_id, of_obligation, attempt, correction_id, cooling_through_on, "
        "made_by, made_at) "
        "select tenant, obligation_id, of_obligation, 2, correction_id, cooling_through_on, made_by, made_at "
        "from reissue where tenant = %s"
    )
    with pytest.raises(DBAPIError, match="issued again once"):
        held.bench.change(insert, held.bench.tenant)


def test_the_matching_of_a_payment_that_is_given_up_is_owed_no_more(
    bench: Bench, owner: Engine, tmp_path: Path
) -> None:
    province = open_province(bench.app, owner)
    paid = province.pay_out()
    both, claim_id = Both(bench.app, province.bench.tenant, also=(province.linked.tenant,)), province.claims[0]
    books = Books()
    books.receive(paid.batch_no, both.do(lambda c: batch_file(c, paid)))
    desk = Desk(both, tmp_path, paid, books.execute())
    desk.hand_in(FILES["camt.053"](desk.with_state("returned", 0)), OVER.replace(hour=7))
    waiting = f"matching-waiting/provincial/2024/{province.own}"
    assert desk.balance(waiting) == 10_000
    decided(desk, proposed(desk, claim_id))
    again(desk, claim_id)
    at = shanghai("2024-10-21")
    batch = both.publish(both.cut(cut_off_at=at, at=at, kind="reissue"), at=at)
    held = Held(both, batch, hold(both, batch, at), province, desk, claim_id)
    cap = f"matching/provincial/2024/{province.own}/91320300MA1TEST00X"
    before = desk.balance(cap)
    held.propose("withdrawn")
    held.decide()
    assert (desk.balance(waiting), desk.balance(cap) - before) == (0, 10_000)
    [due] = both.rows(
        "select waiting_fen, freed_fen, recover_fen from matching_due where tenant = %s and claim_id = %s",
        both.tenant, claim_id,
    )  # fmt: skip
    assert tuple(due) == (0, 10_000, 0)
    told = both.rows(
        "select tenant from audit_entry where action = 'matching.freed' and tenant = any(%s)", list(province.tenants)
    )
    assert {row.tenant for row in told} == set(province.tenants)
