"""Orders of a confirmed cycle on their way through simulated banks: each tenant's, and the settlement agent's."""

from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid4

from sqlalchemy import Connection

from settlement.bank.connections import BankConnection, agent_of
from settlement.bank.order_sending import bank_of_submission, send_order
from settlement.bank.port import BankPort, BankSilentError
from settlement.bank.sending import NotDecidedError, Submission, send_once
from settlement.bank.simulator import Books, Payment
from settlement.bank.simulator.answers import Entry, camt053, entries_of, pain002
from settlement.cycles import order_remedies
from settlement.cycles.clearing_order import Order, find_order, list_orders
from settlement.cycles.cycle import Cycle
from settlement.cycles.order_remedies import Remedy
from settlement.office import Office
from settlement.payouts.instruction import Account
from settlement.payouts.payout_account import set_payout_account
from settlement.statements import suspense
from settlement.statements.reconciliation import Imported, import_order_statement
from settlement.statements.suspense import Explanation, Movement
from settlement.statements.suspense_records import Resolution, suspense_totals
from tenants.kernel.clock import FixedClock
from tenants.kernel.database import Scope, run
from tenants.kernel.money import Money
from tests.cycles.regions import Regions
from tests.settlement_service.bench import OFFICE, OVER

T = TypeVar("T")
DAY = date(2024, 10, 11)
MAKER, RELEASER, OPERATOR = "maker-li", "releaser-wang", "operator-zhao"


