"""The demonstration's acts, each through HTTP alone: submit, review, publish, seal, release, fetch, verify."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from clearing.demonstration.claims import cross_redemption, generate, support_record
from clearing.demonstration.people import People
from connectors.client import CallError, LineAnswer, Platform
from settlement.offline import verify_batch
from tenants.kernel.money import ZERO, Money, total

Say = Callable[[str], None]
Body = dict[str, Any]

CASES: Final = Path(__file__).parent / "cases"
SEED: Final = 2024
GENERATED: Final = 300
CROSS_REDEMPTIONS: Final = 4
FROM_THE_FUTURE: Final = "2024-10-01"
"""A worked case submitted after this day waits until the clock has passed the publicity."""
CUT_ON: Final = "2024-09-27"
"""Named, since Shanxi's second cut-off for applications lies ahead."""
AFTER_PUBLICITY: Final = "2024-10-11T09:00:00+08:00"
BUDGETS: Final = {
    ("jiangsu", "provincial"): "6000000.00",
    ("shanxi-hainan", "provincial"): "4000000.00",
    ("wujiang", "delta"): "2000000.00",
}
LINKED_REGIONS: Final = {"320300": ["tech_sme"], "320509": ["tech_sme", "high_tech"]}
BATCHES: Final = (
    ("jiangsu", "provincial", "common_use"),
    ("shanxi-hainan", "provincial", "common_use"),
    ("wujiang", "delta", "cross_redemption"),
)
LEFT_IN_REVIEW: Final = 10
"""Every tenth claim stays with its reviewer, so that the table shows a desk that is not empty."""
LOWERED: Final = 25
DAY_CHARACTERS: Final = len("2024-08-29")
DUPLICATE_RULES: Final = "duplicate."
PATIENCE_SECONDS: Final = 60
POLL: Final = timedelta(milliseconds=100)
_PLATFORM_OF: Final = {"jiangsu": "jssic", "shanxi-hainan": "shanxi-inno"}


@dataclass(slots=True)
class Told:
    """What happened, for the table and the closing lines."""

    refused_lines: Counter[str] = field(default_factory=Counter)
    caught: Body | None = None
    original: Body | None = None
    batches: list[Body] = field(default_factory=list)
    folders: dict[str, Path] = field(default_factory=dict)
    differences: dict[str, int] = field(default_factory=dict)


def set_the_stage(people: People) -> None:
    """The administrator sets budgets and proposes the province's linked regions of the year; another approves them."""
    for (tenant, scheme), amount in BUDGETS.items():
        people.administrator.put(f"/v1/tenants/{tenant}/schemes/{scheme}/budgets/2024", {"amount": amount})
    path = "/v1/tenants/jiangsu/linked-regions/2024"
    proposed = people.administrator.put(path, {"regions": LINKED_REGIONS})["proposed"]
    people.approver.post(f"{path}/decision", {"version": proposed["version"], "outcome": "approve"})


def worked_cases() -> Iterator[tuple[str, Body]]:
    """Platform and body of every claim in the worked cases, in their order."""
    for path in sorted(CASES.glob("*.json")):
        for step in json.loads(path.read_text(encoding="utf-8"))["steps"]:
            if "claim" in step:
                claim = step["claim"]
                yield step.get("platform") or _PLATFORM_OF.get(claim["tenant"], "delta"), claim


def submit_worked_cases(people: People, *, later: bool) -> int:
    """The platforms submit the worked cases one by one; those of October only when it is October."""
    sent = 0
    for platform, claim in worked_cases():
        if (claim["submitted_at"] >= FROM_THE_FUTURE) is later:
            people.platforms[platform].post("/v1/claims", claim)
            sent += 1
    return sent


def submit_generated(people: People, told: Told) -> int:
    """Three hundred claims in bulk, day by day as they came, each platform's claims of a day in one call."""
    claims = generate(SEED, GENERATED)
    for _, of_day in groupby(claims, key=lambda claim: claim.body["submitted_at"][:DAY_CHARACTERS]):
        bodies: dict[str, list[Body]] = {}
        for claim in of_day:
            bodies.setdefault(claim.platform, []).append(claim.body)
        for platform, sent in bodies.items():
            for answer in Platform(people.platforms[platform]).submit_all(sent):
                _note(told, answer)
    supported = [claim for claim in claims if claim.body["tenant"] == "wujiang" and claim.planted is None][:5]
    for number, claim in enumerate(supported):  # what the local platform paid before blocks the same elsewhere
        people.platforms["wujiang-local"].post("/v1/support-records", _paid_locally(claim.body, number))
    return len(claims)


