"""What people decided about a claim: each review and each hold is what the audit chain tells of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from clearing.verification.claim_content import read_json
from clearing.verification.claim_history import SUBMITTED
from clearing.verification.context import Context
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.dossiers import Dossier, place_of
from clearing.verification.entries import SHANGHAI, Entry
from clearing.verification.snapshot import Row
from tenants.kernel.canonical import canonical_bytes
from tenants.kernel.money import Money

REVIEWED: Final = "claim.review."
OBJECTION: Final = "objection"
DEFAULT_CORRECTION_DAYS: Final = 30
"""Where no policy governs the claim."""


def review_differences(dossier: Dossier, claim: Row, context: Context) -> Iterator[Difference]:
    """Reviews that are not those of the chain, or not by the rules: in order, lowering only, by different people."""
    place = place_of("review", dossier.tenant, claim.claim_no)
    decided = [entry for entry in dossier.entries if entry.action.startswith(REVIEWED)]
    reviews = dossier["review"]
    if len(reviews) != len(decided):
        yield differs("review.count", place, len(decided), len(reviews))
    awards = dossier.awards
    seen: set[tuple[int, str]] = set()
    for row, entry in zip(reviews, decided, strict=False):
        here = f"{place}/{row.id}"
        yield from compared("review.witness", here, _expected(entry, dossier.entries, awards, context), row)
        if not entry.witnesses(row.at):
            yield differs("review.witness", f"{here}/at", entry.at, row.at)
        lowered = row.outcome == "approve" and row.award_fen < _before(entry, awards)
        if not row.reason and (lowered or row.outcome != "approve"):
            yield differs("review.reason", f"{here}/reason", "a reason", row.reason)
        if row.award_fen > _before(entry, awards):
            yield differs("review.raised", f"{here}/award_fen", Money(_before(entry, awards)), Money(row.award_fen))
        if row.person is not None and (row.revision, row.person) in seen:
            yield differs("review.four_eyes", f"{here}/person", "another person", row.person)
        seen.add((row.revision, row.person))


def _expected(entry: Entry, entries: list[Entry], awards: Mapping[int, int | None], context: Context) -> dict[str, Any]:
    outcome = entry.action.removeprefix(REVIEWED)
    return {
        "outcome": outcome,
        "stage": entry.details.get("about"),
        "reason": entry.reason,
        "reviewer": entry.actor,
        "person": None if entry.actor in context.clients else entry.actor,
        "revision": sum(each.action in SUBMITTED for each in entries if each.seq < entry.seq),
        "award_fen": awards[entry.seq] if outcome == "approve" else _before(entry, awards),
    }


def _before(entry: Entry, awards: Mapping[int, int | None]) -> int:
    earlier = [award for seq, award in awards.items() if seq < entry.seq]
    return (earlier[-1] if earlier else None) or 0


def stage_differences(dossier: Dossier, claim: Row, context: Context) -> Iterator[Difference]:
    """The next stage, and the day on which a correction is due, by the policy."""
    terms = context.policies.get((dossier.tenant, claim.policy_version or ""))
    place = place_of("claim", dossier.tenant, claim.claim_no)
    stage = None
    if claim.state == "in_review" and terms is not None:
        opened = [
            entry.seq for entry in dossier.entries if entry.to_state == "in_review" and entry.from_state != "in_review"
        ]
        passed = [
            entry
            for entry in dossier.entries
            if entry.action == f"{REVIEWED}approve" and opened and entry.seq > opened[-1]
        ]
        chain = terms.stages(_let_pass(dossier, opened[-1])) if opened else terms.review_chain
        stage = chain[len(passed)] if len(passed) < len(chain) else None
    if claim.next_stage != stage:
        yield differs("claim.stage", f"{place}/next_stage", stage, claim.next_stage)
    due_on = None
    if claim.state == "needs_correction":
        days = DEFAULT_CORRECTION_DAYS if terms is None else terms.correction_days
        due_on = (claim.changed_at + timedelta(days=days)).astimezone(SHANGHAI).date()
    if claim.correction_due_on != due_on:
        yield differs("claim.due", f"{place}/correction_due_on", due_on, claim.correction_due_on)


def _let_pass(dossier: Dossier, seq: int) -> dict[str, Any]:
    """The facts of the assessment that let the claim pass into review in the entry; after a hold, those of nobody."""
    entry = next(each for each in dossier.entries if each.seq == seq)
    row = next((each for each in dossier["assessment"] if entry.witnesses(each.at)), None)
    result = None if row is None else read_json(row.result)
    facts = None if row is None or result is None or result["state"] != "in_review" else read_json(row.facts)
    return facts or {"provider": {"trust_listed": False}}


@dataclass(slots=True)
class _Hold:
    """One hold as it has to be; the entries say when it was opened and resolved."""

    code: str
    place: str
    detail: str
    opened: Entry
    resolved: Entry | None = None
    outcome: str | None = None
    reason: str | None = None


def hold_differences(dossier: Dossier, claim: Row) -> Iterator[Difference]:
    """Holds that are not those of the assessments and objections, or not resolved as the chain says."""
    place = place_of("hold", dossier.tenant, claim.claim_no)
    expected, found = _holds(dossier), dossier["hold"]
    if len(expected) != len(found):
        yield differs("hold.count", place, [each.code for each in expected], [row.code for row in found])
    for wanted, row in zip(expected, found, strict=False):
        here = f"{place}/{row.id}"
        resolved = wanted.resolved
        columns = {
            "code": wanted.code,
            "place": wanted.place,
            "detail": wanted.detail,
            "outcome": wanted.outcome,
            "resolved_by": None if resolved is None else resolved.actor,
            "reason": wanted.reason,
        }
        yield from compared("hold.witness", here, columns, row)
        if not wanted.opened.witnesses(row.opened_at):
            yield differs("hold.witness", f"{here}/opened_at", wanted.opened.at, row.opened_at)
        if (resolved is None) != (row.resolved_at is None) or (resolved and not resolved.witnesses(row.resolved_at)):
            yield differs("hold.witness", f"{here}/resolved_at", resolved and resolved.at, row.resolved_at)


def _holds(dossier: Dossier) -> list[_Hold]:
    """The holds in the order in which they were opened, as the whole history leaves them."""
    holds: list[_Hold] = []
    assessments = iter(dossier["assessment"])
    for entry in dossier.entries:
        waiting = [hold for hold in holds if hold.resolved is None]
        match entry.action:
            case "claim.submitted" | "claim.corrected":
                row = next(assessments, None)
                holds += [] if row is None or entry.to_state != "on_hold" else _opened(row, entry)
            case "claim.reassessed":
                holds += _held_again(holds, next(assessments, None), entry)
            case "claim.objection":
                holds.append(_objection(entry))
            case "claim.frozen":
                holds.append(_frozen(entry))
            case "hold.clear":
                _resolve(_named(waiting, holds, dossier["hold"], entry), entry, "clear")
            case "hold.reject":
                named = _named(waiting, holds, dossier["hold"], entry)
                _resolve(named, entry, "reject")
                _resolve([each for each in waiting if each not in named], entry, "superseded")
            case "claim.red_letter":
                _resolve(waiting, entry, "superseded")
            case "claim.withdrawn":
                _resolve(waiting, entry, "withdrawn")
    return holds


def _held_again(holds: list[_Hold], row: Row | None, entry: Entry) -> list[_Hold]:
    """Resolve what an assessment made anew answers, and open what it finds and nobody has decided yet."""
    about = entry.details.get("about")
    waiting = [hold for hold in holds if hold.resolved is None]
    known = {(hold.code, hold.place) for hold in holds if hold.code != about}
    _resolve([hold for hold in waiting if hold.code == about], entry, "clear")
    if entry.to_state != "on_hold":
        _resolve([hold for hold in waiting if hold.code != about], entry, "superseded")
        return []
    return [] if row is None else [hold for hold in _opened(row, entry) if (hold.code, hold.place) not in known]


def _named(waiting: list[_Hold], holds: list[_Hold], rows: list[Row], entry: Entry) -> list[_Hold]:
    """The hold that the entry resolves: of several with its code the one whose row was resolved then."""
    coded = [each for each in waiting if each.code == entry.details.get("about")]
    then = [row.id for row in rows if entry.witnesses(row.resolved_at)]
    rows_of = {id(hold): row.id for hold, row in zip(holds, rows, strict=False)}
    return [each for each in coded if rows_of.get(id(each)) in then][:1] or coded[:1]


def _resolve(holds: list[_Hold], entry: Entry, outcome: str) -> None:
    for hold in holds:
        hold.resolved, hold.outcome = entry, outcome
        hold.reason = entry.reason or ("withdrawn" if outcome == "withdrawn" else entry.reason)


def _opened(row: Row, entry: Entry) -> list[_Hold]:
    result = read_json(row.result)
    trace = [] if result is None else result.get("trace", [])
    return [
        _Hold(said["rule"], _pointers(said["inputs"]), _finding(said), entry)
        for said in trace
        if said["verdict"] == "hold"
    ]


def _pointers(inputs: dict[str, Any]) -> str:
    """Where in the submission a finding points."""
    return " ".join(inputs.get("places") or [inputs.get("place") or ""])


def _finding(said: dict[str, Any]) -> str:
    """What a finding says, and of the other side what may be known."""
    other_side = said["output"].get("other_side") or []
    return canonical_bytes({"message": said["message"], "other_side": other_side}).decode()


FROZEN: Final = {
    "duplicate.collision": {
        "zh": "其他平台报告该支出已在别处获得支持，待人工核对。",
        "en": "A platform states that this spending was supported elsewhere; a reviewer decides.",
    },
    "duplicate.similar": {
        "zh": "与已有申请高度相似，疑似重复，待人工核对。",
        "en": "The claim is much like an earlier one; a reviewer decides.",
    },
    "duplicate.suspected": {
        "zh": "疑似重复，审核人员已暂停该申请。",
        "en": "A duplicate is suspected; a reviewer has frozen the claim.",
    },
    "sample.unsound": {
        "zh": "抽查发现该申请不实，待人工处理。",
        "en": "A sample found the claim unsound; a reviewer decides.",
    },
    "client.compromised": {
        "zh": "提交该申请的客户端密钥可能已泄露，待人工核对。",
        "en": "The key that submitted this claim may be stolen; a reviewer decides.",
    },
}
"""What the hold of a frozen claim says."""


def _frozen(entry: Entry) -> _Hold:
    code = str(entry.details.get("about"))
    said = {"message": FROZEN.get(code), "other_side": [entry.details.get("other_side")]}
    return _Hold(code, "", canonical_bytes(said).decode(), entry)


def _objection(entry: Entry) -> _Hold:
    said = {
        "zh": f"公示期内收到异议：{entry.reason}",
        "en": f"An objection was made during publicity: {entry.reason}",
    }
    detail = canonical_bytes({"message": said}).decode()
    return _Hold(OBJECTION, str(entry.details.get("batch_no")), detail, entry)
