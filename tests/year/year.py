"""A year at the finance desks: monthly batches over the tenants, and a bank that misbehaves by a seed.

Everything is done by clients of the interface; what the bank did is kept in the bank's own books, beside the service.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final
from uuid import UUID

from clearing.app import create_app
from clearing.demonstration.claims import cross_redemption, generate
from clearing.embedded import Addresses
from clearing.preparation import migrate_schema, prepare
from clearing.service import open_service
from clearing.settings import Settings
from clearing.workers import deliver_notices, do_job
from settlement.bank.connections import BankConnection
from settlement.bank.simulator import BankServer, Books, Payment
from settlement.bank.simulator.answers import Entry, camt053, camt054, entries_of, mt940, pain002
from settlement.bank.simulator.books import Misbehaviour
from settlement.payouts.instruction import end_to_end_id
from settlement.payouts.payout_account import debtor_account
from tenants.kernel.money import Money
from tests.verification.platform_story import enrol
from tests.verification.reserving import reservation
from tests.verification.story import START, Story
from tests.year.windows import Windows

Body = dict[str, Any]
LATER: Final = "2099-12-30"
"""A cut-off that lies ahead is the present moment: Shanxi, too, is paid month by month here."""
SCHEMES: Final = {"jiangsu": "provincial", "shanxi-hainan": "provincial"}
BAD: Final = Misbehaviour(
    lose_request=200, lose_answer=200, delay=150, refuse=40, reject=60, other_amount=60, other_payee=40, give_back=90,
    double=60, reorder=500,
)  # fmt: skip
ATTEMPTS: Final = 40
ASKED_AFTER: Final = 2
TOLD_LATER: Final = 0.15
"""The share of movements that the bank tells of a month later."""
FIRST: Final = date(2024, 10, 1)
CROSSING: Final = frozenset({"wujiang", "jiashan"})
BY_WORD: Final = 3
"""Every so many months no settlement agent is configured, and the operator's word settles the window."""
DIRECTLY: Final = ("2025-01-01", "2025-03-01")
"""From the first day until the other each debt is paid directly, and not through the agent."""
CROSSES: Final = 2
"""How many claims of Wujiang's there are a month for providers of Jiashan."""
FIRST_CROSS: Final = 10


