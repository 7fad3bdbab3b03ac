"""What all simulators have: cases with the platform's own words for their state, and the ear for webhooks."""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from connectors.client import CallError, ClaimAnswer, Platform
from connectors.client.patience import sleep
from connectors.simulators.accounts import Accounts, paid_by_tenant
from connectors.simulators.conduct import SLOW, Conduct, Form, send
from connectors.webhook_signature import SignatureError, check_signature
from tenants.kernel.canonical import Json
from tenants.kernel.clock import Clock, shanghai_day

OK: Final = 200
CREATED: Final = 201
BAD_REQUEST: Final = 400
UNAUTHORIZED: Final = 401
NOT_FOUND: Final = 404
CONFLICT: Final = 409
AWAY: Final = 503
EVENTS_PATH: Final = "clearing/events"

IN_REVIEW: Final = "审核中"
WRONG: Final = "填报有误"
STATUSES: Final[Mapping[str, str]] = {
    "received": IN_REVIEW,
    "assessed": IN_REVIEW,
    "in_review": IN_REVIEW,
    "on_hold": IN_REVIEW,
    "needs_correction": "待补正",
    "approved": "待兑付",
    "batched": "待兑付",
    "in_publicity": "公示中",
    "payable": "待兑付",
    "instructed": "拨付中",
    "paid": "已兑付",
    "rejected": "已失效",
    "withdrawn": "已失效",
    "returned": "待兑付",
    "clawed_back": "已失效",
}
"""The platform's word for each state of a claim: those of S1's list of orders, and 公示中, 拨付中, which are ours."""

IN_A_BATCH: Final = frozenset({"batched", "in_publicity", "payable", "instructed", "paid", "returned"})

Answer = tuple[int, Json]


class RefusedError(Exception):
    """What was asked for does not fit the case's state."""


@dataclass(slots=True)
class Case:
    """One order, application or claim of the platform."""

    number: str
    form: Form
    status: str
    claim: ClaimAnswer | None = None
    problem: Json = None
    told: list[str] = field(default_factory=list)
    """The types of the events that were told of it, in the order in which they came."""
    latest_seq: int = 0


