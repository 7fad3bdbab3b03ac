"""Items on hold (异议暂停): what an objection took out of its batch and has no claim of its own, until it is decided.

Its money stays owed, in its year; once a reviewer has looked into the objection, a later batch of its kind takes it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from tenants.kernel.canonical import Json, plain
from tenants.kernel.change import Change, record
from tenants.kernel.errors import Conflict, not_found
from tenants.kernel.money import Money
from tenants.kernel.statements import insert_rows


@dataclass(frozen=True, slots=True)
class HeldItem:
    """One obligation on hold, and the objection that holds it.

    ``finding``: how somebody proposed that it ends, which waits for another person; ``finding_keeps``: what is still
    paid of it then.
    """

    obligation_id: UUID
    claim_no: str
    kind: str
    scheme: str
    mode: str
    enterprise_name: str
    provider_name: str
    amount: Money
    held_at: datetime
    batch_no: str
    objection_id: UUID
    made_by: str
    reason: str
    finding: str | None
    finding_keeps: Money | None
    finding_reason: str | None
    finding_by: str | None

    def json(self) -> dict[str, Json]:
        """The item in the form of the API."""
        return {
            "obligation_id": str(self.obligation_id),
            "claim_no": self.claim_no,
            "kind": self.kind,
            "scheme": self.scheme,
            "mode": self.mode,
            "enterprise": self.enterprise_name,
            "provider": self.provider_name,
            "amount": str(self.amount),
            "held_at": plain(self.held_at),
            "batch_no": self.batch_no,
            "made_by": self.made_by,
            "reason": self.reason,
            "state": "on_hold",
            "finding": None
            if self.finding is None
            else {
                "outcome": self.finding,
                "keeps": str(self.finding_keeps),
                "reason": self.finding_reason,
                "proposed_by": self.finding_by,
            },
        }


_HELD: Final = (
    "select o.id, o.claim_no, o.kind, o.scheme, o.mode, o.enterprise_name, o.provider_name, o.amount_fen, o.held_at, "
    "b.batch_no, j.id as objection_id, j.made_by, j.reason, u.outcome, u.keeps_fen, u.reason as finding_reason, "
    "u.proposed_by "
    "from obligation o "
    "join objection j on j.tenant = o.tenant and j.claim_id = o.id and not exists ("
    "select 1 from objection_resolution r where r.tenant = j.tenant and r.objection_id = j.id) "
    "join batch b on b.tenant = j.tenant and b.id = j.batch_id "
    "left join objection_upholding u on u.tenant = j.tenant and u.objection_id = j.id and not exists ("
    "select 1 from objection_upholding_decision d where d.tenant = u.tenant and d.upholding_id = u.id) "
    "where o.tenant = %s and o.held_at is not null "
)


def list_held(connection: Connection, tenant: str, after: UUID | None, limit: int) -> list[HeldItem]:
    """At most ``limit`` items on hold behind ``after``, by their ids."""
    rows = connection.exec_driver_sql(
        f"{_HELD} and o.id > %s order by o.id limit %s", (tenant, after or UUID(int=0), limit)
    )
    return [_item(tuple(row)) for row in rows]


def held_totals(connection: Connection, tenant: str, most: int | None) -> tuple[int, Money]:
    """How many items :func:`list_held` lists in all, and their sum; of the first ``most``, where that is given."""
    count, fen = connection.exec_driver_sql(
        f"select count(*), coalesce(sum(amount_fen), 0)::bigint from ({_HELD} limit %s) found",  # noqa: S608 - our own
        (tenant, most),
    ).one()
    return count, Money(fen)


def lock_held(connection: Connection, tenant: str, obligation_id: UUID) -> HeldItem:
    """The item on hold, locked: of two people who decide at once, one sees what the other did.

    Raises:
        NotFound: the tenant has no such obligation, or a claim of its own stands behind it.
        Conflict: ``item.not_held``: nobody objects to it, or somebody else has decided already.
    """
    known = connection.exec_driver_sql(
        "select held_at from obligation where tenant = %s and id = %s and kind is not null for no key update",
        (tenant, obligation_id),
    ).one_or_none()
    if known is None:
        raise not_found("应付款", "obligation")
    row = connection.exec_driver_sql(f"{_HELD} and o.id = %s", (tenant, obligation_id)).one_or_none()
    if row is None:
        raise Conflict(
            "item.not_held", "该笔没有被异议暂停，或已处理。", "The item is not on hold, or decided already."
        )
    return _item(tuple(row))


def resume(connection: Connection, tenant: str, obligation_id: UUID, reason: str, actor: str, at: datetime) -> HeldItem:
    """Decide that the item may be paid: it goes into the next batch of its kind; the item as it was on hold.

    Raises:
        NotFound, Conflict: as :func:`lock_held`; ``upholding.open``: somebody proposed to uphold the objection, on
            which another person decides first.
    """
    item = lock_held(connection, tenant, obligation_id)
    if item.finding is not None:
        raise Conflict(
            "upholding.open",
            "该笔已有人认定异议成立，须先由另一人决定。",
            "Somebody proposed to uphold the objection: another person decides on that first.",
        )
    _let_go(connection, tenant, item, "item.resumed", "owed", reason, actor, at)
    return item


def end_hold(connection: Connection, tenant: str, obligation_id: UUID, reason: str, actor: str, at: datetime) -> None:
    """End the hold of an item that ends for another reason; what is not on hold stays as it is."""
    row = connection.exec_driver_sql(f"{_HELD} and o.id = %s", (tenant, obligation_id)).one_or_none()
    if row is not None:
        _let_go(connection, tenant, _item(tuple(row)), "item.ended", "ended", reason, actor, at)


def resolve(
    connection: Connection,
    tenant: str,
    item: HeldItem,
    reason: str,
    actor: str,
    at: datetime,
    upholding_id: UUID | None = None,
) -> None:
    """Write that the objection to the item was decided."""
    insert_rows(
        connection,
        "objection_resolution",
        ("tenant", "objection_id", "obligation_id", "reason", "resolved_by", "resolved_at", "upholding_id"),
        [(tenant, item.objection_id, item.obligation_id, reason, actor, at, upholding_id)],
    )


def _let_go(
    connection: Connection, tenant: str, item: HeldItem, action: str, after: str, reason: str, actor: str, at: datetime
) -> None:
    resolve(connection, tenant, item, reason, actor, at)
    connection.exec_driver_sql(
        "update obligation set held_at = null where tenant = %s and id = %s", (tenant, item.obligation_id)
    )
    details: dict[str, Json] = {"claim_no": item.claim_no, "objection": str(item.objection_id)}
    record(connection, [Change(tenant, actor, action, item.obligation_id, "on_hold", after, reason, details)], at)


def _item(row: tuple[object, ...]) -> HeldItem:
    values = list(row)
    values[7] = Money(values[7])  # type: ignore[arg-type]  # what is owed, in fen
    values[14] = None if values[14] is None else Money(values[14])  # type: ignore[arg-type]  # what is kept of it
    return HeldItem(*values)  # type: ignore[arg-type]  # in the order of the columns
