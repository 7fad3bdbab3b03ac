"""What tenants ask of clients, as their chains tell it; what each client submitted in a day, counted anew."""

from collections.abc import Iterator
from typing import Final
from uuid import NAMESPACE_OID, UUID, uuid5

from clearing.verification.chain import Settings
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.snapshot import Row, Snapshot
from tenants.kernel.money import Money

_TERMS: Final = """
select t.client_id, t.tenant, t.signature_required, t.networks, t.ceiling_fen, t.set_by, t.set_at,
       coalesce(t.tenant = any(c.tenants), false) as known
  from client_terms t left join client c on c.client_id = t.client_id order by t.client_id, t.tenant
"""
_DAYS: Final = """
with counted as (
    select tenant, client_id, (received_at at time zone 'Asia/Shanghai')::date as day_on, count(*) as submissions,
           sum(coalesce((select sum(round((i->>'claimed_amount')::numeric * 100))
                           from jsonb_array_elements(submission::jsonb->'invoices') i), 0))::bigint as claimed_fen
      from claim_revision group by 1, 2, 3)
select coalesce(d.tenant, c.tenant) as tenant, coalesce(d.client_id, c.client_id) as client_id,
       coalesce(d.day_on, c.day_on) as day_on, (c.submissions, c.claimed_fen)::text as expected,
       (d.submissions, d.claimed_fen)::text as found
  from client_day d full join counted c on c.tenant = d.tenant and c.client_id = d.client_id and c.day_on = d.day_on
 where (d.submissions, d.claimed_fen) is distinct from (c.submissions, c.claimed_fen)
"""
_PASSED: Final = """
select d.tenant, d.client_id, d.day_on, d.claimed_fen, t.ceiling_fen
  from client_day d join client_terms t on t.tenant = d.tenant and t.client_id = d.client_id
 where d.claimed_fen > t.ceiling_fen and d.day_on > (t.set_at at time zone 'Asia/Shanghai')::date
"""
"""Days that began under the ceiling which holds still."""


def client_terms_differences(snapshot: Snapshot, settings: Settings) -> Iterator[Difference]:
    """Terms that were set otherwise, days that are counted otherwise, and days beyond their ceiling."""
    seen = set()
    for row in snapshot.counted("clients' terms", iter(snapshot.rows(_TERMS))):
        subject = uuid5(NAMESPACE_OID, f"client-terms/{row.tenant}/{row.client_id}")
        seen.add((row.tenant, subject))
        yield from _witnessed(row, settings, subject)
    for (tenant, subject), entries in settings.items():
        if entries[0].action.startswith("client_terms.") and (tenant, subject) not in seen:
            place = f"client_terms/{entries[0].details.get('client_id')}/{tenant}"
            yield differs("setting.absent", place, "one row", None)
    for row in snapshot.stream(_DAYS):
        place = f"client_day/{row.tenant}/{row.client_id}/{row.day_on}"
        yield differs("client.day", place, row.expected, row.found)
    for row in snapshot.rows(_PASSED):
        place = f"client_day/{row.tenant}/{row.client_id}/{row.day_on}/claimed_fen"
        yield differs("client.ceiling", place, f"at most {Money(row.ceiling_fen)}", Money(row.claimed_fen))


def _witnessed(row: Row, settings: Settings, subject: UUID) -> Iterator[Difference]:
    place = f"client_terms/{row.client_id}/{row.tenant}"
    if not row.known:
        yield differs("client.absent", f"{place}/client_id", "a client of the tenant", row.client_id)
    entries = settings.get((row.tenant, subject), [])
    if not entries:
        yield differs("setting.unwitnessed", place, f"an entry of {row.tenant}'s chain", None)
        return
    last = entries[-1]
    found = {
        "signature_required": row.signature_required,
        "networks": list(row.networks),
        "ceiling": None if row.ceiling_fen is None else str(Money(row.ceiling_fen)),
    }
    for name, value in found.items():
        if last.details.get("after", {}).get(name) != value:
            yield differs("setting.witness", f"{place}/{name}", last.details.get("after"), value)
    yield from compared("setting.witness", place, {"set_by": last.actor}, row)
    if not last.witnesses(row.set_at):
        yield differs("setting.witness", f"{place}/set_at", last.at, row.set_at)
