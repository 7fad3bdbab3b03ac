"""The windows of a simulated year: orders through a settlement agent's bank that misbehaves, until all is settled.

The bank pays in parts, too much or too little, with charges, twice, to somebody else, or gives money back; what it
really moved is kept beside the service, order by order.
"""

import json
from base64 import urlsafe_b64decode
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from clearing.schedule import send_what_is_due
from settlement.bank.connections import BankConnection, agent_of
from settlement.bank.simulator import Payment
from settlement.bank.simulator.answers import Entry, camt053, pain002
from settlement.bank.simulator.books import Misbehaviour
from settlement.payouts.instruction import Account
from tenants.kernel.money import Money

if TYPE_CHECKING:
    from tests.year.year import Year

Body = dict[str, Any]
AGENT: Final = Account("清算专户（演示）", "0000888877776666", "演示银行", "102301000017")
WORSE: Final = Misbehaviour(
    lose_request=200, lose_answer=200, delay=150, refuse=80, reject=100, other_amount=150, other_payee=80,
    give_back=120, double=120, reorder=500,
)  # fmt: skip
"""There are few orders between regions: this bank goes wrong with most of them."""
ROUNDS: Final = 30
CHARGE: Final = Money(35)
IN_PARTS, CHARGED, SHORT, GIVES_BACK, CANCELS = 0.25, 0.15, 0.5, 0.5, 0.4
"""How often an order is paid in two parts, or with charges; how often the second part never comes, the bank gives too
much back, and the regions cancel what came back instead of ordering it anew."""


