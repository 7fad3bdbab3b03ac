"""Regions whose money moves: debts between them, batches, matching, and banks that commands and worker both reach."""

import json
import secrets
from base64 import urlsafe_b64decode
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import count
from typing import Any, Final
from uuid import UUID

from clearing.app import create_app
from clearing.demonstration.claims import cross_redemption
from clearing.verification import verify_database
from settlement.bank.connections import agent_of, read_connections
from settlement.bank.simulator import BankServer, Payment
from settlement.bank.simulator.answers import camt053, entries_of
from settlement.payouts.payout_account import debtor_account
from tenants.kernel.clock import SystemClock, shanghai_day
from tenants.kernel.money import Money
from tests.console.test_clearing import owing
from tests.console.world import World, approved, own_world
from tests.verification.policy_story import link_regions
from tests.verification.reserving import reservation
from tests.verification.story import Body, Story

PAYER: Final = "wujiang"
"""It has no bank connected: what it pays in goes by hand."""
RECEIVER: Final = "jiashan"
AGENT: Final = (
    '[settlement_agents.delta]\nmethod = "http"\naddress = "{address}"\naccount_name = "清算专户（演示）"\n'
    'account_number = "0000888877776666"\nbank_name = "演示银行"\ncnaps = "102301000017"\n'
)
FIRST_SEED: Final = 40
AT_ONCE: Final = 8
"""So many batches are in publicity at a time: it costs business time, of which a year has only so much."""


