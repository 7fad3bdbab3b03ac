"""Qualifications (申领资格): an enterprise's admission to a scheme for one quota year.

A type that needs no review is admitted at once when its proof holds; the others after another person's decision. What
was refused or withdrawn may be applied for again, in a row of its own; after a withdrawal every type needs the review.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from clearing.claims.districts import refuse_outside
from clearing.claims.interests import refuse_interested
from clearing.tenancy.governing import Year
from clearing.tenancy.proofs import Application, last_day, proof_faults
from clearing.tenancy.standing_table import StandingTable
from clearing.tenancy.two_people import require_another, require_reason
from tenants.kernel.canonical import Json
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
from tenants.kernel.errors import Conflict, FieldError, Invalid, Text, not_found
from tenants.kernel.ids import new_id
from tenants.policy import lies_in

DECISIONS: Final[Mapping[str, tuple[str, str]]] = {
    "admit": ("applied", "admitted"),
    "refuse": ("applied", "refused"),
    "withdraw": ("admitted", "withdrawn"),
}
"""What a decision leads from and to."""
_ONE_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class QualificationRow:
    """One row of ``qualification``; the field names are the columns'."""

    tenant: str
    id: UUID
    scheme: str
    year: int
    uscc: str
    name: str
    division: str
    enterprise_type: str
    proof: str
    policy_version: str
    at_once: bool
    state: str
    from_on: date
    through_on: date
    entered_by: str
    entered_at: datetime
    decided_by: str | None = None
    decided_at: datetime | None = None
    reason: str | None = None


QUALIFICATIONS: Final = StandingTable(
    "qualification",
    "申领资格",
    QualificationRow,
    scope=("tenant", "scheme", "year"),
    filters=("scheme", "year", "state"),
)


def apply_for_all(
    work: Work, actor: str, year: Year, applications: Sequence[Application]
) -> list[QualificationRow | tuple[FieldError, ...]]:
    """Enter the applications, each of another enterprise; of each the stored row, or what is wrong with it.

    Nothing is stored unless all are right. The same application again changes nothing; while nobody has decided it,
    another takes its place.

    Raises:
        Forbidden: ``decision.district``: the actor answers for other divisions than an enterprise's.
    """
    for division in {one.registered_in for one in applications}:
        refuse_outside(work, year.policy.tenant, actor, division)
    known = QUALIFICATIONS.locked(work.connection, year.scope, [one.uscc for one in applications])
    outcomes: list[QualificationRow | tuple[FieldError, ...]] = []
    new: list[tuple[QualificationRow | None, QualificationRow]] = []
    for one in applications:
        row = _entered(work, actor, year, one)
        if isinstance(row, tuple):
            outcomes.append(row)
            continue
        earlier = known.get(one.uscc, [])
        waiting = next((each for each in earlier if each.state == "applied"), None)
        same = next((each for each in earlier if _same(each, row)), None)
        if same is not None:
            outcomes.append(same)
        elif any(each.state == "admitted" for each in earlier):
            outcomes.append((_STANDS,))
        else:
            withdrawn = any(each.state == "withdrawn" for each in earlier)
            made = replace(row, at_once=False, state="applied") if withdrawn else row
            made = made if waiting is None else replace(made, id=waiting.id)
            new.append((waiting, made))
            outcomes.append(made)
    if all(isinstance(outcome, QualificationRow) for outcome in outcomes):
        QUALIFICATIONS.store(work, actor, [("applied", before, row) for before, row in new])
    return outcomes


def apply_for(work: Work, actor: str, year: Year, application: Application) -> QualificationRow:
    """Enter one application.

    Raises:
        Invalid: the proof does not hold, with the place of every fault.
        Conflict: the enterprise is admitted for the year with other content.
    """
    outcome = apply_for_all(work, actor, year, [application])[0]
    if isinstance(outcome, QualificationRow):
        return outcome
    if outcome == (_STANDS,):
        raise Conflict(_STANDS.code, _STANDS.message.zh, _STANDS.message.en)
    raise Invalid("qualification.invalid", "资格申请有误。", "The application has faults.", errors=outcome)


