"""A small but whole history, made over the service's own interface: every state of a claim and of a batch occurs."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import date, datetime
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
from clearing.webhooks.courier import Courier
from clearing.workers import deliver_notices, do_job
from settlement.bank.connections import BankConnection
from settlement.bank.simulator import BankServer, Books
from settlement.bank.simulator.answers import camt053, camt054, entries_of, pain002
from settlement.keys import revoke_key, rotate_key
from settlement.office import Office
from settlement.payout_account import debtor_account
from settlement.signing import Purpose
from tenants.credentials import create_client, revoke_client
from tenants.kernel.database import Scope, Work, run
from tenants.kernel.money import Money
from tenants.policy_document import load_shipped
from tenants.principal import SCOPES
from tests.verification.desk_story import admit, end_the_year, load_calendars, oversee, pass_trusted, wait_for_money

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
    claims: dict[str, Body] = field(default_factory=dict, repr=False)
    again: Body = field(default_factory=dict, repr=False)

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

    def account(self, tenant: str) -> str:
        """The number of the account that the tenant pays from."""
        office = self.service.office
        return str(self.do(lambda work: debtor_account(work.connection, tenant, office).account_number))

    def hand_in(self, tenant: str, batch: Body, content: bytes) -> Body:
        """A bank's answer."""
        answer = self.app.test_client().post(
            f"/v1/tenants/{tenant}/batches/{batch['id']}/statements",
            data=content,
            headers={"Authorization": f"Bearer {self.tokens['maker']}"},
        )
        assert answer.status_code == 201, answer.get_data(as_text=True)
        return dict(answer.get_json())

    def cut(self, tenant: str, scheme: str, mode: str = "common_use", **more: str) -> Body:
        """A batch of what is approved."""
        path = f"/v1/tenants/{tenant}/batches"
        return dict(self.call("maker", "POST", path, {"scheme": scheme, "mode": mode, **more}).get_json())

    def cross(self, *seeds: int) -> None:
        """Approved claims of Wujiang's for providers of Jiashan, one for each seed."""
        for seed in seeds:
            given = cross_redemption(SEED + seed, None, Money(300_000))
            made = self.call("delta", "POST", "/v1/reservations", _reservation(given.body, f"cross-{seed}")).get_json()
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
        service = replace(
            open_service(prepared.settings), banks=dict.fromkeys(("jiangsu", "shanxi-hainan"), connection)
        )
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
    _enrol(story)
    _set_up(story)
    admit(story)
    _register_webhooks(story)
    _draft(story)
    _divide(story)
    _submit(story)
    _plant(story)
    _reserve(story)
    _decide_holds(story)
    wait_for_money(story)
    pass_trusted(story, SEED + 109, 5)
    _review(story)
    _first_batches(story)
    _later_batches(story)
    oversee(story)
    _clear(story)
    _set_the_rate(story)
    end_the_year(story)
    _revoke(story)
    _send_webhooks(story)
    Checkpoints.of(story.service.settings).write(story.service.engine)


def _enrol(story: Story) -> None:
    for platform in ("jssic", "delta", "shanxi-inno", "wujiang-local"):
        story.enrol(platform, platform)
    people = ("auditor", "administrator", "second administrator", "maker", "releaser")
    for person in (*people, "approver", "accepter", "operator"):
        story.enrol(person, person=True)
    for stage in ("center", "authority", "city", "province"):
        story.enrol(f"reviewer of {stage}", person=True)
        story.enrol(f"second reviewer of {stage}", person=True)
    with story.service.engine.begin() as connection:
        gone = create_client(connection, "delta", ("qingpu",), SCOPES, None, story.service.machine.now())
        revoke_client(connection, gone.client_id, story.service.machine.now())


def _set_up(story: Story) -> None:
    for amount in ("9000000.00", "8000000.00"):
        story.call(
            "administrator", "PUT", "/v1/tenants/jiangsu/schemes/provincial/budgets/2024",
            {"amount": amount, "reason": "年度预算"}, key=f"budget-{amount}",
        )  # fmt: skip
    story.call(
        "administrator", "PUT", "/v1/tenants/jiangsu/linked-regions/2024",
        {"regions": {"320300": ["tech_sme"], "320700": ["tech_sme", "high_tech"], "320900": ["tech_sme"], "320509": ["tech_sme"]}},
    )  # fmt: skip


