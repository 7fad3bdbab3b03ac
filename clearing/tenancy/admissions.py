"""Admissions (入库): a provider's place in a scheme's directory, from its application to its exit (退出).

Kinds that the policy admits directly count at once. Others are decided by another person than entered them, and count
from the day after a public notice of the policy's working days; so does everybody who had to leave before.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from clearing.claims.interests import refuse_interested
from clearing.claims.rules.parties import years_later
from clearing.tenancy.standing_table import StandingTable
from clearing.tenancy.two_people import require_another
from settlement.batches.publicity import calendar_of
from tenants.kernel.canonical import Json, canonical_bytes
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
from tenants.kernel.errors import Conflict, FieldError, Invalid, Text, not_found
from tenants.kernel.ids import new_id
from tenants.kernel.workdays import publicity_through
from tenants.policy import ANYWHERE, Policy, lies_in

DECISIONS: Final[Mapping[str, tuple[str, str]]] = {
    "admit": ("applied", "admitted"),
    "refuse": ("applied", "refused"),
    "exit": ("admitted", "exited"),
}
"""What a decision leads from and to."""
GROUNDS: Final = ("fraud", "complaints", "other")
"""Grounds of exit: fraud (弄虚作假), many complaints (投诉多), others."""
_ONE_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Proof:
    """A qualification such as CMA or CNAS; valid through the day, that day included."""

    kind: str
    valid_through: date
    number: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """What a provider, its platform or the administrator states for the directory."""

    uscc: str
    name: str
    division: str
    kind: str
    established_on: date | None = None
    on_platform: bool | None = None
    platform_number: str | None = None
    proofs: tuple[Proof, ...] = ()
    from_on: date | None = None
    through_on: date | None = None


@dataclass(frozen=True, slots=True)
class AdmissionRow:
    """One row of ``admission``; the field names are the columns'."""

    tenant: str
    id: UUID
    scheme: str
    uscc: str
    name: str
    division: str
    kind: str
    direct: bool
    established_on: date | None
    on_platform: bool | None
    platform_number: str | None
    proofs: str
    policy_version: str
    state: str
    from_on: date
    through_on: date | None
    publicity_through_on: date | None
    calendar_version: str | None
    exit_ground: str | None
    entered_by: str
    entered_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    reason: str | None


