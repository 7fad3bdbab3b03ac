"""Matching (联动配套) that falls due: what linked regions owe once the provincial award on which it rests was paid.

Due three months, or as the policy says, after the payout: on the same day of the month, or the month's last.
"""

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID, uuid5

from sqlalchemy import Connection

from tenants.kernel.canonical import Json, plain
from tenants.kernel.change import Change, record
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
from tenants.kernel.money import Money
from tenants.kernel.statements import insert_rows
from tenants.policy_store import approved_policies

_OPENED: Final = UUID("c65a2d07-7c2f-4b2c-8f6e-2b0a4c1d9e33")
MONTHS: Final = 12


@dataclass(frozen=True, slots=True)
class MatchingObligation:
    """One row of ``matching_obligation``; the field names are the columns'."""

    tenant: str
    claim_id: UUID
    claim_no: str
    scheme: str
    quota_year: int
    linked_region: str
    linked_tenant: str | None
    enterprise_uscc: str
    enterprise_name: str
    award_fen: int
    amount_fen: int
    batch_id: UUID
    paid_on: date
    due_on: date
    cite: str
    opened_at: datetime


COLUMNS: Final = tuple(field.name for field in fields(MatchingObligation))
_LIST: Final = ", ".join(COLUMNS)


def matching_id(batch_id: UUID) -> UUID:
    """What names a batch's matching in the audit chain (UUIDv5)."""
    return uuid5(_OPENED, str(batch_id))


def months_later(day: date, months: int) -> date:
    """The same day of the month so many months later, or that month's last day."""
    year, month = divmod(day.year * MONTHS + day.month - 1 + months, MONTHS)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def open_matching(work: Work, tenant: str, batch_id: UUID, *, demonstration: bool) -> int:
    """Open what linked regions owe for the claims of a batch that was just instructed; how many obligations."""
    rows: Any = work.connection.exec_driver_sql(_OWED, (tenant, batch_id, tenant, batch_id)).all()
    if not rows:
        return 0
    policies = approved_policies(work.connection, tenant, {row.scheme for row in rows}, demonstration=demonstration)
    paid_on = shanghai_day(work.at)
    owed = []
    for row in rows:
        term = policies.version(row.scheme, row.policy_version).payout.matching_due_months
        if term is None:
            continue
        values = (row.tenant, row.claim_id, row.claim_no, row.scheme, row.quota_year, row.linked_region)
        who = (row.linked_tenant, row.enterprise_uscc, row.enterprise_name, row.award_fen, row.amount_fen)
        owed.append((*values, *who, batch_id, paid_on, months_later(paid_on, term.value), term.cite, work.at))
    insert_rows(work.connection, "matching_obligation", COLUMNS, owed)
    made = [MatchingObligation(*each) for each in owed]
    regions: dict[str, Json] = {}
    for region in sorted({one.linked_region for one in made}):
        regions[region] = str(Money(sum(one.amount_fen for one in made if one.linked_region == region)))
    details: dict[str, Json] = {"batch_id": str(batch_id), "count": len(made), "regions": regions}
    change = Change(tenant, "system", "matching.opened", matching_id(batch_id), None, "opened", details=details)
    record(work.connection, [change], work.at)
    return len(made)


def listed(
    connection: Connection, tenant: str, wanted: Mapping[str, Any], after: tuple[date, UUID] | None, limit: int
) -> list[MatchingObligation]:
    """At most ``limit`` obligations that the tenant is owed over or owes itself, those due first first.

    ``due_before`` names a day, ``linked_region`` a division; behind the due day and claim of ``after``.
    """
    day, claim_id = after or (None, None)
    due_before, region = wanted.get("due_before"), wanted.get("linked_region")
    rows = connection.exec_driver_sql(
        f"select {_LIST} from matching_obligation where (tenant = %s or linked_tenant = %s) "  # noqa: S608 - our columns
        "and (%s::date is null or due_on < %s) and (%s::text is null or linked_region = %s) "
        "and (%s::date is null or (due_on, claim_id) > (%s, %s)) order by due_on, claim_id limit %s",
        (tenant, tenant, due_before, due_before, region, region, day, day, claim_id, limit),
    )
    return [MatchingObligation(*row) for row in rows]


def matching_json(one: MatchingObligation, tenant: str, today: date) -> dict[str, Json]:
    """The obligation as it is answered to one of its two sides."""
    said = {name: plain(getattr(one, name)) for name in COLUMNS if not name.endswith("_fen")}
    return said | {
        "award": str(Money(one.award_fen)),
        "amount": str(Money(one.amount_fen)),
        "side": "linked" if one.linked_tenant == tenant else "awarding",
        "overdue": one.due_on < today,
    }


_OWED: Final = """
with held as (
    select t.subject_id, split_part(t.debit, '/', 4) as division from ledger_transfer t
     where t.tenant = %s and t.subject_id in (select i.claim_id from batch_item i where i.batch_id = %s
           and i.removed_at is null)
       and t.debit like 'matching/%%' and t.kind in ('post', 'posted') and t.reverses is null
       and not exists (select 1 from ledger_transfer r where r.tenant = t.tenant and r.reverses = t.id))
select c.tenant, c.id as claim_id, c.claim_no, c.scheme, c.quota_year, c.policy_version, h.division as linked_region,
       (select l.tenant from tenant l where l.tenant <> c.tenant
           and regexp_replace(h.division, '(0000|00)$', '') = any (l.divisions)
        order by l.tenant limit 1) as linked_tenant,
       c.enterprise_uscc, c.enterprise_name, c.award_fen, c.matching_fen as amount_fen
  from claim c join held h on h.subject_id = c.id
  join batch_item i on i.tenant = c.tenant and i.claim_id = c.id and i.removed_at is null
 where c.tenant = %s and i.batch_id = %s and c.matching_fen > 0 order by c.id
"""
"""The claims of the batch with the linked region whose matching they hold, and the tenant that it is, if any."""