def _register_webhooks(story: Story) -> None:
    """One that answers, one that never does, and one that is disabled; nothing is sent before the story's end."""
    made = [
        story.call(platform, "POST", "/v1/webhooks", {"tenant": tenant, "url": f"http://127.0.0.1:{port}/told"})
        for platform, tenant, port in (
            ("jssic", "jiangsu", 2000),
            ("delta", "wujiang", 2001),
            ("delta", "wujiang", 2002),
        )
    ]
    story.call("delta", "POST", f"/v1/webhooks/{made[-1].get_json()['id']}/disable")


def _send_webhooks(story: Story) -> None:
    """One round with nobody there; then Jiangsu's platform is there for some of what is due, and has it told again."""
    courier = Courier(story.service)
    assert courier.round() > 0
    endpoint = story.call("jssic", "GET", "/v1/webhooks").get_json()["items"][0]
    with story.service.engine.begin() as connection:
        connection.exec_driver_sql("select bind_scope(%s, null)", (",".join(story.tenants),))
        told = connection.exec_driver_sql(  # as the courier records what was answered
            "update webhook_message set attempts = attempts + 1, last_answer = '200', done_at = next_attempt_at "
            "where endpoint_id = %s and seq in (select seq from webhook_message where endpoint_id = %s order by seq limit 9)",
            (endpoint["id"], endpoint["id"]),
        )
        assert told.rowcount == 9
    again = story.call(
        "jssic", "POST", f"/v1/webhooks/{endpoint['id']}/replay", {"after": endpoint["starts_after"] + 6}
    )
    assert again.get_json()["messages"] > 0


def _draft(story: Story) -> None:
    """A scheme of Ma'anshan's own whose rate is unset: rejected, drafted anew, approved; a claim waits for the rate."""
    policies = "/v1/tenants/maanshan/schemes/local/policies"
    for rate, outcome in (("unset", "reject"), ("unset", "approve")):
        body = {"effective_on": "2024-09-26", "document": _local("2024-09-26", rate)}
        story.call("administrator", "POST", policies, body)
        story.call("administrator", "POST", f"{policies}/2024-09-26/submit")
        story.call(
            "second administrator",
            "POST",
            f"{policies}/2024-09-26/{outcome}",
            {"reason": "先核对文号"} if outcome == "reject" else None,
        )
    late = {"effective_on": "2025-01-01", "document": _local("2025-01-01", "0.40"), "reason": "明年的比例"}
    story.call("administrator", "POST", policies, late)
    given = next(each for each in generate(SEED + 3, 200) if each.body["tenant"] == "maanshan" and each.planted is None)
    given.body.update({"scheme": "local", "submitted_at": "2024-09-26T09:00:00+08:00"})
    held = story.submit(given)
    assert held["state"] == "on_hold", held["assessment"]["findings"]


def _local(on: str, rate: str) -> str:
    text = next(each.text for each in load_shipped() if each.policy.tenant == "maanshan")
    text = text.replace('scheme = "delta"', 'scheme = "local"').replace("2021-01-09", on)
    return text.replace('rate = { value = "unset"', f'rate = {{ value = "{rate}"')