def decide(work: Work, actor: str, year: Year, uscc: str, outcome: str, reason: str | None) -> QualificationRow:
    """Admit or refuse what was applied for, or withdraw what was admitted, from today on.

    Raises:
        NotFound: the enterprise has no qualification of the year.
        Conflict: none of its qualifications is in the state that the decision needs.
        Invalid: a refusal or withdrawal without a reason.
        Forbidden: the same person entered it, has an interest in the party, or answers for other divisions.
    """
    rows = QUALIFICATIONS.locked(work.connection, year.scope, [uscc]).get(uscc, [])
    if not rows:
        raise not_found(QUALIFICATIONS.zh, QUALIFICATIONS.name)
    wanted, becomes = DECISIONS[outcome]
    row = next((each for each in rows if each.state == wanted), None)
    if row is None:
        raise Conflict(
            "qualification.state",
            f"该资格当前状态为 {rows[-1].state}，不能执行此决定。",
            f"The qualification is {rows[-1].state}; this decision is not possible.",
        )
    require_reason(outcome, reason, without="admit")
    require_another("qualification", row.entered_by, actor)
    refuse_interested(work, year.policy.tenant, actor, [uscc])
    refuse_outside(work, year.policy.tenant, actor, row.division)
    through_on = row.through_on
    if outcome == "withdraw":
        yesterday = shanghai_day(work.at) - _ONE_DAY
        through_on = min(through_on, max(row.from_on - _ONE_DAY, yesterday))
    decided = replace(
        row, state=becomes, through_on=through_on, decided_by=actor, decided_at=work.at, reason=reason or row.reason
    )
    QUALIFICATIONS.store(work, actor, [(becomes, row, decided)])
    return decided


def qualification_json(row: QualificationRow, today: date) -> dict[str, Json]:
    """The qualification as it is answered; one whose last day has passed is ``expired``."""
    expired = row.state == "admitted" and row.through_on < today
    proof: Json = json.loads(row.proof)
    return QUALIFICATIONS.data(row) | {"proof": proof, "state": "expired" if expired else row.state}


_STANDS: Final = FieldError(
    "/uscc",
    "qualification.admitted",
    Text(
        "该企业本年度资格已审核通过，内容与本次不同；请先撤销原资格。",
        "The enterprise is admitted for this year with other content; withdraw that first.",
    ),
)


def _entered(work: Work, actor: str, year: Year, one: Application) -> QualificationRow | tuple[FieldError, ...]:
    """The application as a row, or what is wrong with it."""
    today, policy = shanghai_day(work.at), year.policy
    kind = next((each for each in policy.enterprise.types if each.code == one.enterprise_type), None)
    if kind is None:
        known = "、".join(each.code for each in policy.enterprise.types)
        said = Text(f"本券种不支持该类型；可选：{known}。", f"The scheme does not support this type, only: {known}.")
        return (FieldError("/enterprise_type", "type.unknown", said),)
    from_on = one.from_on or min(max(today, year.first_on), year.last_on)
    faults = proof_faults(kind, one, year.number, min(today, year.last_on))
    if not year.first_on <= from_on <= year.last_on:
        span = f"{year.first_on}—{year.last_on}"
        said = Text(f"起始日须在额度年度 {span} 之内。", f"It must lie in the quota year {span}.")
        faults = (*faults, FieldError("/from_on", "from_on.outside_year", said))
    if one.division is not None and not lies_in(one.division, policy.enterprise.divisions.value):
        said = Text("不在本券种支持的区划内。", "The scheme does not support it.")
        faults = (*faults, FieldError("/division", "division.elsewhere", said))
    through_on = last_day(kind, one, year.last_on)
    if not faults and through_on < from_on:
        said = Text(
            f"证书于 {through_on} 到期，早于起始日。", f"The certificate ends on {through_on}, before that day."
        )
        faults = (FieldError("/from_on", "from_on.after_certificate", said),)
    if faults:
        return faults
    return QualificationRow(
        tenant=policy.tenant,
        id=new_id(),
        scheme=policy.scheme,
        year=year.number,
        uscc=one.uscc,
        name=one.name,
        division=one.registered_in,
        enterprise_type=kind.code,
        proof=one.proof_text(),
        policy_version=policy.version,
        at_once=not kind.needs_review,
        state="applied" if kind.needs_review else "admitted",
        from_on=from_on,
        through_on=through_on,
        entered_by=actor,
        entered_at=work.at,
    )


def _same(known: QualificationRow, row: QualificationRow) -> bool:
    """Whether the application says what stands there already, and was not refused or withdrawn."""
    stated = ("name", "division", "enterprise_type", "proof")
    return known.state in {"applied", "admitted"} and all(getattr(known, n) == getattr(row, n) for n in stated)