@dataclass
class Windows:
    """The orders of the windows, and what the agent's bank did to them."""

    year: "Year"
    connection: BankConnection
    moved: Counter[str] = field(default_factory=Counter)
    """What left the payers' accounts less what came back, in fen, by end-to-end id; charges left out."""
    later: dict[str, list[Entry]] = field(default_factory=lambda: defaultdict(list))
    """What the bank still does about an order, by end-to-end id."""
    charged: set[str] = field(default_factory=set)
    told: set[str] = field(default_factory=set)
    path: str = ""
    """The window that is being settled."""

    def with_agent(self, *, configured: bool) -> None:
        """Configure the settlement agent's bank for what is ordered from now on, or take it away."""
        story = self.year.story
        banks = {name: bank for name, bank in story.service.banks.items() if name != agent_of("delta")}
        if configured:
            banks[agent_of("delta")] = replace(self.connection, account=AGENT)
        story.service = replace(story.service, banks=banks)
        story.app.extensions["clearing"] = story.service

    def settle(self, path: str, day: date) -> None:
        """Send the window's orders by themselves, hear the banks, explain and remedy, until it is settled."""
        self.path, usual = path, self.year.story.books.misbehaviour
        if usual != Misbehaviour():
            self.year.story.books.misbehaviour = WORSE
        self._until_settled(day)
        self.year.story.books.misbehaviour = usual

    def _until_settled(self, day: date) -> None:
        for _ in range(ROUNDS):
            send_what_is_due(self.year.story.service)
            self.year.jobs()
            for payment in self.year.story.books.execute():
                assert payment.message_id == f"CO-{payment.end_to_end_id}", "nothing but orders is due"
                order = self._named(payment.end_to_end_id)
                self._hear(order, payment, day)
            for order in self._standing():
                self._follow_up(order, day)
            done = all(each["state"] in {"paid", "received"} for each in self._standing())
            if done and not any(self.later.values()):
                assert self.year.story.call("maker", "GET", self.path).get_json()["state"] == "settled"
                return
        raise AssertionError([(o["kind"], o["state"], o["amount"]) for o in self._standing()])

    def _orders(self) -> list[Body]:
        return list(self.year.story.call("releaser", "GET", f"{self.path}/orders").get_json()["items"])

    def _standing(self) -> list[Body]:
        return [each for each in self._orders() if each["state"] not in {"replaced", "cancelled"}]

    def _named(self, reference: str) -> Body:
        return next(each for each in self._orders() if each["end_to_end_id"] == reference)

    def _hear(self, order: Body, payment: Payment, day: date) -> None:
        """The bank's first word about a payment, and what it will do later."""
        chance, reference, did = self.year.chance, payment.end_to_end_id, self.year.did
        did[f"orders at the bank: {order['kind']}"] += 1
        said = _said(order)
        right = replace(
            payment,
            amount=Money.parse(order["amount"]),
            account_number=said["creditor"]["account_number"],
            doubled=False,
        )
        if payment.state == "rejected":
            did["orders rejected"] += 1
            self._hand_in(order, pain002(payment.message_id, [replace(right, state="rejected")]))
            return
        entries = [self._entry(payment)]
        if payment.account_number != right.account_number:
            did["orders to another account"] += 1
            if payment.state != "returned":
                self.later[reference].append(self._entry(payment, back=True))
            self.later[reference].append(self._entry(right))
        elif payment.amount != right.amount:
            did["orders of another amount"] += 1
            too_much = replace(payment, amount=payment.amount - right.amount)
            if payment.state != "returned" and (order["kind"] == "pay_out" or chance.random() < GIVES_BACK):
                self.later[reference].append(self._entry(too_much, back=True))
        elif payment.state != "returned":
            entries = self._otherwise(order, right)
        if payment.doubled:
            did["orders doubled"] += 1
            entries.append(self._entry(payment))
            self.later[reference].append(self._entry(payment, back=True))
        if payment.state == "returned":
            did["orders returned"] += 1
            entries.append(self._entry(payment, back=True))
        self._tell(order, entries, day)

    def _otherwise(self, order: Body, right: Payment) -> list[Entry]:
        """The right amount, in two parts, or with charges on top."""
        chance, reference = self.year.chance, right.end_to_end_id
        lot = chance.random()
        if lot < IN_PARTS and right.amount > Money(2):
            self.year.did["orders paid in parts"] += 1
            first = Money(1 + chance.randrange(right.amount.fen - 1))
            if order["kind"] == "pay_out" or chance.random() >= SHORT:
                self.later[reference].append(self._entry(replace(right, amount=right.amount - first)))
            return [self._entry(replace(right, amount=first))]
        if lot < IN_PARTS + CHARGED:
            self.year.did["orders with charges"] += 1
            self.charged.add(reference)
            self.moved[reference] -= CHARGE.fen
            return [self._entry(replace(right, amount=right.amount + CHARGE))]
        return [self._entry(right)]

    def _entry(self, payment: Payment, *, back: bool = False) -> Entry:
        self.year.did["movements of orders"] += 1
        return Entry(payment, is_credit=back, bank_reference=f"W{self.year.did['movements of orders']:09d}")

    def _tell(self, order: Body, entries: list[Entry], day: date) -> None:
        for entry in entries:
            self.moved[entry.payment.end_to_end_id] += entry.payment.amount.fen * (-1 if entry.is_credit else 1)
        self._hand_in(order, camt053(_said(order)["debtor"]["account_number"], entries, day))
        self._explain(order)

    def _follow_up(self, order: Body, day: date) -> None:
        """What the bank still owes an order, then what the regions make of it."""
        entries = [entry for reference in self._chain(order) for entry in self.later.pop(reference, [])]
        if entries:
            self._tell(order, entries, day)
        self._explain(order)
        now = self.year.story.call("maker", "GET", _place(order)).get_json()
        if now["state"] in {"rejected", "returned"}:
            self._remedy(order)
        elif now["state"] == "paid" and order["kind"] == "payment" and order["id"] not in self.told:
            self._arrive(order, day)

    def _chain(self, order: Body) -> list[str]:
        """The ids by which the bank may name the order: its own, and those of what it replaces."""
        known, found = {each["id"]: each for each in self._orders()}, [order["end_to_end_id"]]
        while order["replaces"] is not None:
            order = known[order["replaces"]]
            found.append(order["end_to_end_id"])
        return found

    def _end(self, order: Body) -> Body:
        """What the order has become: itself, or what replaces it in the end."""
        after = {each["replaces"]: each for each in self._orders()}
        order = next(each for each in self._orders() if each["id"] == order["id"])
        while order["id"] in after:
            order = after[order["id"]]
        return order

    def _arrive(self, order: Body, day: date) -> None:
        """The receiver's bank tells, at a batch of the receiver's, of what it got."""
        batch = self.year.last.get(order["counterparty"])
        if batch is None or order["replaces"] is not None:
            return
        said = _said(order)["debtor"]
        got = Payment(
            "",
            order["end_to_end_id"],
            said["account_name"],
            said["account_number"],
            Money.parse(order["amount"]),
            "paid",
        )
        account = _said(order)["creditor"]["account_number"]
        self.year.hand_in(batch, camt053(account, [self._entry(got, back=True)], day))
        self.told.add(order["id"])
        assert self.year.story.call("maker", "GET", _place(order)).get_json()["state"] == "received"
        self.year.did["orders received"] += 1

    def _hand_in(self, order: Body, content: bytes) -> None:
        self.year.post("maker", f"{_place(order)}/statements", content)

    def _lines(self, order: Body) -> list[Body]:
        """What lies in suspense and names the order, or what it replaces."""
        named = self._chain(order)
        path = f"/v1/tenants/{order['tenant']}/suspense?limit=500"
        items = self.year.story.call("maker", "GET", path).get_json()["items"]
        return [each for each in items if each["end_to_end_id"] in named]

    def _explain(self, order: Body) -> None:
        """Two people explain what names the order, as far as the bank's movements do."""
        for _ in range(20):
            now = self._end(order)
            if not self._explained(f"/v1/tenants/{order['tenant']}/suspense", now, self._lines(now)):
                return

    def _explained(self, path: str, order: Body, lines: list[Body]) -> bool:
        ordered, named = Money.parse(order["amount"]), self._chain(order)
        known = {
            row.outcome
            for row in self.year.rows(
                "select outcome from clearing_order_outcome where reference = %s and outcome <> 'accepted'",
                order["end_to_end_id"],
            )
        }
        debits = [each for each in lines if each["kind"] == "debit"]
        credits_ = [each for each in lines if each["kind"] == "credit"]
        fitting = [each for each in debits if self.year.differs_in(each) <= {"amount", "state"}]
        waits = bool(any(self.later[each] for each in named) or credits_)
        if not known and fitting and order["state"] not in {"replaced", "cancelled"}:
            whole = next((each for each in fitting if _left(each) >= ordered), None)
            if whole is not None and self.charged & set(named) and _left(whole) == ordered + CHARGE:
                return self._resolve(path, order, "assign", [(whole, _left(whole))], charge=CHARGE)
            if whole is not None and (waits or _left(whole) == ordered):
                return self._resolve(path, order, "assign", [(whole, ordered)])
            if sum(_left(each).fen for each in fitting) == ordered.fen:
                return self._resolve(path, order, "assign", [(each, _left(each)) for each in fitting])
            if not waits:
                return self._resolve(path, order, "carry", [(each, _left(each)) for each in fitting])
        surplus = any(_left(each) >= ordered for each in debits)
        back = next((each for each in credits_ if _left(each) >= ordered), None)
        if known == {"paid"} and back is not None and not surplus:
            return self._resolve(path, order, "assign", [(back, ordered)])
        if debits and credits_:
            common = min(_left(debits[0]), _left(credits_[0]))
            return self._resolve(path, None, "reversed", [(debits[0], common), (credits_[0], common)])
        return False

    def _resolve(
        self, path: str, order: Body | None, kind: str, parts: list[tuple[Body, Money]], charge: Money | None = None
    ) -> bool:
        lines = [{"statement_id": each["statement_id"], "line": each["line"], "amount": str(m)} for each, m in parts]
        body: Body = {"kind": kind, "lines": lines, "reason": "已与结算银行核对"}
        body |= {} if order is None else {"order_id": order["id"]}
        body |= {} if charge is None else {"charge": str(charge)}
        made = self.year.story.call("maker", "POST", f"{path}/resolutions", body).get_json()
        who = "operator" if kind == "carry" else "releaser"
        self.year.story.call(who, "POST", f"{path}/resolutions/{made['id']}/decision", {"outcome": "approve"})
        self.year.did[f"orders explained: {kind}"] += 1
        return True

    def _remedy(self, order: Body) -> None:
        """Ordered anew; a payment or pay-in may be cancelled, unless the agent has paid out already."""
        kind = "replace"
        if order["kind"] != "pay_out" and not self._lines(order) and self.year.chance.random() < CANCELS:
            kind = "cancel"
        path = f"{_place(order)}/remedies"
        made = self.year.story.call("maker", "POST", path, {"kind": kind, "reason": "账户已核对"}).get_json()
        self.year.story.call("operator", "POST", f"{path}/{made['id']}/decision", {"outcome": "approve"})
        self.year.did[f"orders remedied: {kind}"] += 1


def _left(line: Body) -> Money:
    return Money.parse(line["left"])


def _said(order: Body) -> Body:
    part = order["jws"].split(".")[1]
    return dict(json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4))))


def _place(order: Body) -> str:
    return f"/v1/tenants/{order['tenant']}/clearing-orders/{order['id']}"
