"""Rows of claims: written whole, read back as values, shown in the form of the API."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from operator import attrgetter
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import Connection

from clearing.claims.assessment import Assessment, assessment_json
from tenants.kernel.arrays import texts
from tenants.kernel.canonical import Json, plain
from tenants.kernel.errors import not_found
from tenants.kernel.money import ZERO, Money
from tenants.kernel.statements import Query, Write, write_all


@dataclass(frozen=True, slots=True)
class ClaimRow:
    """One row of ``claim``; the field names are the columns'."""

    tenant: str
    id: UUID
    claim_no: str
    platform: str
    external_id: str
    scheme: str
    mode: str
    state: str
    next_stage: str | None
    revision: int
    content_mac: bytes
    policy_version: str | None
    quota_year: int | None
    enterprise_uscc: str
    enterprise_name: str
    provider_uscc: str
    provider_name: str
    division: str
    base_fen: int
    computed_fen: int
    award_fen: int
    matching_fen: int
    correction_due_on: date | None
    reservation_id: UUID | None
    submitted_at: datetime
    received_at: datetime
    changed_at: datetime


COLUMNS: Final = tuple(field.name for field in fields(ClaimRow))
_LIST: Final = ", ".join(COLUMNS)
_CHANGING: Final = (
    "state", "next_stage", "revision", "content_mac", "policy_version", "quota_year", "enterprise_uscc",
    "enterprise_name", "provider_uscc", "provider_name", "division", "base_fen", "computed_fen", "award_fen",
    "matching_fen", "correction_due_on", "reservation_id", "submitted_at", "changed_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class HoldRow:
    """One hold of a claim; ``detail`` is the finding that opened it, in both languages."""

    id: UUID
    claim_id: UUID
    code: str
    place: str
    detail: str
    opened_at: datetime
    resolved_at: datetime | None = None
    resolved_by: str | None = None
    outcome: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ClaimView:
    """A claim as it is answered: its row, state by now, latest submission (masked), assessment and holds.

    ``assessment`` is what was stored of it or, of a claim just taken in, the assessment itself, whose whole trace an
    answer does not print.
    """

    row: ClaimRow
    state_now: str
    submission: dict[str, Json]
    assessment: dict[str, Json] | Assessment
    holds: tuple[HoldRow, ...]


def write_claims(connection: Connection, rows: Sequence[ClaimRow]) -> None:
    """Insert new claims and, where a claim is there already, replace what changes with a revision."""
    write_all(connection, [claim_write(rows)])


def claim_write(rows: Sequence[ClaimRow]) -> Write:
    """The claims as rows to be written."""
    return Write("claim", COLUMNS, [_VALUES(row) for row in rows], _REPLACE, _KINDS)


_KINDS: Final = (
    "text", "uuid", "text", "text", "text", "text", "text", "text", "text", "integer", "bytea", "text", "integer",
    "text", "text", "text", "text", "text", "bigint", "bigint", "bigint", "bigint", "date", "uuid", "timestamptz",
    "timestamptz", "timestamptz",
)  # fmt: skip
_VALUES: Final = attrgetter(*COLUMNS)
_REPLACE: Final = "on conflict (tenant, id) do update set " + ", ".join(f"{c} = excluded.{c}" for c in _CHANGING)


def by_external_id(platform: str, external_ids: Sequence[str]) -> Query[dict[str, ClaimRow]]:
    """The platform's claims with these identifiers, locked."""
    return Query(
        f"select {_LIST} from claim where platform = %s and external_id = any(%s) "  # noqa: S608 - our own columns
        "order by id for no key update",
        (platform, texts(sorted(set(external_ids)))),
        lambda rows: {row.external_id: row for row in map(_claim_row, rows)},
    )


def lock_claim(connection: Connection, claim_id: UUID) -> ClaimRow:
    """The claim, locked.

    Raises:
        NotFound: there is none within the bound tenants and platform.
    """
    row = connection.exec_driver_sql(
        f"select {_LIST} from claim where id = %s for no key update",  # noqa: S608 - our own columns
        (claim_id,),
    ).one_or_none()
    if row is None:
        raise not_found("兑付申请", "claim")
    return _claim_row(row)


def lock_claims(connection: Connection, claim_ids: Sequence[UUID], *, waiting: bool = True) -> list[ClaimRow]:
    """Those of the claims that are within the bound tenants and platform, locked in the order of their ids.

    Without ``waiting`` those that somebody else has locked are left out.
    """
    rows = connection.exec_driver_sql(
        f"select {_LIST} from claim where id = any(%s) order by id "  # noqa: S608 - our own columns
        f"for no key update {'' if waiting else 'skip locked'}",
        (list(claim_ids),),
    )
    return [_claim_row(row) for row in rows]


def view_claim(connection: Connection, claim_id: UUID) -> ClaimView:
    """The claim as it is answered.

    Raises:
        NotFound: there is none within the bound tenants and platform.
    """
    views = view_claims(connection, [claim_id])
    if not views:
        raise not_found("兑付申请", "claim")
    return views[0]


def view_claims(connection: Connection, claim_ids: Sequence[UUID]) -> list[ClaimView]:
    """The claims as they are answered, in the order of their ids; absent and foreign ones are left out."""
    ids = list(claim_ids)
    if not ids:
        return []  # as in most intakes: no round trip for nothing
    columns = ", ".join(f"c.{column}" for column in COLUMNS)
    rows = connection.exec_driver_sql(
        f"select {columns}, c.state_now, r.submission, a.result from claim_now c "  # noqa: S608 - our own columns
        "join claim_revision r on r.tenant = c.tenant and r.claim_id = c.id and r.revision = c.revision "
        "join lateral (select result from assessment a where a.tenant = c.tenant and a.claim_id = c.id "
        "order by a.seq desc limit 1) a on true where c.id = any(%s) order by c.id",
        (ids,),
    ).all()
    holds = holds_of(connection, ids)
    width = len(COLUMNS)
    return [
        ClaimView(
            row=_claim_row(row[:width]),
            state_now=row[width],
            submission=json.loads(row[width + 1]),
            assessment=json.loads(row[width + 2]),
            holds=tuple(hold for hold in holds if hold.claim_id == row.id),
        )
        for row in rows
    ]


def holds_of(connection: Connection, claim_ids: Sequence[UUID]) -> list[HoldRow]:
    """All holds of the claims, open and resolved, in the order in which they were opened."""
    columns = ", ".join(field.name for field in fields(HoldRow))
    rows = connection.exec_driver_sql(
        f"select {columns} from hold where claim_id = any(%s) order by opened_at, id",  # noqa: S608 - our own columns
        (list(claim_ids),),
    )
    return [HoldRow(*row) for row in rows]


def claim_json(view: ClaimView, *, english: bool) -> dict[str, Json]:
    """The claim in the form of the API: the submission, and what the service adds to it."""
    row = view.row
    return {
        **view.submission,
        "id": str(row.id),
        "claim_no": row.claim_no,
        "platform": row.platform,
        "revision": row.revision,
        "state": view.state_now,
        "assessment": _assessment_shown(view.assessment, english=english) | _standing_award(row),
        "holds": [_hold_json(hold, english=english) for hold in view.holds],
        "next_stage": row.next_stage,
        "correction_due_on": plain(row.correction_due_on),
        "received_at": plain(row.received_at),
        "changed_at": plain(row.changed_at),
    }


def _assessment_shown(assessed: dict[str, Json] | Assessment, *, english: bool) -> dict[str, Json]:
    """The assessment's figures, and its findings in one language: every rule that did not simply pass."""
    if isinstance(assessed, Assessment):
        shown = assessment_json(assessed, "en" if english else "zh")
    else:
        trace = cast("list[dict[str, Any]]", assessed["trace"])
        shown = {key: value for key, value in assessed.items() if key not in {"trace", "state", "next_stage"}}
        findings = [_finding_json(entry, english=english) for entry in trace if entry["verdict"] != "pass"]
        shown["findings"] = cast("Json", findings)
    shown["matching"] = shown["matching"] or {"linked_region": None, "amount": str(ZERO)}
    return shown


def etag_of(view: ClaimView) -> str:
    """The claim's version: it changes with every change of the claim or of its batch."""
    return f'"{view.row.revision}-{int(view.row.changed_at.timestamp() * 1_000_000)}-{view.state_now}"'


def _standing_award(row: ClaimRow) -> dict[str, Json]:
    """A reviewer may have lowered the award since the assessment, and a refused claim has none."""
    return {"award": str(Money(row.award_fen))}


def _finding_json(entry: Mapping[str, Any], *, english: bool) -> dict[str, Json]:
    message = entry["message"]["en" if english else "zh"]
    return {"rule": entry["rule"], "verdict": entry["verdict"], "cite": entry["cite"], "message": message}


def _hold_json(hold: HoldRow, *, english: bool) -> dict[str, Json]:
    detail = json.loads(hold.detail)
    return {
        "id": str(hold.id),
        "code": hold.code,
        "place": hold.place,
        "message": detail["message"]["en" if english else "zh"],
        "other_side": detail.get("other_side", []),
        "state": "open" if hold.resolved_at is None else "resolved",
        "opened_at": plain(hold.opened_at),
        "resolved_at": plain(hold.resolved_at),
        "outcome": hold.outcome,
        "reason": hold.reason,
    }


def _claim_row(row: Sequence[Any]) -> ClaimRow:
    return ClaimRow(*row)
