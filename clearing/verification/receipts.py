"""Nightly receipts: as the chain and the notice tell them, counted anew, and none missing up to the last day."""

from collections.abc import Iterator
from typing import Any, Final

import orjson

from clearing.verification.context import Context
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.dossiers import Dossier
from clearing.verification.snapshot import Row, Snapshot
from tenants.kernel.money import Money

_COUNTED: Final = """
with claimed as (
    select c.tenant, c.platform, (r.received_at at time zone 'Asia/Shanghai')::date as day_on, count(*) as submissions,
           sum(coalesce((select sum(round((i->>'claimed_amount')::numeric * 100))
                           from jsonb_array_elements(r.submission::jsonb->'invoices') i), 0))::bigint as claimed_fen
      from claim c join claim_revision r on r.tenant = c.tenant and r.claim_id = c.id group by 1, 2, 3),
latest as (select tenant, max(day_on) as day_on, max(day_on) filter (where support_records is null) as before_on
             from receipt group by tenant),
supported as (
    select s.tenant, s.platform, (s.received_at at time zone 'Asia/Shanghai')::date as day_on, count(*) as records
      from support_record s join latest l on l.tenant = s.tenant
     where l.before_on is null or (s.received_at at time zone 'Asia/Shanghai')::date > l.before_on group by 1, 2, 3),
days as (
    select coalesce(c.tenant, s.tenant) as tenant, coalesce(c.platform, s.platform) as platform,
           coalesce(c.day_on, s.day_on) as day_on, coalesce(c.submissions, 0) as submissions,
           coalesce(c.claimed_fen, 0) as claimed_fen, coalesce(s.records, 0) as records
      from claimed c full join supported s on s.tenant = c.tenant and s.platform = c.platform and s.day_on = c.day_on)
select coalesce(r.tenant, d.tenant) as tenant, coalesce(r.platform, d.platform) as platform,
       coalesce(r.day_on, d.day_on) as day_on, (d.submissions, d.claimed_fen, d.records)::text as expected,
       (r.submissions, r.claimed_fen, r.support_records)::text as found
  from receipt r full join (select d.* from days d join latest l on l.tenant = d.tenant and d.day_on <= l.day_on) d
    on d.tenant = r.tenant and d.platform = r.platform and d.day_on = r.day_on
 where (d.submissions, d.claimed_fen, d.records) is distinct from
       (r.submissions, r.claimed_fen, coalesce(r.support_records, 0))
"""


def receipt_differences(snapshot: Snapshot) -> Iterator[Difference]:
    """Receipts that say something else than what was received, and days without one."""
    for row in snapshot.stream(_COUNTED):
        place = f"receipt/{row.tenant}/{row.platform}/{row.day_on}"
        yield differs("receipt.figures", place, row.expected, row.found)


def issued_differences(dossier: Dossier, receipt: Row, _context: Context) -> Iterator[Difference]:
    """What the receipt says otherwise than its entry, and its notice otherwise than the receipt."""
    place = f"receipt/{receipt.tenant}/{receipt.platform}/{receipt.day_on}"
    entry = next((each for each in dossier.entries if each.action == "receipt.issued"), None)
    if entry is None or len(dossier.entries) != 1:
        yield differs("receipt.witness", place, "one entry of the audit chain", len(dossier.entries))
        return
    figures: dict[str, Any] = {
        "day": f"{receipt.day_on}",
        "submissions": receipt.submissions,
        "claimed": str(Money(receipt.claimed_fen)),
    }
    if receipt.support_records is not None:  # receipts from before these were counted say nothing of them
        figures["support_records"] = receipt.support_records
    said = {name: entry.details.get(name) for name in ("platform", *figures)}
    if said != {"platform": receipt.platform, **figures}:
        yield differs("receipt.witness", place, said, {"platform": receipt.platform, **figures})
    if not entry.witnesses(receipt.issued_at):
        yield differs("receipt.witness", f"{place}/issued_at", entry.at, receipt.issued_at)
    notices = dossier["outbox"]
    if len(notices) != 1:
        yield differs("outbox.count", f"outbox/{receipt.tenant}/{receipt.id}", 1, len(notices))
    for notice in notices:
        where = f"outbox/{notice.tenant}/{notice.id}"
        payload = {"receipt_id": str(receipt.id), "tenant": receipt.tenant, **figures}
        yield from compared("outbox.notice", where, {"kind": "receipt.issued", "platform": receipt.platform}, notice)
        if orjson.loads(notice.payload) != payload:
            yield differs("outbox.notice", f"{where}/payload", payload, notice.payload)
        if not entry.witnesses(notice.created_at):
            yield differs("outbox.notice", f"{where}/created_at", entry.at, notice.created_at)