ADMISSIONS: Final = StandingTable(
    "admission", "入库记录", AdmissionRow, scope=("tenant", "scheme"), filters=("scheme", "state")
)
_STATED: Final = ("name", "division", "kind", "established_on", "on_platform", "platform_number", "proofs")


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of an admission; ``ground`` for an exit, ``reason`` for all but an admission."""

    outcome: str
    reason: str | None = None
    ground: str | None = None


def enter_all(
    work: Work, actor: str, policy: Policy, entries: Sequence[Entry]
) -> list[AdmissionRow | tuple[FieldError, ...]]:
    """Enter the providers, each another one; of each the stored row, or what is wrong with it.

    Nothing is stored unless all are right. The same entry again changes nothing; one that says something new of an
    admitted provider (a renewed certificate) is a row of its own, and the old one stands until it ends.
    """
    known = ADMISSIONS.locked(work.connection, (policy.tenant, policy.scheme), [one.uscc for one in entries])
    outcomes: list[AdmissionRow | tuple[FieldError, ...]] = []
    new: list[tuple[AdmissionRow | None, AdmissionRow]] = []
    for one in entries:
        earlier = known.get(one.uscc, [])
        left = any(each.state == "exited" for each in earlier)
        row = _entered(work, actor, policy, one, left=left)
        if isinstance(row, tuple):
            outcomes.append(row)
            continue
        waiting = next((each for each in earlier if each.state == "applied"), None)
        same = next((each for each in reversed(earlier) if _same(each, row)), None)
        if same is not None:
            outcomes.append(same)
        else:
            made = row if waiting is None else replace(row, id=waiting.id)
            new.append((waiting, made))
            outcomes.append(made)
    if all(isinstance(outcome, AdmissionRow) for outcome in outcomes):
        ADMISSIONS.store(work, actor, [("entered", before, row) for before, row in new])
    return outcomes


def enter(work: Work, actor: str, policy: Policy, entry: Entry) -> AdmissionRow:
    """Enter one provider.

    Raises:
        Invalid: it does not meet the scheme's conditions, with the place of every fault.
    """
    outcome = enter_all(work, actor, policy, [entry])[0]
    if isinstance(outcome, AdmissionRow):
        return outcome
    raise Invalid("admission.invalid", "入库申请有误。", "The application has faults.", errors=outcome)


def decide(work: Work, actor: str, policy: Policy, uscc: str, decision: Decision) -> AdmissionRow:
    """Admit or refuse what was entered, or let an admitted provider leave with all that it has, from today on.

    Raises:
        NotFound: there is no admission of the provider.
        Conflict: none is in the state that the decision needs, or the notice would end on a provisional day.
        Invalid: a reason or ground is missing.
        Forbidden: the same person entered it, or has an interest in the party.
    """
    rows = ADMISSIONS.locked(work.connection, (policy.tenant, policy.scheme), [uscc]).get(uscc, [])
    if not rows:
        raise not_found(ADMISSIONS.zh, ADMISSIONS.name)
    wanted, becomes = DECISIONS[decision.outcome]
    concerned = [each for each in rows if each.state == wanted]
    if not concerned:
        raise Conflict(
            "admission.state",
            f"该入库记录当前状态为 {rows[-1].state}，不能执行此决定。",
            f"The admission is {rows[-1].state}; this decision is not possible.",
        )
    _refuse_bare(decision)
    for row in concerned:
        require_another("admission", row.entered_by, actor)
    refuse_interested(work, policy.tenant, actor, [uscc])
    decided = []
    for row in concerned:
        after = replace(row, state=becomes, decided_by=actor, decided_at=work.at, reason=decision.reason)
        if decision.outcome == "admit":
            after = _published(work, policy, after)
        elif decision.outcome == "exit":
            after = _left(work, after, decision)
        decided.append(after)
    ADMISSIONS.store(work, actor, [(becomes, row, after) for row, after in zip(concerned, decided, strict=True)])
    return decided[-1]


def _left(work: Work, row: AdmissionRow, decision: Decision) -> AdmissionRow:
    last_on = max(row.from_on - _ONE_DAY, shanghai_day(work.at) - _ONE_DAY)
    last_on = last_on if row.through_on is None else min(row.through_on, last_on)
    return replace(row, through_on=last_on, exit_ground=decision.ground)


def admission_json(row: AdmissionRow, today: date) -> dict[str, Json]:
    """The admission as it is answered: ``announced`` while its notice runs, ``expired`` after its last day."""
    state = row.state
    if state == "admitted" and today < row.from_on:
        state = "announced"
    elif state == "admitted" and row.through_on is not None and row.through_on < today:
        state = "expired"
    return ADMISSIONS.data(row) | {"proofs": json.loads(row.proofs), "state": state}


def _entered(
    work: Work, actor: str, policy: Policy, one: Entry, *, left: bool
) -> AdmissionRow | tuple[FieldError, ...]:
    """The entry as a row, or what is wrong with it."""
    today = shanghai_day(work.at)
    by_kind = one.kind in policy.provider.direct_kinds.value
    direct = by_kind and not left
    from_on = one.from_on or today
    faults = _faults(policy, one, today, direct=by_kind)
    through_on = one.through_on or _last_day(policy, one, direct=by_kind)
    if through_on is not None and through_on < from_on and (one.through_on or not faults):
        said = Text("截止日早于起始日。", "The last day lies before the first.")
        faults = (*faults, FieldError("/through_on", "through_on.before_from_on", said))
    if faults:
        return faults
    return AdmissionRow(
        tenant=policy.tenant,
        id=new_id(),
        scheme=policy.scheme,
        uscc=one.uscc,
        name=one.name,
        division=one.division,
        kind=one.kind,
        direct=direct,
        established_on=one.established_on,
        on_platform=one.on_platform,
        platform_number=one.platform_number,
        proofs=canonical_bytes(one.proofs).decode(),
        policy_version=policy.version,
        state="admitted" if direct else "applied",
        from_on=from_on,
        through_on=through_on,
        publicity_through_on=None,
        calendar_version=None,
        exit_ground=None,
        entered_by=actor,
        entered_at=work.at,
        decided_by=None,
        decided_at=None,
        reason=None,
    )


def _faults(policy: Policy, one: Entry, today: date, *, direct: bool) -> tuple[FieldError, ...]:
    """The conditions of the scheme that the provider does not meet: place of registration, age, qualification."""
    terms = policy.provider
    places = [terms.divisions, *(zone.provider_divisions for zone in policy.zones if zone.provider_divisions)]
    faults = []
    if not any(term.value == (ANYWHERE,) or lies_in(one.division, term.value) for term in places):
        allowed = "、".join(terms.divisions.value)
        said = Text(f"注册地不在允许范围 {allowed} 之内。", f"It is not registered in {allowed}.")
        faults.append(FieldError("/division", "provider.region", said))
    years = terms.minimum_age_years.value
    if not direct and years:
        if one.established_on is None:
            said = Text("须填成立日期。", "The day of foundation is needed.")
            faults.append(FieldError("/established_on", "provider.age_unknown", said))
        elif years_later(one.established_on, years) > today:
            said = Text(f"须注册成立满 {years} 年。", f"It must have been founded {years} years ago.")
            faults.append(FieldError("/established_on", "provider.too_young", said))
    accepted = _accepted(policy)
    if not direct and accepted and not any(p.kind in accepted and p.valid_through >= today for p in one.proofs):
        said = Text(
            f"须有有效期内的资质之一：{'、'.join(sorted(accepted))}。",
            f"One of {', '.join(sorted(accepted))} is needed, valid today.",
        )
        faults.append(FieldError("/qualifications", "provider.qualification", said))
    return tuple(faults)


def _accepted(policy: Policy) -> frozenset[str]:
    return frozenset(kind for item in policy.services for kind in item.qualifications)


def _last_day(policy: Policy, one: Entry, *, direct: bool) -> date | None:
    """A reviewed provider counts as long as its last accepted certificate; a direct one until it leaves."""
    accepted = _accepted(policy)
    days = [proof.valid_through for proof in one.proofs if proof.kind in accepted]
    return max(days) if days and not direct else None


def _published(work: Work, policy: Policy, row: AdmissionRow) -> AdmissionRow:
    """The admission with its public notice: it counts from the day after."""
    days = policy.payout.publicity_days.value
    notice = publicity_through(shanghai_day(work.at), days, calendar_of(work.connection, row.tenant))
    if notice.provisional:
        raise Conflict(
            "publicity.provisional",
            f"公示截止日 {notice.through_on}（暂定）超出已公布的放假安排，载入国务院通知后才能决定。",
            f"The notice would end on {notice.through_on}, which is provisional until the year's calendar is loaded.",
        )
    from_on = max(row.from_on, notice.through_on + _ONE_DAY)
    through_on = None if row.through_on is None else max(row.through_on, from_on - _ONE_DAY)
    return replace(
        row,
        from_on=from_on,
        through_on=through_on,
        publicity_through_on=notice.through_on,
        calendar_version=notice.calendar_version,
    )


def _refuse_bare(decision: Decision) -> None:
    faults = []
    if decision.outcome != "admit" and not decision.reason:
        faults.append(FieldError("/reason", "reason.missing", Text("请填写理由。", "A reason is needed.")))
    if (decision.outcome == "exit") != (decision.ground is not None):
        said = Text("退出须注明情形，其他决定不得注明。", "An exit has a ground, no other decision has one.")
        faults.append(FieldError("/ground", "ground.invalid", said))
    if faults:
        raise Invalid("decision.invalid", "决定内容有误。", "The decision has faults.", errors=tuple(faults))


def _same(known: AdmissionRow, row: AdmissionRow) -> bool:
    return known.state in {"applied", "admitted"} and all(getattr(known, n) == getattr(row, n) for n in _STATED)