@dataclass
class Year:
    """The desks of the tenants, and what the bank did to them."""

    story: Story
    tenants: tuple[str, ...]
    chance: Random
    month_on: date = FIRST
    open: list[Body] = field(default_factory=list)
    later: dict[str, list[tuple[Body, Entry]]] = field(default_factory=lambda: defaultdict(list))
    """Movements that the bank tells of next month, by tenant, with the batch at which they are handed in."""
    reports: list[tuple[Body, list[Payment]]] = field(default_factory=list)
    """Refusals of which the bank reported another account or amount than was ordered: put right next month."""
    moved: Counter[str] = field(default_factory=Counter)
    """What left the payers' accounts less what came back, in fen, by end-to-end id: the bank's own books."""
    did: Counter[str] = field(default_factory=Counter)
    owed: set[tuple[str, str]] = field(default_factory=set)
    """Tenant and mode of what is owed again and in no batch yet."""
    owing: list[Body] = field(default_factory=list)
    """Wujiang's batches that Jiashan pays: they end with their window."""
    put_off: Counter[str] = field(default_factory=Counter)
    announced: list[Body] = field(default_factory=list)
    """Batches in publicity that are sealed next month."""
    last: dict[str, Body] = field(default_factory=dict)
    """A batch of each tenant's that is instructed."""
    by_word: Counter[str] = field(default_factory=Counter)
    """What each tenant got by windows that the operator's word settled, in fen; below zero what it paid."""
    windows: Windows = field(init=False, repr=False)

    def on(self, day: int, hour: int = 9) -> date:
        """Move the clock to a day of the month."""
        there = self.month_on + timedelta(days=day - 1)
        self.story.move(f"{there}T{hour:02d}:00:00+08:00")
        return there

    def run(self, months: int) -> None:
        """The months, and as many quiet ones behind them as it takes until nothing is open."""
        for left in range(months, 0, -1):
            self.month(left)
        self.story.books.misbehaviour = Misbehaviour()
        for _ in range(8):
            told = not (self.reports or any(self.later.values()))
            waits = self.open or self.owed or self.owing or self.announced or self._debts_wait()
            if told and not waits:
                return
            self.month(1)

    def month(self, left: int) -> None:
        """One month: approve, cut, publish; seal, release, send; the bank's answers; the desk; the end."""
        self.on(2)
        self._issue_again()
        for tenant in self.tenants:
            waiting = self.story.in_state(tenant, "in_review")
            for claim in waiting[: -(-len(waiting) // left)]:
                self.story.approve(claim)
        crossing = self._cut_for_the_neighbour()
        made = [batch for tenant in self.tenants for batch in self._cut(tenant)]
        self.owed = set()
        for batch in made:
            self._step("maker", batch, "publish")
        made, self.announced = made + self.announced, []
        self.on(22)
        for batch in made:
            self._step("maker", batch, "seal")
            self._step("releaser", batch, "release")
        self._hand_on(crossing)
        self.jobs()
        for batch in made:
            self.story.call("releaser", "POST", f"{_place(batch)}/sending")
        self.jobs()
        self.open += made
        self.last |= {batch["tenant"]: batch for batch in made}
        day = self.on(24)
        self._answers(day)
        self.on(25)
        for tenant in self.tenants:
            self._explain(tenant)
            self._correct(tenant)
        if set(self.tenants) >= CROSSING:
            self._settle_window(self.on(26))
        self._close()
        name = f"{self.month_on:%Y-%m}"
        self.month_on = (self.month_on + timedelta(days=31)).replace(day=1)
        self.on(1, 2)
        for tenant in self.tenants:
            self.story.call("maker", "POST", f"/v1/tenants/{tenant}/months/{name}/close")
        self.did["months closed"] += len(self.tenants)

    def _cut_for_the_neighbour(self) -> Body | None:
        """Wujiang's batch for providers of Jiashan, in publicity."""
        if not set(self.tenants) >= CROSSING:
            return None
        crossing = self.story.cut("wujiang", "delta", "cross_redemption", counterparty="jiashan")
        self._step("maker", crossing, "publish" if crossing["count"] else "close")
        return crossing if crossing["count"] else None

    def _hand_on(self, crossing: Body | None) -> None:
        """Release it, which makes debts of Wujiang's, and announce Jiashan's batch that pays its own providers."""
        if crossing is None:
            return
        self._step("maker", crossing, "seal")
        assert self._step("releaser", crossing, "release")["state"] == "released"
        self.owing.append(crossing)
        home = self.story.cut("jiashan", "delta", "cross_redemption", kind="home_region")
        self._step("maker", home, "publish")
        self.did["batches home_region"] += 1
        self.announced.append(home)

    def _debts_wait(self) -> bool:
        """Whether the open window holds what was carried into it."""
        if not set(self.tenants) >= CROSSING:
            return False
        window = self.story.call("operator", "POST", "/v1/clearing/cycles", {}).get_json()
        path = f"/v1/clearing/cycles/{window['id']}/positions"
        return bool(self.story.call("operator", "GET", path).get_json()["positions"])

    def _settle_window(self, day: date) -> None:
        window = self.story.call("operator", "POST", "/v1/clearing/cycles", {}).get_json()
        path = f"/v1/clearing/cycles/{window['id']}"
        state = self.story.call("operator", "POST", f"{path}/close").get_json()["state"]
        shown = self.story.call("operator", "GET", f"{path}/positions").get_json()
        found, netted = shown["positions"], {each["netting"] for each in shown["matrix"]}
        by_agent = self.month_on.month % BY_WORD != 0 or netted != {"multilateral"}
        self.windows.with_agent(configured=by_agent)
        nets = [Money.parse(each["net"].lstrip("-")).fen * (-1 if each["net"][0] == "-" else 1) for each in found]
        assert sum(nets) == 0, found
        for each in found:
            body = {"tenant": each["tenant"], "net": each["net"]}
            self.story.call("releaser", "POST", f"{path}/confirmations", body)
        if state != "settled" and by_agent:
            self.windows.settle(path, day)
            self.did["windows by the agent's bank"] += 1
        elif state != "settled":
            self.story.call("operator", "POST", f"{path}/settle")
            self.by_word.update({each["tenant"]: net for each, net in zip(found, nets, strict=True)})
            self.did["windows by the operator's word"] += 1
        self.did["windows"] += 1
        for batch in self.owing:
            assert self._step("maker", batch, "close")["state"] == "closed"
            self.did["batches closed"] += 1
        self.owing = []

    def jobs(self) -> None:
        """Do what the outbox holds, as often as the bank's silence makes necessary."""
        for outbox_id in self.story._waiting("batch.instruct"):
            assert do_job(self.story.service, outbox_id)
        for _ in range(ATTEMPTS):
            waiting = self.story._waiting("bank.send")
            if not waiting:
                break
            for outbox_id in waiting:
                do_job(self.story.service, outbox_id)
        assert self.story._waiting("bank.send") == [], "the bank never answered"
        deliver_notices(self.story.service)

    def rows(self, statement: str, *values: Any) -> list[Any]:
        return list(self.story.do(lambda work: work.connection.exec_driver_sql(statement, values).all()))

    def _cut(self, tenant: str) -> Iterator[Body]:
        scheme = SCHEMES.get(tenant, "delta")
        wanted: list[tuple[str, dict[str, str]]] = [("common_use", {})]
        wanted += [(mode, {"kind": "reissue"}) for of, mode in sorted(self.owed) if of == tenant]
        for mode, more in wanted:
            batch = self.story.cut(tenant, scheme, mode, cut_off=LATER, **more)
            if batch["count"]:
                self.did[f"batches {batch['kind']}"] += 1
                yield batch
            else:
                self._step("maker", batch, "close")
                self.did["batches empty"] += 1

    def _step(self, who: str, batch: Body, step: str) -> Body:
        return self.story.step(who, batch["tenant"], batch, step)

    def _answers(self, day: date) -> None:
        """The bank pays what it accepted, tells of most of it, and puts right what it did wrong last month."""
        paid: dict[str, list[Payment]] = defaultdict(list)
        for payment in self.story.books.execute():
            paid[payment.message_id].append(payment)
        told: dict[str, list[tuple[Body, Entry]]] = self.later
        self.later = defaultdict(list)
        reports, self.reports = self.reports, []
        for batch, refused in reports:
            self.hand_in(batch, pain002(batch["batch_no"], refused))
        for batch in self.open:
            payments = paid.pop(batch["batch_no"], [])
            for entry in entries_of(payments):
                late = self.chance.random() < TOLD_LATER
                self.did["movements told late"] += late
                (self.later if late else told)[batch["tenant"]].append((batch, entry))
            self._put_right(batch, payments)
            if any(payment.state == "rejected" for payment in payments):
                self.did["payments rejected"] += sum(payment.state == "rejected" for payment in payments)
                self.hand_in(batch, pain002(batch["batch_no"], payments))
        assert not paid, "the bank paid what nobody sent"
        for tenant, movements in told.items():
            self._tell(tenant, movements, day)

    def _tell(self, tenant: str, movements: list[tuple[Body, Entry]], day: date) -> None:
        if not movements:
            return
        entries, batch = [entry for _, entry in movements], movements[0][0]
        for entry in entries:
            sign = -1 if entry.is_credit else 1
            self.moved[entry.payment.end_to_end_id] += sign * entry.payment.amount.fen
        if self.chance.random() < 0.5:
            self.chance.shuffle(entries)
        account = self._account(tenant)
        if self.chance.random() < 0.3:
            self.hand_in(batch, camt054(account, entries[: len(entries) // 2], day))
            self.did["notifications before the statement"] += 1
        write = camt053 if self.chance.random() < 0.7 else mt940
        content = write(account, entries, day)
        self.hand_in(batch, content)
        if self.chance.random() < 0.3:
            self.hand_in(batch, content)
            self.did["files handed in twice"] += 1

    def _put_right(self, batch: Body, payments: list[Payment]) -> None:
        """Next month the bank takes back what it paid twice, too much, or to somebody else, and pays the right one.

        What it refused and reported wrongly, it reports once more.
        """
        ordered = self._ordered(batch)
        wrong = [
            replace(each, amount=ordered[each.end_to_end_id][0], account_number=ordered[each.end_to_end_id][1])
            for each in payments
            if each.state == "rejected" and (each.amount, each.account_number) != ordered[each.end_to_end_id]
        ]
        if wrong:
            self.did["refusals reported again"] += len(wrong)
            self.reports.append((batch, wrong))
        for number, payment in enumerate(payments):
            if payment.state == "rejected":
                continue
            amount, account_number = ordered[payment.end_to_end_id]
            later, reference = self.later[batch["tenant"]], f"K{batch['batch_no'][-4:]}{number:06d}"
            if payment.doubled:
                self.did["payments doubled"] += 1
                later.append((batch, Entry(payment, is_credit=True, bank_reference=reference + "D")))
            self.did["payments returned"] += payment.state == "returned"
            if payment.account_number != account_number:
                self.did["payments to another account"] += 1
                right = replace(payment, account_number=account_number, amount=amount)
                if payment.state != "returned":
                    later.append((batch, Entry(payment, is_credit=True, bank_reference=reference + "X")))
                later.append((batch, Entry(right, is_credit=False, bank_reference=reference + "N")))
            elif payment.state != "returned" and payment.amount != amount:
                self.did["payments of another amount"] += 1
                surplus = replace(payment, amount=payment.amount - amount)
                later.append((batch, Entry(surplus, is_credit=True, bank_reference=reference + "S")))

    def _ordered(self, batch: Body) -> dict[str, tuple[Money, str]]:
        """What the batch ordered, by end-to-end id, as its own signed lines say."""
        content = self.story.call("releaser", "GET", f"{_place(batch)}/files/payouts.jsonl").get_data(as_text=True)
        found = {}
        for line in content.splitlines():
            payload = _payload(json.loads(line)["jws"])
            found[payload["end_to_end_id"]] = (Money.parse(payload["amount"]), payload["account_number"])
        return found

    def _explain(self, tenant: str) -> None:
        """Two people explain what lies in suspense, as far as the bank's movements explain it."""
        path = f"/v1/tenants/{tenant}/suspense"
        for _ in range(50):
            lines = self.story.call("maker", "GET", f"{path}?limit=500").get_json()["items"]
            if not any(self._explained(path, lines, each) for each in _instructions(lines)):
                return

    def _explained(self, path: str, lines: list[Body], instruction_id: str) -> bool:
        mine = [line for line in lines if line["instruction_id"] == instruction_id]
        [row] = self.rows(
            "select i.amount_fen, array(select outcome from instruction_outcome o where o.tenant = i.tenant "
            "and o.instruction_id = i.id) as outcomes from instruction i where i.id = %s",
            UUID(instruction_id),
        )
        ordered, known = Money(row.amount_fen), set(row.outcomes)
        surplus = any(line["kind"] == "debit" and Money.parse(line["left"]) >= ordered for line in mine)
        for line in mine:
            enough = Money.parse(line["left"]) >= ordered and self.differs_in(line) <= {"amount", "state"}
            paid = line["kind"] == "debit" and not known & {"paid", "rejected"}
            back = line["kind"] == "credit" and "paid" in known and "returned" not in known and not surplus
            if enough and (paid or back):
                self._resolve(path, "assign", [(line, ordered)], instruction_id)
                return True
        debits = [line for line in mine if line["kind"] == "debit"]
        credits_ = [line for line in mine if line["kind"] == "credit"]
        if debits and credits_:
            common = min(Money.parse(debits[0]["left"]), Money.parse(credits_[0]["left"]))
            self._resolve(path, "reversed", [(debits[0], common), (credits_[0], common)], None)
            return True
        return False

    def differs_in(self, line: Body) -> set[str]:
        [row] = self.rows(
            "select disagreements from bank_line where statement_id = %s and line = %s",
            UUID(line["statement_id"]), line["line"],
        )  # fmt: skip
        return {each["field"] for each in json.loads(row.disagreements)}

    def _resolve(self, path: str, kind: str, parts: list[tuple[Body, Money]], instruction_id: str | None) -> None:
        lines = [{"statement_id": each["statement_id"], "line": each["line"], "amount": str(m)} for each, m in parts]
        body = {"kind": kind, "lines": lines, "instruction_id": instruction_id, "reason": "已与开户行核对"}
        made = self.story.call("maker", "POST", f"{path}/resolutions", body).get_json()
        decision = {"outcome": "approve"}
        self.story.call("releaser", "POST", f"{path}/resolutions/{made['id']}/decision", decision)
        self.did[f"explained: {kind}"] += 1

    def _came_back(self, tenant: str) -> list[Body]:
        path = f"/v1/tenants/{tenant}/came-back?limit=500"
        return list(self.story.call("maker", "GET", path).get_json()["items"])

    def _correct(self, tenant: str) -> None:
        """What came back gets another account by two people."""
        for each in self._came_back(tenant):
            if each["correction"] != "none":
                continue
            payee = {
                "account_name": f"更正户名{len(self.did)}", "bank_name": "工商银行", "cnaps": "102301000017",
                "account_number": f"6217{self.chance.randrange(10**12):012d}",
            }  # fmt: skip
            path = f"/v1/tenants/{tenant}/came-back/{each['obligation_id']}/payee-corrections"
            made = self.story.call("maker", "POST", path, {"payee": payee, "reason": "账号有误"}).get_json()
            self.story.call("releaser", "POST", f"{path}/{made['id']}/decision", {"outcome": "approve"})

    def _issue_again(self) -> None:
        """What came back and is cooled off is owed again, unless the payee still has a payment too many."""
        for tenant in self.tenants:
            for each in self._came_back(tenant):
                if each["correction"] == "cooling_off":  # over the Spring Festival
                    continue
                if each["paid_twice"]:
                    self._ask_for_it(tenant, each)
                    continue
                path = f"/v1/tenants/{tenant}/came-back/{each['obligation_id']}/reissue"
                self.story.call("maker", "POST", path)
                self.owed.add((tenant, each["mode"]))
                self.did[f"issued again: {each['kind']}"] += 1

    def _ask_for_it(self, tenant: str, each: Body) -> None:
        """The payee has a second payment, of which the first came back: in the second month the bank takes it back."""
        self.did["re-issues put off: paid twice"] += 1
        self.put_off[each["instruction_id"]] += 1
        batch = next((one for one in self.open if one["batch_no"] == each["batch_no"]), None)
        if self.put_off[each["instruction_id"]] != ASKED_AFTER or batch is None:
            return
        wanted = end_to_end_id(UUID(each["instruction_id"]))
        amount, account_number = self._ordered(batch)[wanted]
        found = next(one for one in self.story.books.payments if one.end_to_end_id == wanted)
        payment = replace(found, amount=amount, account_number=account_number)
        self.later[tenant].append((batch, Entry(payment, is_credit=True, bank_reference=f"Q{len(self.put_off):08d}")))
        self.did["second payments taken back"] += 1

    def _close(self) -> None:
        """Close what is settled; what came back and is not issued again yet keeps its batch open."""
        left = []
        for batch in self.open:
            now = self.story.call("maker", "GET", _place(batch)).get_json()
            if now["state"] != "settled":
                left.append(batch)
                continue
            answer = self.story.app.test_client().post(
                f"{_place(batch)}/close", headers={"Authorization": f"Bearer {self.story.tokens['maker']}"}
            )
            if answer.status_code == 409:
                assert answer.get_json()["code"] == "batch.not_reissued", answer.get_json()
                left.append(batch)
            else:
                assert answer.status_code == 200, answer.get_json()
                self.did["batches closed"] += 1
        self.open = left

    def hand_in(self, batch: Body, content: bytes) -> None:
        self.post("maker", f"{_place(batch)}/statements", content)

    def post(self, who: str, path: str, content: bytes) -> None:
        headers = {"Authorization": f"Bearer {self.story.tokens[who]}"}
        answer = self.story.app.test_client().post(path, data=content, headers=headers)
        assert answer.status_code in {200, 201}, answer.get_json()

    def _account(self, tenant: str) -> str:
        office = self.story.service.office
        return str(self.story.do(lambda work: debtor_account(work.connection, tenant, office).account_number))


def _instructions(lines: list[Body]) -> list[str]:
    return list(dict.fromkeys(line["instruction_id"] for line in lines if line["instruction_id"] is not None))


def _payload(token: str) -> Body:
    from base64 import urlsafe_b64decode

    part = token.split(".")[1]
    return dict(json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4))))


def _place(batch: Body) -> str:
    return f"/v1/tenants/{batch['tenant']}/batches/{batch['id']}"


@contextmanager
def begun(
    addresses: Addresses, folder: Path, seed: int, tenants: tuple[str, ...], claims: int, months: int
) -> Iterator[Year]:
    """A fresh service at the end of September, with the claims of the year in review."""
    migrate_schema(addresses.owner_url)
    place = folder.resolve()
    settings = Settings(addresses.app_url, addresses.redis_url, place / "secrets", checkpoints=place / "checkpoints")
    prepared = prepare(settings, START)
    books = Books(seed=seed, misbehaviour=BAD)
    with BankServer(books) as bank:
        connection = BankConnection("http", bank.address)
        service = replace(open_service(prepared.settings), banks=dict.fromkeys(tenants, connection))
        try:
            with service.engine.connect() as known:
                every = tuple(known.exec_driver_sql("select tenant from tenant order by tenant").scalars())
            story = Story(service, addresses, create_app(service), every, books)
            enrol(story)
            year = Year(story, tenants, Random(seed))
            year.windows = Windows(year, connection)
            _submit(year, seed, claims, months)
            yield year
        finally:
            service.engine.dispose()
            service.queue.close()


def _submit(year: Year, seed: int, claims: int, months: int) -> None:
    """Honest claims of the tenants, until there are as many."""
    count = 0
    for given in generate(seed, claims * 6 + 60):
        if given.planted is None and given.body["tenant"] in year.tenants and count < claims:
            count += year.story.submit(given)["state"] == "in_review"
    if set(year.tenants) >= CROSSING:
        year.story.agree("home_region", "2024-09-27", sends_orders=True)
        year.story.agree("home_region", DIRECTLY[0], netting="gross", sends_orders=True)
        year.story.agree("home_region", DIRECTLY[1], sends_orders=True)
        for number in range(FIRST_CROSS, FIRST_CROSS + CROSSES * months):
            count += _cross(year, seed + number)
    year.did["claims in review"] = count


def _cross(year: Year, seed: int) -> bool:
    """A claim of Wujiang's for a provider of Jiashan."""
    body = reservation(cross_redemption(seed, None, Money(300_000)).body, f"cross-{seed}")
    made = year.story.call("delta", "POST", "/v1/reservations", body).get_json()
    year.story.call("reviewer of center", "POST", f"/v1/reservations/{made['id']}/confirm", {})
    given = cross_redemption(seed, UUID(made["id"]), Money.parse(made["amount"]))
    given.body["external_id"] = f"CSJ{seed:012d}"  # of one day each claim would be the first
    return bool(year.story.submit(given)["state"] == "in_review")