def _paid_locally(body: Body, number: int) -> Body:
    other = json.loads(json.dumps(body))
    for position, invoice in enumerate(other["invoices"]):
        invoice["number"], invoice["code"] = f"2432200000088{number:04d}{position:03d}", None
    return support_record(other, "wujiang-local", "wujiang", f"WJ-LOCAL-2024-{number + 1:04d}")


def _note(told: Told, answer: LineAnswer) -> None:
    if answer.problem is not None:
        told.refused_lines[answer.problem.code] += 1
        return
    claim = answer.body["claim"]
    if told.caught is None and any(f["rule"] == "duplicate.cross_scheme" for f in claim["assessment"]["findings"]):
        told.caught = claim


def cross_redeem(people: People) -> int:
    """Wujiang enterprises reserve their vouchers, pay the rest, and the Jiashan provider claims the face value."""
    delta = people.platforms["delta"]
    for number in range(CROSS_REDEMPTIONS):
        draft = cross_redemption(SEED + number, None, ZERO).body
        request = {key: draft[key] for key in ("tenant", "scheme", "mode", "enterprise", "provider", "contract")}
        reserved = delta.post(
            "/v1/reservations",
            request | {"external_id": f"YX-2024-{number + 1:04d}", "requested_at": draft["submitted_at"]},
        )
        confirmed = people.center.post(f"/v1/reservations/{reserved['id']}/confirm")
        claim = cross_redemption(SEED + number, confirmed["id"], Money.parse(confirmed["amount"])).body
        delta.post("/v1/claims", claim)
    return CROSS_REDEMPTIONS


def review_everything(people: People) -> Counter[str]:
    """Center and authority work through the queue; one claim in ten is left for tomorrow."""
    done: Counter[str] = Counter()
    for claim in list(people.center.pages("/v1/claims?state=on_hold")):
        _decide_holds(people, claim, done)
    reviewers = (people.center, people.authority)
    for number, claim in enumerate(people.center.pages("/v1/claims?state=in_review")):
        if number % LEFT_IN_REVIEW == LEFT_IN_REVIEW - 1:
            done["left in review"] += 1
            continue
        for reviewer in reviewers:
            if claim["next_stage"] is not None:
                claim = _approve(reviewer, claim, lower=number % LOWERED == 0 and claim["tenant"] == "shanxi-hainan")  # noqa: PLW2901
        done[claim["state"]] += 1
    return done


def _approve(reviewer: Any, claim: Body, *, lower: bool) -> Body:  # noqa: ANN401 - a caller
    decision: Body = {"stage": claim["next_stage"], "outcome": "approve"}
    if lower:
        award = Money.parse(claim["assessment"]["award"])
        decision |= {"award": str(award - Money(award.fen % 1_000_00 or 1)), "reason": "择优支持，专家评审核减"}
    answer: Body = reviewer.post(f"/v1/claims/{claim['id']}/reviews", decision)
    return answer


def _decide_holds(people: People, claim: Body, done: Counter[str]) -> None:
    """Another enterprise's invoice is refused; an explained split is cleared; the rest waits for more evidence."""
    for hold in claim["holds"]:
        if hold["code"] == "duplicate.foreign_invoice":
            _resolve(people, claim, hold, "reject", "发票属于另一企业，驳回")
            done["hold rejected"] += 1
            return
        if hold["code"] == "duplicate.invoice_reuse":
            _resolve(people, claim, hold, "clear", "同一发票分次使用，金额未超")
            done["hold cleared"] += 1


def _resolve(people: People, claim: Body, hold: Body, outcome: str, reason: str) -> None:
    path = f"/v1/claims/{claim['id']}/holds/{hold['id']}/resolution"
    people.center.post(path, {"outcome": outcome, "reason": reason})


