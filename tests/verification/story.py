"""A small but whole history, made over the service's own interface: every state of a claim and of a batch occurs."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from flask import Flask
from werkzeug.test import TestResponse

from clearing.app import create_app
from clearing.checkpoints import Checkpoints
from clearing.claims.corrections import release_overdue
from clearing.demonstration.claims import GeneratedClaim, cross_redemption, generate, support_record
from clearing.demonstration_clock import move_forward
from clearing.embedded import Addresses
from clearing.preparation import migrate_schema, prepare
from clearing.service import Service, open_service
from clearing.settings import Settings
from clearing.workers import deliver_notices, do_job
from settlement.bank.connections import BankConnection, agent_of
from settlement.bank.simulator import BankServer, Books
from settlement.office import Office
from settlement.payouts.instruction import Account
from settlement.signatures.keys import revoke_key, rotate_key
from settlement.signatures.signing import Purpose
from tenants.credentials import create_client
from tenants.kernel.database import Scope, Work, run
from tenants.kernel.money import Money
from tenants.principal import SCOPES
from tests.verification.bank_story import close_months, hear_from_the_bank, issue_again
from tests.verification.desk_story import admit, end_the_year, load_calendars, oversee, pass_trusted, wait_for_money
from tests.verification.people import open_accounts
from tests.verification.platform_story import (
    add_keys,
    enrol,
    hold_to_terms,
    pull,
    register_webhooks,
    send_webhooks,
)
from tests.verification.policy_story import commit_regions, divide_a_budget, draft_policies, link_regions, set_the_rate
from tests.verification.registry_story import retype, rotate_registry_key, support_in_bulk
from tests.verification.reserving import reservation, reserve
from tests.verification.suspicions import cancel, cancel_what_was_paid, collide

START: Final = datetime.fromisoformat("2024-09-26T09:00:00+08:00")
SEED: Final = 7
CLAIMS: Final = 30
ATTEMPTS: Final = 6
Body = dict[str, Any]


@dataclass
class Story:
    """The service in this process, and who acts on it; ``claims`` are the answers by external id."""

    service: Service = field(repr=False)
    addresses: Addresses = field(repr=False)
    app: Flask = field(repr=False)
    tenants: tuple[str, ...]
    books: Books = field(repr=False)
    tokens: dict[str, str] = field(default_factory=dict, repr=False)
    signer: str = ""
    """The client that signs its requests."""
    claims: dict[str, Body] = field(default_factory=dict, repr=False)
    again: Body = field(default_factory=dict, repr=False)
    answered: list[Body] = field(default_factory=list, repr=False)
    """Batches of which a bank has told."""

    @property
    def secrets_folder(self) -> Path:
        return self.service.settings.secrets_folder

    @property
    def checkpoints_folder(self) -> Path:
        return self.service.settings.checkpoints_folder

    def enrol(self, name: str, platform: str | None = None, *, person: bool = False) -> None:
        """A client with every scope, and its token."""
        with self.service.engine.begin() as connection:
            made = create_client(
                connection, platform, self.tenants, SCOPES, name if person else None, self.service.machine.now()
            )
        answer = self.app.test_client().post(
            "/oauth/token", data={"grant_type": "client_credentials"}, auth=(made.client_id, made.client_secret)
        )
        assert answer.status_code == 200, answer.get_data(as_text=True)
        self.tokens[name] = answer.get_json()["access_token"]

    def call(
        self, who: str, method: str, path: str, body: Any = None, *, key: str | None = None, ok: int = 0
    ) -> TestResponse:
        """One call; it must succeed, or answer ``ok``."""
        headers = {"Authorization": f"Bearer {self.tokens[who]}"} | ({} if key is None else {"Idempotency-Key": key})
        answer = self.app.test_client().open(path, method=method, json=body, headers=headers)
        expected = {ok} if ok else {200, 201, 202, 204}
        assert answer.status_code in expected, f"{method} {path}: {answer.status_code} {answer.get_data(as_text=True)}"
        return answer

    def send_lines(self, who: str, path: str, lines: str) -> str:
        """One call in bulk: its lines, one answer each."""
        headers = {"Authorization": f"Bearer {self.tokens[who]}", "Content-Type": "application/x-ndjson"}
        answer = self.app.test_client().post(path, data=lines.encode(), headers=headers)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return answer.get_data(as_text=True)

    def do(self, use_case: Callable[[Work], Any]) -> Any:
        """One use case in its own transaction."""
        return run(self.service.engine, Scope(self.tenants), self.service.machine, use_case)

    def move(self, to: str) -> None:
        """Move the demonstration clock."""
        at = datetime.fromisoformat(to)
        self.do(lambda work: move_forward(work.connection, at, self.service.machine))

    def submit(self, given: GeneratedClaim, key: str | None = None) -> Body:
        """Submit one claim through its platform."""
        answer = self.call(given.platform, "POST", "/v1/claims", given.body, key=key)
        self.claims[str(given.body["external_id"])] = answer.get_json()
        return dict(answer.get_json())

    def claim(self, claim_id: str) -> Body:
        """The claim as it now is."""
        return dict(self.call("auditor", "GET", f"/v1/claims/{claim_id}").get_json())

    def in_state(self, tenant: str, state: str) -> list[Body]:
        """The tenant's claims in this state, the oldest first."""
        return list(
            self.call("auditor", "GET", f"/v1/claims?tenant={tenant}&state={state}&limit=500").get_json()["items"]
        )

    def approve(self, claim: Body, reviewer: str = "reviewer") -> Body:
        """Carry the claim through all of its stages."""
        while claim["state"] == "in_review":
            stage = claim["next_stage"]
            body = {"stage": stage, "outcome": "approve"}
            claim = dict(
                self.call(f"{reviewer} of {stage}", "POST", f"/v1/claims/{claim['id']}/reviews", body).get_json()
            )
        return claim

    def jobs(self) -> None:
        """Do what the outbox holds; a call that the bank did not answer is tried again at once."""
        for outbox_id in self._waiting("batch.instruct"):
            assert do_job(self.service, outbox_id)
        for _ in range(ATTEMPTS):
            for outbox_id in self._waiting("bank.send"):
                do_job(self.service, outbox_id)
        assert self._waiting("bank.send") == []
        deliver_notices(self.service)

    def _waiting(self, kind: str) -> list[UUID]:
        def use_case(work: Work) -> list[UUID]:
            rows = work.connection.exec_driver_sql(
                "update outbox set next_attempt_at = case when attempts = 0 then next_attempt_at else %s end "
                "where done_at is null and kind = %s returning id",
                (work.at, kind),
            )
            return list(rows.scalars())

        return list(self.do(use_case))

    def step(self, who: str, tenant: str, batch: Body, step: str) -> Body:
        """One step of a batch."""
        return dict(self.call(who, "POST", f"/v1/tenants/{tenant}/batches/{batch['id']}/{step}", {}).get_json())

    def cut(self, tenant: str, scheme: str, mode: str = "common_use", **more: str) -> Body:
        """A batch of what is approved."""
        path = f"/v1/tenants/{tenant}/batches"
        return dict(self.call("maker", "POST", path, {"scheme": scheme, "mode": mode, **more}).get_json())

    def cross(self, *seeds: int) -> None:
        """Approved claims of Wujiang's for providers of Jiashan, one for each seed."""
        for seed in seeds:
            given = cross_redemption(SEED + seed, None, Money(300_000))
            made = self.call("delta", "POST", "/v1/reservations", reservation(given.body, f"cross-{seed}")).get_json()
            self.call("reviewer of center", "POST", f"/v1/reservations/{made['id']}/confirm", {})
            given = cross_redemption(SEED + seed, UUID(made["id"]), Money.parse(made["amount"]))
            made = self.submit(given)
            assert self.approve(made)["state"] == "approved", made["assessment"]["findings"]

    def agree(self, form: str, effective_on: str, counterparty: str = "jiashan", **more: Any) -> Body:
        """An agreement of Wujiang's that both sides have approved."""
        body = {"counterparty": counterparty, "form": form, "effective_on": effective_on, "document": "协〔2024〕1号"}
        made = self.call("administrator", "PUT", "/v1/tenants/wujiang/agreements", body | more).get_json()
        for who, side in (("approver", "wujiang"), ("accepter", counterparty)):
            made = self.call(who, "POST", f"/v1/tenants/{side}/agreements/{made['id']}/approve").get_json()
        assert made["state"] == "approved"
        return dict(made)


