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
    """One obligation on hold, and the objection that holds it."""

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
        }


_HELD: Final = (
    "select o.id, o.claim_no, o.kind, o.scheme, o.mode, o.enterprise_name, o.provider_name, o.amount_fen, o.held_at, "
    "b.batch_no, j.id as objection_id, j.made_by, j.reason from obligation o "
    "join objection j on j.tenant = o.tenant and j.claim_id = o.id and not exists ("
    "select 1 from objection_resolution r where r.tenant = j.tenant and r.objection_id = j.id) "
    "join batch b on b.tenant = j.tenant and b.id = j.batch_id where o.tenant = %s and o.held_at is not null "
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


def resume(connection: Connection, tenant: str, obligation_id: UUID, reason: str, actor: str, at: datetime) -> HeldItem:
    """Decide that the item may be paid: it goes into the next batch of its kind; the item as it was on hold.

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
    item = _item(tuple(row))
    insert_rows(
        connection,
        "objection_resolution",
        ("tenant", "objection_id", "obligation_id", "reason", "resolved_by", "resolved_at"),
        [(tenant, item.objection_id, obligation_id, reason, actor, at)],
    )
    connection.exec_driver_sql(
        "update obligation set held_at = null where tenant = %s and id = %s", (tenant, obligation_id)
    )
    details: dict[str, Json] = {"claim_no": item.claim_no, "objection": str(item.objection_id)}
    change = Change(tenant, actor, "item.resumed", obligation_id, "on_hold", "owed", reason, details)
    record(connection, [change], at)
    return item


def _item(row: tuple[object, ...]) -> HeldItem:
    values = list(row)
    values[7] = Money(values[7])  # type: ignore[arg-type]  # the seventh column is fen
    return HeldItem(*values)  # type: ignore[arg-type]  # in the order of the columns