def _divide(story: Story) -> None:
    """A scheme of Qingpu's own with rates by class, whose short budget is divided among three claims."""
    path = "/v1/tenants/qingpu/schemes/local"
    text = next(each.text for each in load_shipped() if each.policy.tenant == "qingpu")
    text = text.replace('scheme = "delta"', 'scheme = "local"').replace("2021-01-09", "2024-09-26")
    text = text.replace('rate = { value = "unset"', 'rate = { value = "0.30"').replace('"waitlist"', '"pro_rata"')
    text = text.replace("[limits]\n", '[limits]\nfull_support_through = { value = "500.00", cite = "测" }\n')
    text = text.replace("[limits]\n", '[limits]\nshared_cap = { value = "annual", cite = "测" }\n')
    text += '\n[[service_classes]]\ncode = "t"\nzh = "测"\nen = "t"\ncite = "测"\nitems = ["testing"]\n'
    text += 'rate = { value = "0.45", cite = "测" }\n'
    story.call("administrator", "POST", f"{path}/policies", {"effective_on": "2024-09-26", "document": text})
    story.call("administrator", "POST", f"{path}/policies/2024-09-26/submit")
    story.call("second administrator", "POST", f"{path}/policies/2024-09-26/approve")
    drawn = [each for each in generate(SEED + 4, 300) if each.body["tenant"] == "qingpu" and each.planted is None]
    for given in drawn[:3]:
        given.body.update({"scheme": "local", "submitted_at": "2024-09-26T09:00:00+08:00"})
        held = story.submit(given)
        assert held["state"] == "on_hold", held["assessment"]["findings"]
    story.call("administrator", "PUT", f"{path}/budgets/2024", {"amount": "1000.01"})
    divided = story.call("second administrator", "POST", f"{path}/budgets/2024/division").get_json()
    assert divided["shared"] == "1000.01"


def _set_the_rate(story: Story) -> None:
    """The rate is set, and the claim that waited for it is assessed."""
    story.move("2024-11-21T09:00:00+08:00")
    policies = "/v1/tenants/maanshan/schemes/local/policies"
    story.call(
        "administrator", "POST", policies, {"effective_on": "2024-11-21", "document": _local("2024-11-21", "0.30")}
    )
    story.call("administrator", "POST", f"{policies}/2024-11-21/submit")
    approved = story.call("second administrator", "POST", f"{policies}/2024-11-21/approve").get_json()
    assert approved["assessed_claims"] == 1
    back = {
        "effective_on": "2024-09-25",
        "document": _local("2024-09-25", "0.20"),
        "kind": "retroactive",
        "reason": "补录",
    }
    story.call("administrator", "POST", policies, back)
    story.call("administrator", "POST", f"{policies}/2024-09-25/submit")
    story.call("second administrator", "POST", f"{policies}/2024-09-25/approve")


def _submit(story: Story) -> None:
    for number, given in enumerate(generate(SEED, CLAIMS)):
        story.submit(given, key=f"claim-{number}")
    spare = generate(SEED + 1, 3)[0].body
    record = support_record(spare, "wujiang-local", "wujiang", "support-1")
    story.call("wujiang-local", "POST", "/v1/support-records", record)


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


def _reserve(story: Story) -> None:
    """A reservation that a claim uses, one that is cancelled, and one that waits."""
    for number, name in enumerate(("used", "cancelled", "waiting", "unused")):
        body = _reservation(cross_redemption(SEED + number, None, Money(300_000)).body, f"reservation-{name}")
        made = story.call("delta", "POST", "/v1/reservations", body).get_json()
        if name != "waiting":
            story.call("reviewer of center", "POST", f"/v1/reservations/{made['id']}/confirm", {})
        if name == "cancelled":
            story.call("delta", "POST", f"/v1/reservations/{made['id']}/cancel", {})
        if name == "used":
            given = cross_redemption(SEED, UUID(made["id"]), Money.parse(made["amount"]))
            assert story.submit(given)["state"] == "in_review"


def _reservation(draft: Body, external_id: str) -> Body:
    return {
        "external_id": external_id, "tenant": draft["tenant"], "scheme": draft["scheme"],
        "mode": draft["mode"], "requested_at": "2024-09-26T09:00:00+08:00",
        "enterprise": {k: draft["enterprise"][k] for k in ("uscc", "name", "division", "types", "type_proofs", "prior_year_revenue", "established_on", "resident_of") if k in draft["enterprise"]},
        "provider": draft["provider"], "contract": draft["contract"], "amount": "3000.00",
    }  # fmt: skip


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
    shanxi = story.cut("shanxi-hainan", "provincial")
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
    _collide(story, [item["claim_id"] for item in items[2:4]])
    story.jobs()
    story.move("2024-10-11T09:00:00+08:00")
    for tenant, each in (("jiangsu", batch), ("shanxi-hainan", shanxi), ("wujiang", crossing)):
        story.step("maker", tenant, each, "seal")
        story.step("releaser", tenant, each, "release")
    story.jobs()
    for tenant, each in (("jiangsu", batch), ("shanxi-hainan", shanxi)):
        story.call("releaser", "POST", f"/v1/tenants/{tenant}/batches/{each['id']}/sending")
    story.jobs()
    _hear_from_the_bank(story, batch, shanxi)


