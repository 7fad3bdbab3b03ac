"""The debts of a window, one by one: what every cell of its matrix opens down to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from tenants.kernel.canonical import Json, plain
from tenants.kernel.money import Money


@dataclass(frozen=True, slots=True)
class Debt:
    """One claim that the creditor pays and the tenant owes."""

    tenant: str
    claim_id: UUID
    creditor: str
    batch_id: UUID
    scheme: str
    quota_year: int
    amount: Money
    posted_at: datetime
    claim_no: str
    provider_name: str

    def json(self) -> dict[str, Json]:
        """The debt in the form of the API."""
        return {
            "debtor": self.tenant,
            "creditor": self.creditor,
            "claim_id": str(self.claim_id),
            "claim_no": self.claim_no,
            "provider": self.provider_name,
            "batch_id": str(self.batch_id),
            "scheme": self.scheme,
            "quota_year": self.quota_year,
            "amount": str(self.amount),
            "posted_at": plain(self.posted_at),
        }


def list_debts(
    connection: Connection,
    cycle_id: UUID,
    tenants: Sequence[str],
    debtor: str | None,
    creditor: str | None,
    after: tuple[str, UUID] | None,
    limit: int,
) -> list[Debt]:
    """At most ``limit`` debts of the window behind the place, as far as they concern the tenants.

    The claim is read in the books of whichever side the transaction is bound to.
    """
    tenant, claim_id = after or ("", UUID(int=0))
    rows = connection.exec_driver_sql(
        "select d.tenant, d.claim_id, d.creditor, d.batch_id, d.scheme, d.quota_year, d.amount_fen, d.posted_at, "
        "coalesce(o.claim_no, h.claim_no), coalesce(o.provider_name, h.provider_name) from clearing_debt d "
        "left join obligation o on o.tenant = d.tenant and o.id = d.claim_id "
        "left join obligation h on h.tenant = d.creditor and h.id = d.obligation_id "
        "where d.cycle_id = %s and (d.tenant = any(%s) or d.creditor = any(%s)) "
        "and (%s::text is null or d.tenant = %s) and (%s::text is null or d.creditor = %s) "
        "and (d.tenant, d.claim_id) > (%s, %s) order by d.tenant, d.claim_id limit %s",
        (cycle_id, list(tenants), list(tenants), debtor, debtor, creditor, creditor, tenant, claim_id, limit),
    )
    return [
        Debt(debt_tenant, claim, other, batch_id, scheme, year, Money(fen), at, claim_no, provider)
        for debt_tenant, claim, other, batch_id, scheme, year, fen, at, claim_no, provider in rows
    ]


def debt_totals(
    connection: Connection,
    cycle_id: UUID,
    tenants: Sequence[str],
    debtor: str | None,
    creditor: str | None,
    most: int | None = None,
) -> tuple[int, Money]:
    """How many debts :func:`list_debts` lists, and their sum; of ``most``, where that is given."""
    count, fen = connection.exec_driver_sql(
        "select count(*), coalesce(sum(amount_fen), 0)::bigint from ("
        "select amount_fen from clearing_debt where cycle_id = %s "
        "and (tenant = any(%s) or creditor = any(%s)) and (%s::text is null or tenant = %s) "
        "and (%s::text is null or creditor = %s) limit %s) found",
        (cycle_id, list(tenants), list(tenants), debtor, debtor, creditor, creditor, most),
    ).one()
    return count, Money(fen)