def publish_batches(people: People, told: Told) -> None:
    """Finance cuts and publishes; somebody objects to one claim, which leaves its batch."""
    for tenant, scheme, mode in BATCHES:
        order = {"scheme": scheme, "mode": mode, "cut_off": CUT_ON}
        batch = people.maker.post(f"/v1/tenants/{tenant}/batches", order)
        people.maker.post(f"/v1/tenants/{tenant}/batches/{batch['id']}/publish")
        told.batches.append(batch)
    first = told.batches[0]
    item = people.maker.get(f"/v1/tenants/{first['tenant']}/batches/{first['id']}/items?limit=1")["items"][0]
    people.center.post(f"/v1/claims/{item['claim_id']}/objections", {"reason": "公示期内收到异议，待核实"})


def pass_the_publicity(people: People) -> None:
    """The demonstration's clock moves on past the last day of publicity."""
    people.operator.put("/v1/demo/clock", {"now": AFTER_PUBLICITY})


def seal_and_release(people: People, told: Told) -> None:
    """The maker seals; the maker may not release; a second person does; the worker signs and writes the files."""
    for batch in told.batches:
        path = f"/v1/tenants/{batch['tenant']}/batches/{batch['id']}"
        people.maker.post(f"{path}/seal")
        people.releaser.post(f"{path}/release")
    deadline = time.monotonic() + PATIENCE_SECONDS
    for position, batch in enumerate(told.batches):
        path = f"/v1/tenants/{batch['tenant']}/batches/{batch['id']}"
        while (now := people.maker.get(path))["state"] != "instructed":
            if time.monotonic() > deadline:
                raise CallError(f"GET {path}", 200, f"still {now['state']}")
            time.sleep(POLL.total_seconds())
        told.batches[position] = now


def fetch_and_verify(people: People, told: Told, folder: Path) -> None:
    """Everything that finance downloads, checked offline with the public keys alone."""
    folder.mkdir(parents=True, exist_ok=True)
    for batch in told.batches:
        target = folder / batch["batch_no"]
        target.mkdir(exist_ok=True)
        for file in batch["files"]:
            (target / file["name"]).write_bytes(people.maker.raw("GET", file["href"]).data)
        jwks = people.maker.raw("GET", f"/.well-known/jwks/{batch['tenant']}.json").data
        (folder / f"{batch['tenant']}-jwks.json").write_bytes(jwks)
        told.folders[batch["batch_no"]] = target
        told.differences[batch["batch_no"]] = len(verify_batch(target, json.loads(jwks)))


@dataclass(frozen=True, slots=True)
class Row:
    """One tenant's line of the table."""

    tenant: str
    claims: int
    refused: int
    saved: Money
    awarded: Money
    paid: Money
    in_review: int
    waiting: int


def table(people: People, tenants: tuple[str, ...]) -> list[Row]:
    """What became of every claim, tenant by tenant."""
    claims = list(people.auditor.pages("/v1/claims"))
    return [_row(tenant, [claim for claim in claims if claim["tenant"] == tenant]) for tenant in tenants]


_GRANTED: Final = frozenset({"approved", "batched", "in_publicity", "payable", "instructed", "paid"})
_PAID: Final = frozenset({"instructed", "paid"})


def _row(tenant: str, claims: list[Body]) -> Row:
    duplicates = [claim for claim in claims if claim["state"] == "rejected" and _is_duplicate(claim)]
    states = Counter(claim["state"] for claim in claims)
    return Row(
        tenant=tenant,
        claims=len(claims),
        refused=len(duplicates),
        saved=total(Money.parse(claim["assessment"]["computed"]) for claim in duplicates),
        awarded=_awards(claims, _GRANTED),
        paid=_awards(claims, _PAID),
        in_review=states["in_review"],
        waiting=states["on_hold"] + states["needs_correction"],
    )


def _is_duplicate(claim: Body) -> bool:
    gravest = [f["rule"] for f in claim["assessment"]["findings"] if f["verdict"] == "reject"]
    held = [hold["code"] for hold in claim["holds"] if hold["outcome"] == "reject"]
    return any(rule.startswith(DUPLICATE_RULES) for rule in gravest + held)


def _awards(claims: list[Body], states: frozenset[str]) -> Money:
    return total(Money.parse(claim["assessment"]["award"]) for claim in claims if claim["state"] in states)
