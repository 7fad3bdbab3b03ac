"""Nightly receipts: what a platform submitted in one day, as this service received it, for the platform to compare.

It counts the claims' revisions, with the sum that they claim of their invoices, and the support records. A receipt is
made after its day has ended, once, and told like every event. A day without a submission has none: a platform that
submitted and gets no receipt knows that nothing arrived.
"""

from datetime import date, datetime, time, timedelta
from typing import Final
from uuid import UUID

from tenants.kernel.canonical import Json
from tenants.kernel.change import Change, Job, change_writes
from tenants.kernel.clock import SHANGHAI, shanghai_day
from tenants.kernel.database import Work
from tenants.kernel.ids import new_id
from tenants.kernel.money import Money
from tenants.kernel.statements import Write, write_all

RECEIPT_EVENT: Final = "receipt.issued"
AFTER_MIDNIGHT: Final = timedelta(minutes=10)
"""What was received just before midnight is stored by then."""


def issue_receipts(work: Work) -> int:
    """Make the receipts of all days that have ended, within the bound tenants; how many."""
    if not work.connection.exec_driver_sql("select pg_try_advisory_xact_lock(%s)", (_LOCK,)).scalar_one():
        return 0  # another scheduler is at it
    today = datetime.combine(shanghai_day(work.at - AFTER_MIDNIGHT), time(), SHANGHAI)
    rows = work.connection.exec_driver_sql(_DUE, (today, today)).all()
    stored, changes = [], []
    for tenant, platform, day_on, submissions, claimed_fen, support_records in rows:
        receipt_id = new_id()
        stored.append((tenant, receipt_id, platform, day_on, submissions, claimed_fen, support_records, work.at))
        figures = _figures(day_on, submissions, Money(claimed_fen), support_records)
        changes.append(_change(tenant, receipt_id, platform, figures))
    if changes:
        written = change_writes(work.connection, changes, work.at)
        write_all(work.connection, (Write("receipt", _COLUMNS, stored), *written))
    return len(changes)


_LOCK: Final = 4206_2027
_COLUMNS: Final = ("tenant", "id", "platform", "day_on", "submissions", "claimed_fen", "support_records", "issued_at")


def _figures(day_on: date, submissions: int, claimed: Money, support_records: int) -> dict[str, Json]:
    return {
        "day": day_on.isoformat(),
        "submissions": submissions,
        "claimed": str(claimed),
        "support_records": support_records,
    }


def _change(tenant: str, receipt_id: UUID, platform: str, figures: dict[str, Json]) -> Change:
    payload: dict[str, Json] = {"receipt_id": str(receipt_id), "tenant": tenant, **figures}
    return Change(
        tenant=tenant,
        actor="service",
        action=RECEIPT_EVENT,
        subject_id=receipt_id,
        to_state="issued",
        details={"platform": platform, **figures},
        jobs=(Job(RECEIPT_EVENT, payload, platform),),
    )


_DUE: Final = """
with latest as (select t.tenant, (select max(r.day_on) from receipt r where r.tenant = t.tenant) as day_on
                  from unnest(bound_tenants()) t (tenant)),
bounds as (select tenant, (day_on + 1)::timestamp at time zone 'Asia/Shanghai' as since from latest),
came as (
    select c.tenant, c.platform, (r.received_at at time zone 'Asia/Shanghai')::date as day_on, count(*) as submissions,
           sum(r.claimed_fen)::bigint as claimed_fen, 0 as support_records
      from bounds b
      join claim_revision r on r.tenant = b.tenant and r.received_at < %s
           and (b.since is null or r.received_at >= b.since)
      join claim c on c.tenant = r.tenant and c.id = r.claim_id
     group by 1, 2, 3
    union all
    select s.tenant, s.platform, (s.received_at at time zone 'Asia/Shanghai')::date, 0, 0, count(*)
      from bounds b
      join support_record s on s.tenant = b.tenant and s.received_at < %s
           and (b.since is null or s.received_at >= b.since)
     group by 1, 2, 3)
select tenant, platform, day_on, sum(submissions)::bigint, sum(claimed_fen)::bigint, sum(support_records)::bigint
  from came group by 1, 2, 3 order by 1, 3, 2
"""