def _hear_from_the_bank(story: Story, jiangsu: Body, shanxi: Body) -> None:
    """Jiangsu's payments arrive, one comes back, one differs, a stranger's is there too; Shanxi's are refused."""
    paid = story.books.execute()
    first, second, *others = [each for each in paid if each.message_id == jiangsu["batch_no"]]
    stray = replace(first, end_to_end_id="A" * 26, amount=Money(777))
    wrong = replace(second, amount=second.amount + Money(1))
    day, account = date(2024, 10, 11), story.account("jiangsu")
    notified = entries_of([replace(first, state="returned"), wrong, *others[:2]])
    story.hand_in("jiangsu", jiangsu, camt054(account, notified, day))
    story.move("2024-10-11T11:00:00+08:00")
    story.hand_in("jiangsu", jiangsu, camt053(account, [*notified, *entries_of([*others[2:], stray])], day))
    story.hand_in("shanxi-hainan", shanxi, pain002(shanxi["batch_no"], [], "RJCT"))


def _collide(story: Story, claim_ids: list[str]) -> None:
    """What a platform states as paid elsewhere freezes claims in publicity; one record is set aside, one stands."""
    for number, claim_id in enumerate(claim_ids):
        claim = story.claim(claim_id)
        keys = [
            {"kind": "invoice", "value": invoice["number"], "amount": invoice["amount"]}
            for invoice in claim["invoices"]
            if len(invoice["number"]) == 20
        ]
        body = {
            "platform": "wujiang-local", "external_id": f"support-collides-{number}", "tenant": "wujiang",
            "enterprise_uscc": claim["enterprise"]["uscc"], "supported_on": "2024-06-03", "keys": keys,
        }  # fmt: skip
        told = story.call("wujiang-local", "POST", "/v1/support-records", body).get_json()
        assert told["collisions"], "the record meets no claim"
        assert story.claim(claim_id)["state"] == "on_hold"
        reviewer = "reviewer of center"
        [case] = story.call(reviewer, "GET", f"/v1/cases?state=open&subject={claim_id}").get_json()["items"]
        path = f"/v1/cases/{case['id']}"
        story.call(reviewer, "POST", f"{path}/assignment", {"owner": "李审"})
        outcome = ("earlier_stands", "later_stands")[number]
        story.call(reviewer, "POST", f"{path}/resolution", {"outcome": outcome, "reason": "已向平台核实"})
        story.approve(story.claim(claim_id), "second reviewer")


def _issue_again(story: Story) -> None:
    """What came back gets another account, one that is refused and one that is approved, and is owed again."""
    backs = [*story.in_state("jiangsu", "returned"), *story.in_state("shanxi-hainan", "returned")]
    assert [back["tenant"] for back in backs] == ["jiangsu", "shanxi-hainan"]
    for back in backs:
        _correct(story, back, "6222000099990001", "refuse")
        _correct(story, back, "6222000099990002", "approve")
    story.move("2024-10-26T09:00:00+08:00")
    for back in backs:
        story.call("maker", "POST", f"/v1/claims/{back['id']}/reissue")
    story.again = story.cut("jiangsu", "provincial")
    story.step("maker", "jiangsu", story.again, "publish")


def _correct(story: Story, back: Body, number: str, outcome: str) -> None:
    name = back["enterprise"]["name"]
    payee = {"account_name": name, "account_number": number, "bank_name": "工商银行", "cnaps": "102301000017"}
    path = f"/v1/claims/{back['id']}/payee-corrections"
    made = story.call("maker", "POST", path, {"payee": payee, "reason": "账号有误"}).get_json()
    body = {"outcome": outcome, "reason": "已电话核实"}
    story.call("releaser", "POST", f"{path}/{made['id']}/decision", body)


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
    _issue_again(story)
    story.move("2024-11-05T09:00:00+08:00")
    for step, who in (("seal", "maker"), ("release", "releaser")):
        story.step(who, "jiangsu", story.again, step)
    story.jobs()
    overdue = story.do(release_overdue)
    assert overdue > 0, "no correction is overdue"


