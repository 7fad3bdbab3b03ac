"""Reservations (额度确认): quota set aside for an intended contract; in cross-redemption the voucher's face value."""

import json
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from clearing.claims.approval import end_reserved
from clearing.claims.eligibility import refuse_ineligible
from clearing.claims.fingerprint import canonical_contract_number
from clearing.claims.interests import refuse_interested
from clearing.claims.quota import Accounts, Purse, purse_query
from clearing.claims.rules.quota_years import year_on, year_span
from clearing.claims.waitlist import queues
from connectors.printing import request_json
from connectors.submission import ReservationRequest
from settlement import ledger
from tenants.kernel.canonical import Json, canonical_bytes, plain
from tenants.kernel.change import Change, Job, record
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
from tenants.kernel.errors import Conflict, FieldError, Invalid, Text, not_found
from tenants.kernel.ids import new_id
from tenants.kernel.money import ZERO, Money
from tenants.kernel.rate import Rate
from tenants.kernel.statements import insert_rows, read_all
from tenants.policy import Policy
from tenants.policy_store import approved_policies

COLUMNS: Final = (
    "tenant", "id", "reservation_no", "platform", "external_id", "scheme", "mode", "state", "enterprise_uscc",
    "enterprise_name", "provider_uscc", "provider_name", "contract_number", "request", "quota_year", "amount_fen",
    "expires_on", "requested_at", "confirmed_at", "confirmed_by", "computed_fen", "lowered_reason",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReservationRow:
    """One row of ``reservation``; the field names are the columns'. ``amount_fen`` is what it is worth now."""

    tenant: str
    id: UUID
    reservation_no: str
    platform: str
    external_id: str
    scheme: str
    mode: str
    state: str
    enterprise_uscc: str
    enterprise_name: str
    provider_uscc: str
    provider_name: str
    contract_number: str
    request: str
    quota_year: int
    amount_fen: int
    expires_on: date
    requested_at: datetime
    confirmed_at: datetime | None
    confirmed_by: str | None
    computed_fen: int
    lowered_reason: str | None = None


def reserve(
    work: Work, platform: str, actor: str, request: ReservationRequest, *, demonstration: bool
) -> tuple[ReservationRow, bool]:
    """Store a request with the amount that the policy computes; ``False`` where it was stored before.

    Raises:
        Conflict: the same external id came before with other content.
        Invalid: no policy is in force, the mode is not offered, nothing can be computed, or a rule would reject the
            claim for who buys, who sells or how they are related.
    """
    text = canonical_bytes(request_json(request)).decode()
    before = _find(work.connection, "platform = %s and external_id = %s", (platform, request.external_id))
    if before is not None:
        if before.request != text:
            raise other_content()
        return before, False
    on = shanghai_day(request.requested_at)
    policy = _policy(work, request, on, demonstration=demonstration)
    year, computed = year_on(policy, on), _computed(policy, request)
    refuse_ineligible(work, policy, request, year)
    row = ReservationRow(
        tenant=request.tenant,
        id=new_id(),
        reservation_no=_number(work.connection, request.tenant, on.year),
        platform=platform,
        external_id=request.external_id,
        scheme=request.scheme,
        mode=request.mode,
        state="requested",
        enterprise_uscc=request.enterprise.uscc,
        enterprise_name=request.enterprise.name,
        provider_uscc=request.provider.uscc,
        provider_name=request.provider.name,
        contract_number=canonical_contract_number(request.contract.number),
        request=text,
        quota_year=year,
        amount_fen=computed.fen,
        expires_on=year_span(policy, year)[1],
        requested_at=request.requested_at,
        confirmed_at=None,
        confirmed_by=None,
        computed_fen=computed.fen,
    )
    insert_rows(work.connection, "reservation", COLUMNS, [tuple(getattr(row, column) for column in COLUMNS)])
    _record(work, actor, "reservation.requested", row, None)
    return row, True


def other_content() -> Conflict:
    """The answer where the external id stands for another request."""
    said = ("此 external_id 已用于内容不同的额度申请。", "This external_id came before with other content.")
    return Conflict("reservation.content_differs", *said)


@dataclass(frozen=True, slots=True)
class Lower:
    """Less than is computed, and why."""

    amount: Money
    reason: str | None


def confirm(
    work: Work, actor: str, reservation_id: UUID, lower: Lower | None = None, *, demonstration: bool
) -> ReservationRow:
    """Set the amount aside: of the enterprise's annual cap and the year's budget; less of it where the center says so.

    What was confirmed may be lowered once more while nobody has used it: the rest is free at once.

    Raises:
        NotFound: there is no such reservation.
        Conflict: it is no longer requested, it has expired, or quota or budget do not hold the amount.
        Forbidden: the actor has an interest in a party.
        Invalid: the amount is raised, or lowered without a reason.
    """
    row = _lock(work, reservation_id)
    amount = Money(row.amount_fen) if lower is None else lower.amount
    if row.state == "confirmed" and amount.fen == row.amount_fen:
        return row
    if row.state not in {"requested", "confirmed"} or row.expires_on < shanghai_day(work.at):
        raise _wrong_state(row, work)
    _refuse_raised(row, amount, lower)
    refuse_interested(work, row.tenant, actor, (row.enterprise_uscc, row.provider_uscc))
    end_reserved(work, row.tenant, [row.id], "void", "reservation lowered")
    if lower is not None and amount.fen < row.amount_fen:
        row = _lower(work, row, lower)
    policies = approved_policies(work.connection, row.tenant, [row.scheme], demonstration=demonstration)
    policy = policies.in_force(row.scheme, shanghai_day(row.requested_at))
    shared = None if policy is None else policy.cap
    accounts = Accounts(row.scheme, row.quota_year, row.enterprise_uscc, None, shared)
    cap = None if policy is None else _cap(policy, row)
    own, budgets, waited_for = read_all(
        work.connection,
        purse_query(row.tenant, accounts.caps(cap, None)),
        ledger.lock_limited(row.tenant, [accounts.budget]),
        queues(row.tenant, [accounts.budget]),
    )
    purse = Purse(own, budgets, waited_for=waited_for)
    left_over = (purse.left(accounts.quota), purse.left_for_newcomers(accounts.budget))
    if any(left is not None and left < amount for left in left_over):
        raise Conflict(
            "quota.exhausted", "剩余额度或预算不足。", "What is left of the quota or budget does not hold the amount."
        )
    transfers = accounts.reserve(amount, ZERO, row.id)
    ledger.append_ready(work.connection, row.tenant, transfers, work.at)
    return _move(work, actor, row, "confirmed")


def _refuse_raised(row: ReservationRow, amount: Money, lower: Lower | None) -> None:
    faults = []
    if amount.fen > row.amount_fen:
        faults.append(FieldError("/amount", "award.raised", Text("额度只能调低。", "An amount may only be lowered.")))
    if lower is not None and amount.fen < row.amount_fen and not lower.reason:
        faults.append(FieldError("/reason", "reason.missing", Text("请填写理由。", "A reason is needed.")))
    if faults:
        raise Invalid("reservation.invalid", "额度确认有误。", "The confirmation has faults.", errors=tuple(faults))


def _lower(work: Work, row: ReservationRow, lower: Lower) -> ReservationRow:
    work.connection.exec_driver_sql(
        "update reservation set amount_fen = %s, lowered_reason = %s where tenant = %s and id = %s",
        (lower.amount.fen, lower.reason, row.tenant, row.id),
    )
    return replace(row, amount_fen=lower.amount.fen, lowered_reason=lower.reason)


def cancel(work: Work, actor: str, reservation_id: UUID, platform: str | None) -> ReservationRow:
    """Give up the reservation; what it set aside is free at once.

    Raises:
        NotFound: there is no such reservation.
        Conflict: a claim has used it, or it has expired.
    """
    row = _lock(work, reservation_id)
    if platform not in {None, row.platform}:
        raise not_found("额度确认", "reservation")
    if row.state == "cancelled":
        return row
    if row.state in {"used", EXPIRED}:
        raise _wrong_state(row, work)
    end_reserved(work, row.tenant, [row.id], "void", "reservation cancelled")
    return _move(work, actor, row, "cancelled")


def view(connection: Connection, reservation_id: UUID, platform: str | None = None) -> ReservationRow:
    """The reservation; another platform's is as if it were absent.

    Raises:
        NotFound: there is none within the bound tenants.
    """
    row = _find(connection, "id = %s", (reservation_id,))
    if row is None or platform not in {None, row.platform}:
        raise not_found("额度确认", "reservation")
    return row


def reservation_json(row: ReservationRow, today: date) -> dict[str, Json]:
    """The reservation as it is answered; one whose year has ended is ``expired``."""
    expired = row.state in {"requested", "confirmed"} and row.expires_on < today
    return {
        "id": str(row.id),
        "reservation_no": row.reservation_no,
        "platform": row.platform,
        "external_id": row.external_id,
        "tenant": row.tenant,
        "scheme": row.scheme,
        "mode": row.mode,
        "state": EXPIRED if expired else row.state,
        "enterprise": {"uscc": row.enterprise_uscc, "name": row.enterprise_name},
        "provider": {"uscc": row.provider_uscc, "name": row.provider_name},
        "quota_year": row.quota_year,
        "computed": str(Money(row.computed_fen)),
        "amount": str(Money(row.amount_fen)),
        "lowered_reason": row.lowered_reason,
        "services": _services(row),
        "expires_on": plain(row.expires_on),
        "requested_at": plain(row.requested_at),
        "confirmed_at": plain(row.confirmed_at),
    }


def _services(row: ReservationRow) -> Json:
    """The services that the request named, as they came."""
    services: Json = json.loads(row.request).get("services", [])
    return services


def release_expired(work: Work) -> int:
    """Let reservations of ended years expire (逾期自动作废): what they set aside is free; how many those were."""
    found = work.connection.exec_driver_sql(
        f"select {', '.join(COLUMNS)} from reservation "  # noqa: S608 - our own columns
        "where state in ('requested', 'confirmed') and expires_on < %s order by tenant, id limit %s for no key update",
        (shanghai_day(work.at), EXPIRED_AT_ONCE),
    ).all()
    rows = [row_of(row) for row in found]
    # all accounts are locked before the first audit chain is
    for tenant in sorted({row.tenant for row in rows}):
        own = [row.id for row in rows if row.tenant == tenant]
        end_reserved(work, tenant, own, "void", "reservation expired")
    for row in rows:
        _move(work, "service", row, EXPIRED)
    return len(rows)


EXPIRED_AT_ONCE: Final = 100
EXPIRED: Final = "expired"


def _policy(work: Work, request: ReservationRequest, on: date, *, demonstration: bool) -> Policy:
    policies = approved_policies(work.connection, request.tenant, [request.scheme], demonstration=demonstration)
    policy = policies.in_force(request.scheme, on)
    if policy is None:
        raise _invalid(
            "/scheme", "policy.in_force", "该日没有生效的政策版本。", "No policy version is in force that day."
        )
    if request.mode not in policy.modes.value:
        raise _invalid("/mode", "policy.mode", "该券种不提供此模式。", "The scheme does not offer this mode.")
    return policy


def _computed(policy: Policy, request: ReservationRequest) -> Money:
    """The contract's amount at the zone's rate, rounded down, not above the annual cap nor what was asked for.

    Of a contract whose services are named, only those of the catalogue count (沪科合〔2020〕31号 三（三）).
    """
    base = request.contract.amount
    if request.services:
        known = {service.code for service in policy.services}
        listed = sum(each.amount.fen for each in request.services if each.item in known)
        if not listed:
            raise _invalid("/services", "service.catalogue", "没有目录内的服务。", "No service is of the catalogue.")
        base = min(base, Money(listed))
    zone = policy.zone(request.enterprise.division, request.enterprise.resident_of)
    if not isinstance(zone.rate.value, Rate):
        raise _invalid("/scheme", "policy.incomplete", "政策尚未设定支持比例。", "The policy sets no support rate yet.")
    bounds = [base.share(zone.rate.value)]
    bounds += [cap for cap in (zone.annual_cap.value, request.amount) if isinstance(cap, Money)]
    if min(bounds) <= ZERO:
        raise _invalid(
            "/contract/amount", "award.nothing", "按比例计算不足一分。", "The computed amount is below one fen."
        )
    return min(bounds)


def _cap(policy: Policy, row: ReservationRow) -> Money | None:
    enterprise = json.loads(row.request)["enterprise"]
    cap = policy.zone(enterprise["division"], enterprise["resident_of"]).annual_cap.value
    return cap if isinstance(cap, Money) else None


def _number(connection: Connection, tenant: str, year: int) -> str:
    code, latest = connection.exec_driver_sql(
        "insert into number_series (tenant, series, year, latest) values (%s, 'reservation', %s, 1) "
        "on conflict (tenant, series, year) do update set latest = number_series.latest + 1 "
        "returning (select code from tenant t where t.tenant = number_series.tenant), latest",
        (tenant, year),
    ).one()
    return f"RS-{code}-{year}-{latest:06d}"


def _move(work: Work, actor: str, row: ReservationRow, state: str) -> ReservationRow:
    confirmed = (work.at, actor) if state == "confirmed" else (row.confirmed_at, row.confirmed_by)
    work.connection.exec_driver_sql(
        "update reservation set state = %s, confirmed_at = %s, confirmed_by = %s where tenant = %s and id = %s",
        (state, *confirmed, row.tenant, row.id),
    )
    _record(work, actor, f"reservation.{state}", row, state)
    return view(work.connection, row.id)


def _record(work: Work, actor: str, action: str, row: ReservationRow, to_state: str | None) -> None:
    payload: dict[str, Json] = {
        "reservation_id": str(row.id),
        "reservation_no": row.reservation_no,
        "external_id": row.external_id,
        "tenant": row.tenant,
        "state": to_state or row.state,
        "amount": str(Money(row.amount_fen)),
    }
    change = Change(
        tenant=row.tenant,
        actor=actor,
        action=action,
        subject_id=row.id,
        from_state=None if to_state is None else row.state,
        to_state=to_state or row.state,
        reason=row.lowered_reason if to_state == "confirmed" else None,
        details=payload,
        jobs=(Job(action, payload, row.platform),),
    )
    record(work.connection, [change], work.at)


def _lock(work: Work, reservation_id: UUID) -> ReservationRow:
    row = _find(work.connection, "id = %s for no key update", (reservation_id,))
    if row is None:
        raise not_found("额度确认", "reservation")
    return row


def _find(connection: Connection, where: str, values: tuple[Any, ...]) -> ReservationRow | None:
    row = connection.exec_driver_sql(
        f"select {', '.join(COLUMNS)} from reservation where {where}",  # noqa: S608 - our own condition
        values,
    ).one_or_none()
    return None if row is None else row_of(row)


def row_of(row: Any) -> ReservationRow:  # noqa: ANN401 - a row of the driver
    """The reservation that a row of its ``COLUMNS`` holds."""
    return ReservationRow(*row)


def _wrong_state(row: ReservationRow, work: Work) -> Conflict:
    state = reservation_json(row, shanghai_day(work.at))["state"]
    return Conflict(
        "reservation.state", f"额度确认当前状态为 {state}。", f"The reservation is {state}; this cannot be done."
    )


def _invalid(pointer: str, code: str, zh: str, en: str) -> Invalid:
    return Invalid("reservation.invalid", zh, en, errors=(FieldError(pointer, code, Text(zh, en)),))
