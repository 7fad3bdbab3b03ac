"""Conflicts of interest (回避): who may not decide about whom. The database refuses what these functions refuse."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from clearing.claims.records import ClaimRow
from tenants.kernel.canonical import Json, plain
from tenants.kernel.change import Change, record
from tenants.kernel.database import Work
from tenants.kernel.errors import Conflict, Forbidden, not_found
from tenants.kernel.ids import new_id
from tenants.kernel.statements import insert_rows


@dataclass(frozen=True, slots=True)
class Interest:
    """One row of ``interest``; the field names are the columns'."""

    tenant: str
    id: UUID
    person: str
    uscc: str
    ground: str
    declared_by: str
    declared_at: datetime
    ended_by: str | None = None
    ended_at: datetime | None = None
    end_reason: str | None = None

    def json(self) -> dict[str, Json]:
        """As it is answered and kept in the audit chain."""
        return {name: plain(getattr(self, name)) for name in COLUMNS}


COLUMNS: Final = tuple(field.name for field in fields(Interest))
_LIST: Final = ", ".join(COLUMNS)


def refuse_interested(work: Work, tenant: str, person: str | None, parties: Sequence[str]) -> None:
    """Refuse a person who has a declared interest in one of the parties.

    Raises:
        Forbidden: ``decision.interest``.
    """
    if person is None:
        return
    found = work.connection.exec_driver_sql(
        "select 1 from interest where tenant = %s and person = %s and uscc = any(%s) and ended_at is null limit 1",
        (tenant, person, list(parties)),
    ).first()
    if found is not None:
        raise Forbidden(
            "decision.interest",
            "与企业或服务机构有利害关系，应当回避。",
            "You have an interest in the enterprise or provider and may not decide.",
        )


def refuse_submitter(work: Work, row: ClaimRow, person: str | None) -> None:
    """Refuse a person who submitted a revision of the claim.

    Raises:
        Forbidden: ``decision.submitter``.
    """
    if person is None:
        return
    found = work.connection.exec_driver_sql(
        "select 1 from claim_revision r join client c on c.client_id = r.client_id "
        "where r.tenant = %s and r.claim_id = %s and c.person = %s limit 1",
        (row.tenant, row.id, person),
    ).first()
    if found is not None:
        raise Forbidden(
            "decision.submitter", "提交人不能审核自己提交的申请。", "Who submitted the claim may not review it."
        )


def declare(work: Work, actor: str, tenant: str, interest: Mapping[str, str]) -> Interest:
    """Declare that a ``person`` has an interest in the party with this ``uscc``, on this ``ground``.

    The same again is the same declaration.
    """
    known = work.connection.exec_driver_sql(
        f"select {_LIST} from interest where tenant = %s and person = %s and uscc = %s "  # noqa: S608 - our own columns
        "and ended_at is null for no key update",
        (tenant, interest["person"], interest["uscc"]),
    ).one_or_none()
    if known is not None:
        return Interest(*known)
    made = Interest(tenant, new_id(), interest["person"], interest["uscc"], interest["ground"], actor, work.at)
    insert_rows(work.connection, "interest", COLUMNS, [tuple(getattr(made, name) for name in COLUMNS)])
    record(work.connection, [_change(actor, "declared", made)], work.at)
    return made


def end(work: Work, actor: str, tenant: str, interest_id: UUID, reason: str) -> Interest:
    """End a declaration; the person concerned may not.

    Raises:
        NotFound: there is none.
        Conflict: it has ended.
        Forbidden: the actor is the person concerned.
    """
    row = work.connection.exec_driver_sql(
        f"select {_LIST} from interest where tenant = %s and id = %s for no key update",  # noqa: S608 - our own columns
        (tenant, interest_id),
    ).one_or_none()
    if row is None:
        raise not_found("利害关系", "interest")
    known = Interest(*row)
    if known.ended_at is not None:
        raise Conflict("interest.ended", "该利害关系已解除。", "This interest has ended.")
    if known.person == actor:
        raise Forbidden("interest.own", "本人不能解除自己的回避。", "The person concerned may not end the declaration.")
    ended = replace(known, ended_by=actor, ended_at=work.at, end_reason=reason)
    work.connection.exec_driver_sql(
        "update interest set ended_by = %s, ended_at = %s, end_reason = %s where tenant = %s and id = %s",
        (actor, work.at, reason, tenant, interest_id),
    )
    record(work.connection, [_change(actor, "ended", ended)], work.at)
    return ended


def listed(connection: Connection, tenant: str, after: UUID | None, limit: int) -> list[Interest]:
    """At most ``limit`` declarations of the tenant behind the id, ended ones included."""
    rows = connection.exec_driver_sql(
        f"select {_LIST} from interest where tenant = %s "  # noqa: S608 - our own columns
        "and (%s::uuid is null or id > %s) order by id limit %s",
        (tenant, after, after, limit),
    )
    return [Interest(*row) for row in rows]


def _change(actor: str, act: str, interest: Interest) -> Change:
    before = "standing" if act == "ended" else None
    after = "ended" if act == "ended" else "standing"
    reason = interest.end_reason or interest.ground
    return Change(
        interest.tenant, actor, f"interest.{act}", interest.id, before, after, reason, {"after": interest.json()}
    )