def _revoke(story: Story) -> None:
    kid = story.do(
        lambda work: work.connection.exec_driver_sql(
            "select kid from signing_key where tenant = 'wujiang'"
        ).scalar_one()
    )
    story.do(lambda work: revoke_key(work.connection, "wujiang", kid, "operator", "演练", work.at))


def _clear(story: Story) -> None:
    """Wujiang's providers in Jiashan are paid by an agent, then by Jiashan: two windows with debts, one without."""
    refused = {"counterparty": "qingpu", "form": "direct", "effective_on": "2025-01-01", "document": "协〔2024〕2号"}
    made = story.call("administrator", "PUT", "/v1/tenants/wujiang/agreements", refused).get_json()
    path = f"/v1/tenants/qingpu/agreements/{made['id']}/refuse"
    story.call("accepter", "POST", path, {"reason": "条件未谈妥"})
    agent = {
        "account_name": "演示结算代理", "account_number": "0000111122223333", "bank_name": "演示银行", "cnaps": "102301000017",
    }  # fmt: skip
    story.agree("agent", "2024-11-05", agent=agent)
    story.cross(10, 11)
    by_agent = story.cut("wujiang", "delta", "cross_redemption", counterparty="jiashan")
    story.step("maker", "wujiang", by_agent, "publish")
    story.agree("home_region", "2024-11-06", exposure_limit="5000.00", exposure_approver="approver")
    story.move("2024-11-06T09:00:00+08:00")
    story.cross(12, 13)
    first = story.cut("wujiang", "delta", "cross_redemption", counterparty="jiashan")
    story.step("maker", "wujiang", first, "publish")
    story.cross(14)
    second = story.cut("wujiang", "delta", "cross_redemption", counterparty="jiashan")
    story.step("maker", "wujiang", second, "publish")
    story.move("2024-11-18T09:00:00+08:00")
    for batch in (by_agent, first, second):
        story.step("maker", "wujiang", batch, "seal")
    story.step("releaser", "wujiang", by_agent, "release")
    held = story.step("releaser", "wujiang", first, "release")
    assert held["exposure_hold"] is not None, "the batch passed the limit"
    path = f"/v1/tenants/wujiang/batches/{first['id']}/exposure-hold/lift"
    story.call("approver", "POST", path, {"reason": "年末集中兑付"})
    assert story.step("releaser", "wujiang", first, "release")["state"] == "released"
    story.jobs()
    _pay_for_wujiang(story)
    _close_window(story, "6000.00")
    assert story.step("maker", "wujiang", first, "close")["state"] == "closed"
    assert story.step("releaser", "wujiang", second, "release")["state"] == "released"
    _close_window(story, "3000.00")
    window = story.call("operator", "POST", "/v1/clearing/cycles", {}).get_json()
    assert story.call("operator", "POST", f"/v1/clearing/cycles/{window['id']}/close").get_json()["state"] == "settled"


def _pay_for_wujiang(story: Story) -> None:
    """Jiashan pays its own providers."""
    batch = story.cut("jiashan", "delta", "cross_redemption", kind="home_region")
    assert batch["count"] == 2, batch
    story.step("maker", "jiashan", batch, "publish")
    story.move("2024-11-20T09:00:00+08:00")
    story.step("maker", "jiashan", batch, "seal")
    story.step("releaser", "jiashan", batch, "release")
    story.jobs()


def _close_window(story: Story, owed: str) -> None:
    window = story.call("operator", "POST", "/v1/clearing/cycles", {}).get_json()
    path = f"/v1/clearing/cycles/{window['id']}"
    story.call("operator", "POST", f"{path}/close")
    for tenant, net in (("wujiang", f"-{owed}"), ("jiashan", owed)):
        story.call("releaser", "POST", f"{path}/confirmations", {"tenant": tenant, "net": net})
    assert len(story.call("releaser", "GET", f"{path}/orders").get_json()["items"]) == 2
    story.call("operator", "POST", f"{path}/settle")