@contextmanager
def told(addresses: Addresses, data_dir: Path) -> Iterator[Story]:
    """The whole story on a fresh database."""
    migrate_schema(addresses.owner_url)
    folder = data_dir.resolve()
    settings = Settings(addresses.app_url, addresses.redis_url, folder / "secrets", checkpoints=folder / "checkpoints")
    prepared = prepare(settings, START)
    books = Books(seed=SEED, script=deque(["lose_request", "lose_answer"]))
    with BankServer(books) as bank:
        connection = BankConnection("http", bank.address)
        reached = dict.fromkeys(("jiangsu", "shanxi-hainan"), connection)
        agent = replace(connection, account=Account("清算专户", "0000888877776666", "演示银行", "102301000017"))
        service = replace(open_service(prepared.settings), banks=reached | {agent_of("delta"): agent})
        yield from _told(service, addresses, books)


def _told(service: Service, addresses: Addresses, books: Books) -> Iterator[Story]:
    with service.engine.connect() as connection:
        tenants = tuple(connection.exec_driver_sql("select tenant from tenant order by tenant").scalars())
    story = Story(service, addresses, create_app(service), tenants, books)
    try:
        _tell(story)
        yield story
    finally:
        service.engine.dispose()
        service.queue.close()


def _tell(story: Story) -> None:
    from tests.verification.clearing_story import clear_between_regions, reward_the_year

    enrol(story)
    open_accounts(story)
    _set_up(story)
    admit(story)
    draft_policies(story)
    divide_a_budget(story)
    register_webhooks(story)
    add_keys(story)
    hold_to_terms(story)
    _submit(story)
    pull(story, *_bodies(SEED + 120, 1))
    rotate_registry_key(story.service)
    _plant(story)
    retype(story.service, story.tenants, story.submit, SEED + 3)
    reserve(story)
    _decide_holds(story)
    wait_for_money(story)
    pass_trusted(story, SEED + 109, 5)
    _review(story)
    _first_batches(story)
    _later_batches(story)
    oversee(story)
    clear_between_regions(story)
    _revoke(story)
    set_the_rate(story)
    end_the_year(story)
    send_webhooks(story)
    reward_the_year(story)
    close_months(story)
    Checkpoints.of(story.service.settings).write(story.service.engine)