@dataclass
class Regions:
    """The world of it; Wujiang owes Jiashan by an agreement, and the provinces' awards are matched by regions."""

    world: World
    bank: BankServer
    seeds: Iterator[int] = field(default_factory=lambda: count(FIRST_SEED))
    sealed: deque[Body] = field(default_factory=deque)
    """Batches of Wujiang's for providers of Jiashan that nobody released yet."""

    @property
    def story(self) -> Story:
        return self.world.story

    @property
    def today(self) -> date:
        return self.story.do(lambda work: shanghai_day(work.at))  # type: ignore[no-any-return]

    def rows(self, statement: str, *values: Any) -> list[Any]:
        """Rows of the database, as all tenants see them."""
        return list(self.story.do(lambda work: work.connection.exec_driver_sql(statement, values).all()))

    def get(self, path: str, who: str = "maker") -> Body:
        """What the interface says."""
        return dict(self.story.call(who, "GET", path).get_json())

    def connect(self, *, agent: bool) -> None:
        """Write which banks there are, for the commands and for the service: Jiangsu's, and the agent's or not."""
        address = self.bank.address
        said = f'[jiangsu]\nmethod = "http"\naddress = "{address}"\n' + (AGENT.format(address=address) if agent else "")
        file = self.story.service.settings.banks_file
        file.write_text(said, encoding="utf-8")
        self.story.service = replace(self.story.service, machine=SystemClock(), banks=read_connections(file))
        self.story.app = create_app(self.story.service)
        assert (agent_of("delta") in self.story.service.banks) is agent

    def owe(self) -> str:
        """The open window's id, in which Wujiang owes Jiashan 3000 yuan more."""
        if not self.sealed:
            self._seal()
        released = self.story.step("releaser", PAYER, self.sealed.popleft(), "release")
        assert released["state"] == "released", released
        return str(self.story.call("operator", "POST", "/v1/clearing/cycles", {}).get_json()["id"])

    def _seal(self) -> None:
        published = []
        for _ in range(AT_ONCE):
            self._cross(next(self.seeds))
            batch = self.story.cut(PAYER, "delta", "cross_redemption", counterparty=RECEIVER)
            published.append(self.story.step("maker", PAYER, batch, "publish"))
        self.world.pass_the_notice(PAYER, str(published[-1]["id"]))
        self.sealed.extend(self.story.step("maker", PAYER, batch, "seal") for batch in published)

    def _cross(self, seed: int) -> None:
        """An approved claim of Wujiang's for a provider of Jiashan."""
        face = Money(300_000)
        place = reservation(cross_redemption(seed, None, face).body, f"cli-{seed}")
        held = self.story.call("delta", "POST", "/v1/reservations", place).get_json()
        self.story.call("reviewer of center", "POST", f"/v1/reservations/{held['id']}/confirm", {})
        given = cross_redemption(seed, UUID(held["id"]), Money.parse(held["amount"]))
        given.body["external_id"] += f"-{seed}"
        for document in given.body["documents"]:
            document["sha256"] = secrets.token_hex(32)
        claim = self.story.submit(given)
        assert self.story.approve(claim)["state"] == "approved", claim["assessment"]["findings"]

    def confirm(self, window: str) -> None:
        """Both sides confirm what the closed window comes to, which brings about its orders."""
        path = f"/v1/clearing/cycles/{window}"
        for each in self.get(f"{path}/positions")["positions"]:
            said = {"tenant": each["tenant"], "net": each["net"]}
            self.story.call("releaser", "POST", f"{path}/confirmations", said)

    def order(self, window: str, kind: str) -> Body:
        """The window's order of the kind that stands."""
        items = self.get(f"/v1/clearing/cycles/{window}/orders", "releaser")["items"]
        [found] = [one for one in items if one["kind"] == kind and one["state"] not in {"replaced", "cancelled"}]
        return dict(found)

    def paid(self, order: Body) -> Payment:
        """The order's payment, made by the bank that has or is now given its file."""
        message = f"CO-{order['end_to_end_id']}"
        if message not in self.story.books.arrivals:
            path = f"/v1/tenants/{order['tenant']}/clearing-orders/{order['id']}/file"
            self.story.books.receive(message, self.story.call("maker", "GET", path).get_data())
        self.story.books.execute()
        [made] = [one for one in self.story.books.payments if one.end_to_end_id == order["end_to_end_id"]]
        return made

    def statement(self, order: Body, payment: Payment) -> bytes:
        """What the bank of who pays the order tells of its account."""
        part = order["jws"].split(".")[1]
        said = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return camt053(said["debtor"]["account_number"], entries_of([payment]), self.today)

    def batch(self, number: int) -> Body:
        """A batch of Jiangsu's of so many new claims, instructed."""
        approved(self.world, number)
        batch = self.story.cut("jiangsu", "provincial")
        self.story.step("maker", "jiangsu", batch, "publish")
        self.world.pass_the_notice("jiangsu", str(batch["id"]))
        self.story.step("maker", "jiangsu", batch, "seal")
        self.story.step("releaser", "jiangsu", batch, "release")
        self.story.jobs()
        return self.get(f"/v1/tenants/jiangsu/batches/{batch['id']}")

    def payments(self, batch: Body) -> list[Payment]:
        """The batch's payments, made by the bank that has or is now given its file."""
        number = str(batch["batch_no"])
        if number not in self.story.books.arrivals:
            path = f"/v1/tenants/jiangsu/batches/{batch['id']}/files/pain.001.xml"
            self.story.books.receive(number, self.story.call("maker", "GET", path).get_data())
        self.story.books.execute()
        return [one for one in self.story.books.payments if one.message_id == number]

    def answer(self, *payments: Payment) -> bytes:
        """The statement of Jiangsu's account that tells of these payments."""
        office = self.story.service.office
        number = self.story.do(lambda work: debtor_account(work.connection, "jiangsu", office).account_number)
        return camt053(str(number), entries_of(payments), self.today)


@contextmanager
def own_regions() -> Iterator[Regions]:
    """Everything on servers of its own, the settlement agent's bank connected; in the end everything agrees."""
    with own_world() as world, BankServer(world.story.books) as bank:
        made = Regions(world, bank)
        made.connect(agent=True)
        world.story.enrol("second administrator", person=True)
        link_regions(world.story)
        with owing(world):
            yield made
        where = world.story.addresses.auditor_url, world.story.secrets_folder, world.story.checkpoints_folder
        assert list(verify_database(*where)) == [], "what the commands did does not agree"
