"""Closed months: by the chain's word, one after the other, and their figures worked out anew from the ledger."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any, Final

from clearing.verification.context import Context
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.dossiers import Dossier
from clearing.verification.notices import notice_differences
from clearing.verification.snapshot import Row, Snapshot
from tenants.kernel.canonical import canonical_bytes
from tenants.kernel.money import Money

_FIRST: Final = "0" * 64
_ROWS: Final = """
select tenant, month_on, id, ends_at, report, report_sha256, previous_sha256, closed_by, closed_at,
       month_on::timestamp at time zone 'Asia/Shanghai' as began_at,
       (month_on + interval '1 month') at time zone 'Asia/Shanghai' as over_at,
       (month_on - interval '1 month')::date as before_on
  from month_close order by tenant, month_on
"""
_FIGURES: Final = """
select account, sum(opening)::bigint as opening, sum(debits)::bigint as debits, sum(credits)::bigint as credits,
       sum(pending)::bigint as pending
  from (select substring(side.code from '^(.*?)(?:/[0-9A-Z]{18})?$') as account,
               case when t.kind in ('post', 'posted') and t.at < %s then side.sign * t.amount_fen else 0 end as opening,
               case when t.kind in ('post', 'posted') and t.at >= %s and side.sign < 0 then t.amount_fen else 0
               end as debits,
               case when t.kind in ('post', 'posted') and t.at >= %s and side.sign > 0 then t.amount_fen else 0
               end as credits,
               case when side.sign > 0 or t.kind = 'posted' then 0 when t.kind = 'pending' then t.amount_fen
                    else -t.amount_fen end as pending
          from ledger_transfer t cross join lateral (values (t.debit, -1), (t.credit, 1)) side (code, sign)
         where t.tenant = %s and t.at < %s) s
 group by account
"""
_COUNTS: Final = """
select (select count(*) from instruction i where i.tenant = %s and i.created_at < %s and not exists (
        select 1 from instruction_outcome o where o.tenant = i.tenant and o.instruction_id = i.id
           and o.outcome in ('paid', 'rejected') and o.at < %s)) as instructions
"""


def month_differences(snapshot: Snapshot, _context: Context) -> Iterator[Difference]:
    """Months that are not closed one after the other, and figures that the ledger does not give."""
    before: Row | None = None
    for row in snapshot.counted("closed months", iter(snapshot.rows(_ROWS))):
        place = f"month_close/{row.tenant}/{row.month_on}"
        expected: dict[str, Any] = {
            "ends_at": row.over_at,
            "report_sha256": hashlib.sha256(row.report.encode()).hexdigest(),
            "previous_sha256": _FIRST,
        }
        if before is not None and before.tenant == row.tenant:
            expected["previous_sha256"] = before.report_sha256
            if before.month_on != row.before_on:
                yield differs("month.order", f"{place}/month_on", f"after {before.month_on}", row.month_on)
        yield from compared("month.order", place, expected, row)
        yield from _figures(snapshot, place, row)
        before = row


def closed_differences(dossier: Dossier, row: Row, _context: Context) -> Iterator[Difference]:
    """What is wrong with a closed month, by the chain's word."""
    place = f"month_close/{row.tenant}/{row.month_on}"
    if [entry.action for entry in dossier.entries] != ["month.closed"]:
        yield differs("month.unwitnessed", place, "one entry of the audit chain", len(dossier.entries))
        return
    entry = dossier.entries[0]
    expected = {
        "report_sha256": entry.details.get("report_sha256"),
        "previous_sha256": entry.details.get("previous_sha256"),
        "closed_by": entry.actor,
    }
    yield from compared("month.witness", place, expected, row)
    if entry.details.get("month") != f"{row.month_on:%Y-%m}":
        yield differs("month.witness", f"{place}/month_on", entry.details.get("month"), row.month_on)
    if not entry.witnesses(row.closed_at):
        yield differs("month.witness", f"{place}/closed_at", entry.at, row.closed_at)
    yield from notice_differences(dossier, [])


def _figures(snapshot: Snapshot, place: str, row: Row) -> Iterator[Difference]:
    said = json.loads(row.report)
    if canonical_bytes(said).decode() != row.report or said.get("month") != f"{row.month_on:%Y-%m}":
        yield differs("month.figures", f"{place}/report", "a report of the month", said.get("month"))
    found = {
        figures.account: {
            "account": figures.account, "opening": _yuan(figures.opening), "debits": _yuan(figures.debits),
            "credits": _yuan(figures.credits), "pending": _yuan(figures.pending),
            "closing": _yuan(figures.opening + figures.credits - figures.debits),
        }
        for figures in snapshot.rows(_FIGURES, row.began_at, row.began_at, row.began_at, row.tenant, row.over_at)
    }  # fmt: skip
    stated = {each["account"]: each for each in said["accounts"]}
    for account in sorted(stated.keys() | found.keys()):
        if stated.get(account) != found.get(account):
            yield differs("month.figures", f"{place}/report", found.get(account), stated.get(account))
    counts = snapshot.rows(_COUNTS, row.tenant, row.over_at, row.over_at)[0]
    if said["open"]["instructions"]["count"] != counts.instructions:
        yield differs("month.figures", f"{place}/report", counts.instructions, said["open"]["instructions"]["count"])


def _yuan(fen: int) -> str:
    return str(Money(fen))