def _set_up(story: Story) -> None:
    for amount in ("9000000.00", "8000000.00"):
        story.call(
            "administrator", "PUT", "/v1/tenants/jiangsu/schemes/provincial/budgets/2024",
            {"amount": amount, "reason": "年度预算"}, key=f"budget-{amount}",
        )  # fmt: skip
    link_regions(story)
    commit_regions(story)


def _submit(story: Story) -> None:
    for number, given in enumerate(generate(SEED, CLAIMS)):
        story.submit(given, key=f"claim-{number}")
    spare = generate(SEED + 1, 3)[0].body
    record = support_record(spare, "wujiang-local", "wujiang", "support-1")
    story.call("wujiang-local", "POST", "/v1/support-records", record)
    support_in_bulk(lambda lines: story.send_lines("wujiang-local", "/v1/support-records/bulk", lines))


def _bodies(seed: int, count: int) -> list[Body]:
    """Claims of Jiangsu's that nothing else in the story submits."""
    honest = [one.body for one in generate(seed, 60) if one.planted is None and one.platform == "jssic"][:count]
    for body in honest:
        body["external_id"] += f"-pulled-{seed}"
    return honest


def _plant(story: Story) -> None:
    """Claims that are held, for a document or an invoice that another claim uses, and claims that are sent back."""
    honest = [given for given in generate(SEED + 2, 60) if given.planted is None and given.platform == "jssic"]
    for given in honest:
        given.body["external_id"] += "-planted"
    first, *held = honest[:5]
    assert story.submit(first)["state"] == "in_review"
    report = _report(first.body)
    for given in held:
        _report(given.body)["sha256"] = report["sha256"]
        assert story.submit(given)["state"] == "on_hold"
    other = deepcopy(first.body) | {name: honest[5].body[name] for name in ("external_id", "enterprise", "payee")}
    other["contract"]["number"] = honest[5].body["contract"]["number"]
    for document in other["documents"]:
        document["sha256"] = document["sha256"][::-1]
    for invoice in other["invoices"]:
        invoice.pop("buyer_uscc", None)
    for receipt in other["receipts"]:
        receipt["serial"] = receipt["serial"][::-1]
    assert story.submit(replace(first, body=other))["state"] == "on_hold"
    for number, given in enumerate(honest[6:8]):
        incomplete = deepcopy(given.body)
        incomplete["documents"].remove(_report(incomplete))
        assert story.submit(replace(given, body=incomplete))["state"] == "needs_correction"
        if number == 0:
            assert story.submit(given)["revision"] == 2


def _report(body: Body) -> Body:
    return next(document for document in body["documents"] if document["kind"] == "service_report")


def _decide_holds(story: Story) -> None:
    held = [claim for tenant in story.tenants for claim in story.in_state(tenant, "on_hold")]
    assert len(held) > 2, "too few claims are on hold"
    for number, claim in enumerate(held[:3]):
        outcome = ("clear", "reject")[number % 2]
        for hold in claim["holds"]:
            path = f"/v1/claims/{claim['id']}/holds/{hold['id']}/resolution"
            story.call("reviewer of center", "POST", path, {"outcome": outcome, "reason": "已核对"})
            if outcome == "reject":
                break


