"""Trust lists (服务承诺制): providers whose own confirmation replaces review; proposed whole, approved by another."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID, uuid5

from sqlalchemy import Connection

from clearing.tenancy.two_people import BECOMES, require_another, require_reason
from tenants.kernel.canonical import Json, plain
from tenants.kernel.change import Change, record
from tenants.kernel.database import Work
from tenants.kernel.errors import Conflict, FieldError, Invalid, Text
from tenants.kernel.statements import insert_rows

_IDS: Final = UUID("d3b0a0b7-3f54-4a39-9d6e-0f0d8e0a6c55")


@dataclass(frozen=True, slots=True)
class Listing:
    """One provider on the list, from one day through another."""

    uscc: str
    name: str
    from_on: date
    through_on: date


@dataclass(frozen=True, slots=True)
class TrustList:
    """One version of a tenant's list."""

    tenant: str
    version: int
    cite: str
    state: str
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    reason: str | None
    listings: tuple[Listing, ...] = ()

    def json(self) -> dict[str, Json]:
        """The version as it is answered and kept in the audit chain."""
        said: dict[str, Json] = {name: plain(getattr(self, name)) for name in _COLUMNS}
        said["providers"] = {
            one.uscc: {"name": one.name, "from_on": plain(one.from_on), "through_on": plain(one.through_on)}
            for one in self.listings
        }
        return said


_COLUMNS: Final = (
    "tenant", "version", "cite", "state", "proposed_by", "proposed_at", "decided_by", "decided_at", "reason",
)  # fmt: skip


def trust_list_id(tenant: str) -> UUID:
    """What names a tenant's list in the audit chain (UUIDv5)."""
    return uuid5(_IDS, tenant)


def read(connection: Connection, tenant: str) -> dict[str, Json]:
    """The list in force and the one proposed; ``null`` where there is none."""
    versions = _newest(connection, tenant)
    return {
        "tenant": tenant,
        "in_force": _shown(versions, "approved"),
        "proposed": _shown(versions, "proposed"),
    }


def propose(work: Work, actor: str, tenant: str, cite: str, listings: Sequence[Listing]) -> TrustList:
    """Propose the whole list anew; a proposal that nobody has decided is superseded.

    Raises:
        Invalid: a provider's last day lies before its first.
    """
    faults = tuple(
        FieldError(
            f"/providers/{one.uscc}/through_on",
            "through_on.before_from_on",
            Text("截止日早于起始日。", "The last day lies before the first."),
        )
        for one in listings
        if one.through_on < one.from_on
    )
    if faults:
        raise Invalid("trust_list.invalid", "名单有误。", "The list has faults.", errors=faults)
    _lock(work.connection, tenant)
    changes = []
    for known in _newest(work.connection, tenant):
        if known.state == "proposed":
            after = replace(known, state="superseded")
            _move(work.connection, after)
            changes.append(_change(actor, known, after))
    version = work.connection.exec_driver_sql(
        "select coalesce(max(version), 0) + 1 from trust_list where tenant = %s", (tenant,)
    ).scalar_one()
    ordered = tuple(sorted(listings, key=lambda one: one.uscc))
    made = TrustList(tenant, version, cite, "proposed", actor, work.at, None, None, None, ordered)
    insert_rows(work.connection, "trust_list", _COLUMNS, [tuple(getattr(made, name) for name in _COLUMNS)])
    insert_rows(
        work.connection,
        "trust_listing",
        ("tenant", "version", "uscc", "name", "from_on", "through_on"),
        [(tenant, version, one.uscc, one.name, one.from_on, one.through_on) for one in ordered],
    )
    record(work.connection, [*changes, _change(actor, None, made)], work.at)
    return made


def decide(work: Work, actor: str, tenant: str, version: int, outcome: str, reason: str | None) -> TrustList:
    """Approve or reject the proposed version; approved, it stands in the place of the one before.

    Raises:
        Conflict: that version is not waiting to be decided.
        Invalid: a rejection without a reason.
        Forbidden: the same person proposed it.
    """
    _lock(work.connection, tenant)
    known = next((each for each in _newest(work.connection, tenant) if each.state == "proposed"), None)
    if known is None or known.version != version:
        raise Conflict("trust_list.state", "该版本不在待决定状态。", "That version is not waiting to be decided.")
    require_reason(outcome, reason)
    require_another("trust_list", known.proposed_by, actor)
    after = replace(known, state=BECOMES[outcome], decided_by=actor, decided_at=work.at, reason=reason)
    _move(work.connection, after)
    record(work.connection, [_change(actor, known, after)], work.at)
    return after


def _shown(versions: Sequence[TrustList], state: str) -> Json:
    return next((each.json() for each in versions if each.state == state), None)


def _newest(connection: Connection, tenant: str) -> list[TrustList]:
    """The latest approved version and the proposed one, with their providers."""
    rows = connection.exec_driver_sql(
        f"select {', '.join(_COLUMNS)} from trust_list where tenant = %s and (state = 'proposed' or version = "  # noqa: S608 - ours
        "(select max(version) from trust_list where tenant = %s and state = 'approved')) order by version",
        (tenant, tenant),
    ).all()
    listed = connection.exec_driver_sql(
        "select version, uscc, name, from_on, through_on from trust_listing where tenant = %s and version = any(%s) "
        "order by uscc",
        (tenant, [row.version for row in rows]),
    ).all()
    by_version: dict[int, list[Listing]] = {}
    for version, uscc, name, from_on, through_on in listed:
        by_version.setdefault(version, []).append(Listing(uscc, name, from_on, through_on))
    return [_trust_list(row, by_version.get(row.version, [])) for row in rows]


def _trust_list(row: Any, listings: Sequence[Listing]) -> TrustList:  # noqa: ANN401 - a row of the driver
    return TrustList(**dict(zip(_COLUMNS, row, strict=True)), listings=tuple(listings))


def _lock(connection: Connection, tenant: str) -> None:
    """One proposal or decision of a tenant at a time, before its first version is there too."""
    connection.exec_driver_sql("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"trust-list/{tenant}",))


def _move(connection: Connection, after: TrustList) -> None:
    connection.exec_driver_sql(
        "update trust_list set state = %s, decided_by = %s, decided_at = %s, reason = %s "
        "where tenant = %s and version = %s",
        (after.state, after.decided_by, after.decided_at, after.reason, after.tenant, after.version),
    )


def _change(actor: str, before: TrustList | None, after: TrustList) -> Change:
    return Change(
        after.tenant,
        actor,
        f"trust_list.{after.state}",
        trust_list_id(after.tenant),
        None if before is None else before.state,
        after.state,
        after.reason,
        {"after": after.json()},
    )