class Simulator:
    """One platform. ``actions`` are what its screens do: ``(collection, action)``, the latter empty for a new case."""

    name = ""

    def __init__(self, platform: Platform, clock: Clock, business: Clock | None = None) -> None:
        """``clock`` is the machine's, by which messages are signed; ``business`` the one that the platform works by."""
        self.platform = platform
        self.clock = clock
        self.business = business or clock
        self.accounts = Accounts()
        self.conduct = Conduct.WELL
        self.cases: dict[str, Case] = {}
        self.secrets: dict[str, str] = {}
        self._kept: list[Case] = []
        self._seen: set[str] = set()
        self._refused_once: set[str] = set()
        self._lock = threading.RLock()

    def listen(self, tenant: str, address: str) -> None:
        """Have the service tell of the tenant's claims at this simulator's own address."""
        made = self.platform.caller.post("/v1/webhooks", {"tenant": tenant, "url": f"{address}/{EVENTS_PATH}"})
        self.secrets[tenant] = made["secret"]

    def actions(self) -> Mapping[tuple[str, str], Callable[[str, Form], Case]]:
        """What can be done: by collection and action; the number is empty for a new case."""
        raise NotImplementedError

    def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """One call of a screen, or of the clearing service."""
        if path.strip("/") == EVENTS_PATH:
            return self._hear(headers, body)
        if path.strip("/") == "conduct":
            self.conduct = Conduct(json.loads(body)["mode"])
            return OK, {"mode": self.conduct.value}
        if path.strip("/") == "reconciliation":
            return OK, self.reconciled()
        if path.strip("/") == "flush":
            return OK, {"sent": self._flush()}
        collection, number, action = [*path.strip("/").split("/"), "", ""][:3]
        if method == "GET":
            case = self.cases.get(number)
            return (NOT_FOUND, None) if case is None else (OK, self.shown(case))
        act = self.actions().get((collection, action))
        if act is None or (number and number not in self.cases):
            return NOT_FOUND, None
        try:
            case = act(number, json.loads(body) if body else {})
        except RefusedError as error:
            return CONFLICT, {"error": str(error)}
        return (OK if number else CREATED), self.shown(case)

    def shown(self, case: Case) -> Json:
        """The case as its screen shows it."""
        claim = case.claim
        return {
            "number": case.number,
            "status": case.status,
            "claim_no": None if claim is None else claim.claim_no,
            "state": None if claim is None else claim.state,
            "award": None if claim is None else str(claim.award),
            "reasons": [] if claim is None else [finding.message for finding in claim.findings],
            "told": list(case.told),
            "problem": case.problem,
        }

    def reconciled(self) -> Json:
        """Each nightly receipt beside the platform's own accounts, and what was paid of what it sent.

        ``paid`` is what the claims say now, ``paid_out`` what the events of payment added up to.
        """
        claims = [case.claim for case in self.cases.values() if case.claim is not None]
        paid = {"paid": paid_by_tenant(claims), "paid_out": self.accounts.paid_out()}
        return {"receipts": self.accounts.compared(), **paid}

    def submit(self, case: Case) -> Case:
        """Send the case's form to the clearing service, as the simulator behaves now."""
        if self.conduct == Conduct.OUT_OF_ORDER:
            case.status = "待发送"
            self._kept.append(case)
            return case
        return self._send(case)

    def _send(self, case: Case) -> Case:
        try:
            answer = send(self.conduct, self.platform, case.form)
        except CallError as error:
            case.status, case.problem = WRONG, json.loads(error.body)
            return case
        self.enter(case, answer)
        return case

    def enter(self, case: Case, answer: ClaimAnswer) -> None:
        """The service has the case's form as this claim: it stands in the accounts from now on."""
        with self._lock:
            case.problem = None
            self.accounts.enter(answer, case.form, shanghai_day(self.business.now()))
            # what was told meanwhile is newer than this answer
            self._know(case, answer if not case.told else self.platform.claim(answer.id))

    def _flush(self) -> int:
        kept, self._kept = self._kept, []
        for case in reversed(kept):
            self._send(case)
        return len(kept)

    def _know(self, case: Case, claim: ClaimAnswer) -> None:
        case.claim = claim
        case.status = STATUSES[claim.state]

    def _hear(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """One message of the clearing service; each is taken once, however often it comes."""
        try:
            told = json.loads(body)
            secret = self.secrets[told["tenant"]]
            message = check_signature(secret, headers, body, self.clock.now())
        except (SignatureError, ValueError, KeyError) as error:
            return UNAUTHORIZED, {"error": str(error)}
        if self.conduct == Conduct.SLOW:
            sleep(SLOW)
        with self._lock:
            if self.conduct == Conduct.RETRYING and message not in self._refused_once:
                self._refused_once.add(message)
                return AWAY, None
            if message not in self._seen:
                self._seen.add(message)
                self.take(told)
        return OK, None

    def take(self, told: Mapping[str, Any]) -> None:
        """Take over what an event says: a claim's own or of its payment, or that a batch of some claims went on."""
        external_id = told["data"].get("external_id")
        if told["type"] == "receipt.issued":
            self.accounts.take(told["tenant"], told["data"])
        elif told["type"].startswith("batch."):
            for case in self.cases.values():
                if case.claim is not None and _concerns(told, case.claim):
                    self._know(case, self.platform.claim(case.claim.id))
                    if case.claim.state in IN_A_BATCH:
                        case.told.append(told["type"])
        elif told["type"].startswith("payout."):
            self._take_payout(told)
        elif external_id in self.cases and told["type"].startswith("claim."):
            case = self.cases[external_id]
            case.told.append(told["type"])
            if told["seq"] > case.latest_seq:
                case.latest_seq = told["seq"]
                self._know(case, self.platform.claim(UUID(told["data"]["claim_id"])))

    def _take_payout(self, told: Mapping[str, Any]) -> None:
        """A payment is told of by the claim's id alone."""
        self.accounts.settle(told)
        for case in self.cases.values():
            if case.claim is not None and str(case.claim.id) == told["data"]["claim_id"]:
                self._know(case, self.platform.claim(case.claim.id))
                case.told.append(told["type"])


def _concerns(told: Mapping[str, Any], claim: ClaimAnswer) -> bool:
    """Whether the batch may hold the claim: it is of its tenant, scheme and mode."""
    batch = told["data"]
    return (told["tenant"], batch["scheme"], batch["mode"]) == (claim.tenant, claim.body["scheme"], claim.body["mode"])


def require(case: Case, *statuses: str) -> None:
    """Refuse what does not fit the case's state.

    Raises:
        RefusedError: the case is in another one.
    """
    if case.status not in statuses:
        raise RefusedError(f"{case.number}：{case.status}")