def _review(story: Story) -> None:
    jiangsu = story.in_state("jiangsu", "in_review")
    assert len(jiangsu) > 8, "too few claims are in review"
    first, second, third, fourth, *others = jiangsu
    stage = first["next_stage"]
    for claim, outcome in ((first, "reject"), (second, "correct")):
        body = {"stage": stage, "outcome": outcome, "reason": "材料不符"}
        story.call(f"reviewer of {stage}", "POST", f"/v1/claims/{claim['id']}/reviews", body)
    story.call("jssic", "POST", f"/v1/claims/{third['id']}/withdraw", {"reason": "企业撤回"})
    lowered = str(Money.parse(fourth["assessment"]["award"]) - Money(10_000))
    body = {"stage": stage, "outcome": "approve", "award": lowered, "reason": "核减"}
    story.approve(
        dict(story.call(f"reviewer of {stage}", "POST", f"/v1/claims/{fourth['id']}/reviews", body).get_json())
    )
    for claim in others[:-2]:
        story.approve(claim)
    for tenant in ("shanxi-hainan", "wujiang", "jiashan"):
        for claim in story.in_state(tenant, "in_review"):
            story.approve(claim)


def _first_batches(story: Story) -> None:
    """Jiangsu's first batch loses one claim to an objection and is paid; its second is cancelled."""
    story.move("2024-09-27T09:00:00+08:00")
    batch = story.cut("jiangsu", "provincial")
    shanxi = story.cut("shanxi-hainan", "provincial", cut_off="2024-09-27")
    crossing = story.cut("wujiang", "delta", "cross_redemption")
    for tenant, each in (("jiangsu", batch), ("shanxi-hainan", shanxi), ("wujiang", crossing)):
        story.step("maker", tenant, each, "publish")
    items = story.call("auditor", "GET", f"/v1/tenants/jiangsu/batches/{batch['id']}/items").get_json()["items"]
    for number, item in enumerate(items[:2]):
        body = {"reason": f"有异议 {number}", "contact": "13800000000"}
        path = f"/v1/claims/{item['claim_id']}/objections"
        held = story.call("reviewer of authority", "POST", path, body).get_json()
        if number == 0:
            hold = next(each for each in held["holds"] if each["state"] == "open")
            path = f"/v1/claims/{held['id']}/holds/{hold['id']}/resolution"
            story.call("reviewer of center", "POST", path, {"outcome": "clear", "reason": "异议不成立"})
            story.approve(story.claim(held["id"]), "second reviewer")
    collide(story, [item["claim_id"] for item in items[2:4]])
    assert cancel(story, items[-1]["claim_id"]) == "needs_correction"
    story.jobs()
    story.move("2024-10-11T09:00:00+08:00")
    for tenant, each in (("jiangsu", batch), ("shanxi-hainan", shanxi), ("wujiang", crossing)):
        story.step("maker", tenant, each, "seal")
        story.step("releaser", tenant, each, "release")
    story.jobs()
    cancel_what_was_paid(story, items[-2]["claim_id"])
    for tenant, each in (("jiangsu", batch), ("shanxi-hainan", shanxi)):
        story.call("releaser", "POST", f"/v1/tenants/{tenant}/batches/{each['id']}/sending")
    story.jobs()
    hear_from_the_bank(story, batch, shanxi)


def _later_batches(story: Story) -> None:
    """A cancelled batch, one that is sealed with a rotated key, an empty one that is closed, one only published."""
    story.step("maker", "jiangsu", story.cut("jiangsu", "provincial"), "cancel")
    office = Office(story.service.secrets, demonstration=True)
    story.do(lambda work: rotate_key(work.connection, "jiangsu", Purpose.PAYOUT, office, "operator", work.at))
    story.move("2024-10-14T09:00:00+08:00")
    again = story.cut("jiangsu", "provincial")
    story.step("maker", "jiangsu", again, "publish")
    load_calendars(story)
    pass_trusted(story, SEED + 110, 3)
    story.step("maker", "jiangsu", story.cut("jiangsu", "provincial"), "cancel")
    empty = story.cut("shanxi-hainan", "provincial")
    story.step("releaser", "shanxi-hainan", empty, "cancel")
    story.move("2024-10-22T09:00:00+08:00")
    story.step("maker", "jiangsu", again, "seal")
    story.step("releaser", "jiangsu", again, "release")
    story.jobs()
    issue_again(story)
    story.move("2024-11-05T09:00:00+08:00")
    for step, who in (("seal", "maker"), ("release", "releaser")):
        story.step(who, "jiangsu", story.again, step)
    story.jobs()
    overdue = story.do(release_overdue)
    assert overdue > 0, "no correction is overdue"


def _revoke(story: Story) -> None:
    kid = story.do(
        lambda work: work.connection.exec_driver_sql(
            "select kid from signing_key where tenant = 'wujiang' and purpose = 'payout'"
        ).scalar_one()
    )
    story.do(lambda work: revoke_key(work.connection, "wujiang", kid, "operator", "演练", work.at))
