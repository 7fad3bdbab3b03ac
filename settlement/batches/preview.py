"""What a cut would take, before it is made; and the sums of a list of batches."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from settlement.batches.batch_steps import CutOrder, wanted_obligations
from tenants.kernel.money import Money

SHOWN: Final = 50
"""How many of the claims a preview shows; its sums are over all of them."""
_OPEN: Final = (
    "from obligation o where tenant = %s and scheme = %s and mode = %s and kind is not distinct from %s "
    "and batch_id is null and released_at is null and held_at is null"
)


@dataclass(frozen=True, slots=True)
class PreviewLine:
    """One claim that the batch would hold."""

    claim_id: UUID
    claim_no: str
    enterprise_name: str
    provider_name: str
    payee_name: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Preview:
    """What the batch would hold: control totals, number of payees, its first claims; and what comes too late for it."""

    count: int
    total: Money
    payees: int
    later_count: int
    later_total: Money
    lines: tuple[PreviewLine, ...]


def preview_cut(connection: Connection, order: CutOrder, at: datetime) -> Preview:
    """What :func:`settlement.batches.batch_steps.cut` would take now; found in the index of open obligations.

    Raises:
        Conflict: as the cut itself would.
    """
    which, values, _ = wanted_obligations(connection, order, at)
    cut_off_at = min(order.cut_off_at, at)
    asked = (order.tenant, order.scheme, order.mode, order.kind, *values, cut_off_at)
    count, fen, payees = connection.exec_driver_sql(
        "select count(*), coalesce(sum(amount_fen), 0)::bigint, count(distinct payee_digest) "
        f"{_OPEN}{which} and {order.counted_by} <= %s",
        asked,
    ).one()
    later, later_fen = connection.exec_driver_sql(
        f"select count(*), coalesce(sum(amount_fen), 0)::bigint {_OPEN}{which} and {order.counted_by} > %s",
        asked,
    ).one()
    rows = connection.exec_driver_sql(
        "select id, claim_no, enterprise_name, provider_name, payee_name, amount_fen "
        f"{_OPEN}{which} and {order.counted_by} <= %s order by id limit %s",
        (*asked, SHOWN),
    )
    lines = tuple(
        PreviewLine(claim_id, claim_no, enterprise, provider, payee, Money(fen))
        for claim_id, claim_no, enterprise, provider, payee, fen in rows
    )
    return Preview(count, Money(fen), payees, later, Money(later_fen), lines)


@dataclass(frozen=True, slots=True)
class OpenAmount:
    """What waits for a batch in one scheme and mode."""

    tenant: str
    scheme: str
    mode: str
    count: int
    total: Money


def open_amounts(connection: Connection) -> list[OpenAmount]:
    """What waits for a batch in the bound tenants; found in the index of open obligations."""
    rows = connection.exec_driver_sql(
        "select tenant, scheme, mode, count(*), sum(amount_fen)::bigint from obligation "
        "where tenant = any((select bound_tenants())::text[]) and kind is null and batch_id is null "
        "and released_at is null and held_at is null group by tenant, scheme, mode order by tenant, scheme, mode"
    )
    return [OpenAmount(tenant, scheme, mode, count, Money(fen)) for tenant, scheme, mode, count, fen in rows]


def batch_totals(
    connection: Connection, tenant: str, filters: Mapping[str, str], most: int | None = None
) -> tuple[int, Money]:
    """How many batches the filters of ``settlement.batches.batch.list_batches`` find, and the sum of totals.

    Of ``most`` of them, where that is given.
    """
    where: list[str] = ["tenant = %s"]
    values: list[str | int | None] = [tenant]
    for column in ("state", "scheme", "mode"):
        if column in filters:
            where.append(f"{column} = %s")
            values.append(filters[column])
    count, fen = connection.exec_driver_sql(
        "select count(*), coalesce(sum(total_fen), 0)::bigint from ("  # noqa: S608 - our own columns
        f"select total_fen from batch where {' and '.join(where)} limit %s) found",
        (*values, most),
    ).one()
    return count, Money(fen)