@dataclass
class Banks:
    """The regions' banks behind folders; ``books`` are what each has been sent, by whose bank it is."""

    regions: Regions
    folder: Path
    books: dict[str, Books] = field(default_factory=lambda: defaultdict(Books))

    @property
    def agent(self) -> str:
        return agent_of(self.regions.agreement_set)

    @property
    def office(self) -> Office:
        agent = Account("清算专户（测试）", "95580000999988887777", "测试结算银行", "102301000017")
        reached = {
            name: BankConnection("folder", str(self.folder / name.replace("/", "-")))
            for name in (*self.regions.tenants, self.agent)
        }
        reached[self.agent] = replace(reached[self.agent], account=agent)
        return Office(OFFICE.secrets, demonstration=True, banks=reached)

    def set_accounts(self) -> None:
        for number, tenant in enumerate(self.regions.tenants, start=1):
            own = Account(f"测试财政专户{number}", f"32000{abs(hash(tenant)) % 10**9:09d}", "国家金库", "102301000017")
            self.regions.do(
                lambda c, t=tenant, a=own: set_payout_account(c, t, a, OFFICE, "administrator", OVER)  # type: ignore[misc]
            )

    def everyone(self) -> tuple[str, ...]:
        return tuple(row.tenant for row in self.regions.rows("select tenant from tenant order by tenant"))

    def do(self, use_case: Callable[[Connection], T], at: datetime = OVER, tenants: tuple[str, ...] | None = None) -> T:
        """As the service does: where a use case finds that others are concerned, it is run again, bound to them."""
        scope = Scope(self.regions.tenants if tenants is None else tenants)
        return run(self.regions.app, scope, FixedClock(at), lambda work: use_case(work.connection))

    def orders(self, cycle: Cycle, kind: str | None = None) -> list[Order]:
        found = self.do(lambda c: list_orders(c, cycle.id, self.regions.tenants, self.office))
        return [each for each in found if kind in {None, each.kind}]

    def standing(self, cycle: Cycle) -> list[Order]:
        return [each for each in self.orders(cycle) if not each.ended]

    def read(self, order: Order) -> Order:
        return self.do(lambda c: find_order(c, order.tenant, order.id, self.office))

    def order_sending(self, order: Order, at: datetime = OVER) -> Submission:
        return self.do(lambda c: send_order(c, order, self.office, RELEASER, at), at, (order.tenant,))

    def call(self, submission: Submission) -> None:
        """One attempt of the worker, whatever comes of it."""
        bank = self.do(
            lambda c: bank_of_submission(c, submission.tenant, submission.id, self.office), tenants=(submission.tenant,)
        )
        assert bank is not None

        self.attempt(
            self.regions.do(lambda c: find_order(c, submission.tenant, _id(submission), self.office)),
            submission,
            bank.port(),
        )

    def attempt(self, order: Order, submission: Submission, port: BankPort) -> str:
        """The next call about the submission, whatever comes of it; the order's state after it."""

        def do(use_case: Any) -> Any:
            return run(self.regions.app, Scope(self.everyone()), FixedClock(OVER), use_case)

        with suppress(BankSilentError, NotDecidedError):
            send_once(do, submission.id, port, self.office)
        return self.read(order).state

    def whose(self, order: Order) -> str:
        return self.agent if order.kind == "pay_out" else order.tenant

    def send(self, order: Order) -> Payment:
        """Ordered, called, taken from the folder and paid by the bank, which has told nobody yet."""
        self.call(self.order_sending(order))
        whose = self.whose(order)
        books = self.books[whose]
        books.collect(self.folder / whose.replace("/", "-"))
        paid = {each.end_to_end_id: each for each in books.execute()}
        return paid[order.reference]

    def statement(self, order: Order, *payments: Payment) -> bytes:
        debtor = order.debtor
        assert debtor is not None
        return camt053(debtor.account_number, entries_of(payments), DAY)

    def hand_in(self, order: Order, content: bytes, at: datetime = OVER, tenant: str | None = None) -> Imported:
        path = self.folder / "answer"
        path.write_bytes(content)
        whose = tenant or order.tenant
        return self.do(lambda c: import_order_statement(c, whose, order.id, path, MAKER, at, self.office), at, (whose,))

    def pay(self, order: Order, state: str = "paid", at: datetime = OVER) -> Imported:
        """Sent, and told of by the bank: paid, returned, or rejected by a report."""
        payment = replace(self.send(order), state=state)
        if state == "rejected":
            return self.hand_in(order, pain002(order.message_id, [payment]), at)
        return self.hand_in(order, self.statement(order, payment), at)

    def propose(self, order: Order, kind: str, actor: str = MAKER) -> Remedy:
        return self.do(
            lambda c: order_remedies.propose(c, order.tenant, order.id, kind, "账户已销", self.office, actor, OVER),
            tenants=(order.tenant,),
        )

    def decide(
        self, remedy: Remedy, outcome: str = "approve", actor: str = OPERATOR, reason: str | None = None
    ) -> Remedy:
        return self.do(
            lambda c: order_remedies.decide(c, remedy.tenant, remedy.id, outcome, reason, self.office, actor, OVER),
            tenants=(remedy.tenant,),
        )

    def remedy(self, order: Order, kind: str) -> Remedy:
        return self.decide(self.propose(order, kind))

    def confirmed(self) -> Cycle:
        """The open window closed and confirmed by all: its orders are made with the banks known."""
        from settlement.cycles import cycle_steps
        from settlement.cycles.cycle import positions_of

        cycle = self.regions.close()
        for each in self.regions.do(lambda c: positions_of(c, cycle.id, self.regions.tenants)):
            self.regions.do(
                lambda c, p=each: cycle_steps.confirm(  # type: ignore[misc]
                    c, cycle.id, p.tenant, p.net, self.regions.tenants, self.office, f"finance of {p.tenant}", OVER
                )
            )
        return self.regions.read(cycle)

    def moved(self, order: Order, *moves: tuple[str, str], payment: Payment | None = None) -> list[Movement]:
        """What the payer's bank tells: ``moves`` are amounts that left (or came back: ``+``); where the lines are."""
        sent = payment or self.send(order)
        entries = [
            Entry(
                replace(sent, amount=Money.parse(amount)), is_credit=kind == "+", bank_reference=f"M{uuid4().hex[:12]}"
            )
            for kind, amount in moves
        ]
        debtor = order.debtor
        assert debtor is not None
        imported = self.hand_in(order, camt053(debtor.account_number, entries, DAY))
        return [Movement(imported.statement.id, line) for line in range(1, len(entries) + 1)]

    def explain(self, said: Explanation, tenant: str, at: datetime = OVER, decider: str = OPERATOR) -> Resolution:
        """Explained by one person and approved by another, as the service does it."""
        made = self.do(lambda c: suspense.propose(c, tenant, said, MAKER, at), at, (tenant,))
        return self.do(
            lambda c: suspense.decide(c, tenant, made.id, "approve", None, decider, at, self.office), at, (tenant,)
        )

    def left(self, tenant: str) -> str:
        """What of the tenant's movements nobody has explained, in yuan."""
        return str(self.do(lambda c: suspense_totals(c, tenant), tenants=(tenant,))[1])

    def balances(self, tenant: str, *kinds: str) -> dict[str, int]:
        return {k: fen for k, fen in self.regions.balances(tenant).items() if k.split("/")[0] in kinds}

    def outcomes(self, order: Order) -> set[str]:
        rows = self.regions.rows("select outcome from clearing_order_outcome where order_id = %s", order.id)
        return {row.outcome for row in rows}

    def order_id(self, cycle: Cycle, tenant: str, kind: str) -> UUID:
        [found] = [each for each in self.standing(cycle) if (each.tenant, each.kind) == (tenant, kind)]
        return found.id


def _id(submission: Submission) -> UUID:
    assert submission.order_id is not None
    return submission.order_id
