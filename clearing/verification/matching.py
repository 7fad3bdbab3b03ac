"""What linked regions owe: one obligation for each claim that was paid with matching, no other, and on its day."""

from calendar import monthrange
from collections.abc import Iterator
from datetime import date
from typing import Any, Final
from uuid import UUID, uuid5

from clearing.verification.chain import Settings
from clearing.verification.claim_award import SHANGHAI
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.entries import Entry
from clearing.verification.snapshot import Row, Snapshot
from clearing.verification.terms import Policies, Terms
from tenants.kernel.money import Money

_OPENED: Final = UUID("c65a2d07-7c2f-4b2c-8f6e-2b0a4c1d9e33")
"""The name space of a batch's matching in the audit chain."""
_ROWS: Final = """
select b.tenant, b.id as of_batch, b.batch_no, b.instructed_at, c.id as of_claim, c.claim_no as number,
       c.scheme as of_scheme, c.quota_year as of_year, c.policy_version, c.enterprise_uscc as of_uscc,
       c.enterprise_name as of_name, c.award_fen as of_award_fen, c.matching_fen,
       a.result::json -> 'matching' ->> 'linked_region' as of_region, m.claim_id, m.claim_no, m.scheme, m.quota_year,
       m.linked_region, m.linked_tenant, m.enterprise_uscc, m.enterprise_name, m.award_fen, m.amount_fen, m.batch_id,
       m.paid_on, m.due_on, m.cite, m.opened_at
  from batch b
  join batch_item i on i.tenant = b.tenant and i.batch_id = b.id and i.removed_at is null
  join claim c on c.tenant = i.tenant and c.id = i.claim_id and c.matching_fen > 0
  join lateral (select result from assessment a where a.tenant = c.tenant and a.claim_id = c.id
                 order by a.seq desc limit 1) a on true
  left join matching_obligation m on m.tenant = c.tenant and m.claim_id = c.id
 where b.instructed_at is not null order by b.tenant, b.id, c.id
"""
_STRAY: Final = """
select m.tenant, m.claim_id, m.batch_id from matching_obligation m
 where not exists (select 1 from batch b join batch_item i on i.tenant = b.tenant and i.batch_id = b.id
                    where b.tenant = m.tenant and b.id = m.batch_id and i.claim_id = m.claim_id
                      and i.removed_at is null and b.instructed_at is not null)
"""
_TENANTS: Final = "select tenant, divisions from tenant order by tenant"


def matching_differences(snapshot: Snapshot, settings: Settings, policies: Policies) -> Iterator[Difference]:
    """Obligations that are missing, too many, or of another amount, day or region."""
    tenants = {row.tenant: row.divisions for row in snapshot.rows(_TENANTS)}
    sums: dict[tuple[str, UUID], dict[str, int]] = {}
    counts: dict[tuple[str, UUID], int] = {}
    for row in snapshot.stream(_ROWS):
        terms = policies.get((row.tenant, row.policy_version or ""))
        if terms is None or terms.matching_due_months is None:
            continue
        key = (row.tenant, row.of_batch)
        counts[key] = counts.get(key, 0) + 1
        regions = sums.setdefault(key, {})
        regions[row.of_region] = regions.get(row.of_region, 0) + row.matching_fen
        yield from _obligation(row, terms, tenants, settings.get((row.tenant, _subject(key))))
    for row in snapshot.rows(_STRAY):
        place = f"matching_obligation/{row.tenant}/{row.claim_id}"
        yield differs("matching.obligation", place, "a claim of an instructed batch", row.batch_id)
    for (tenant, batch_id), regions in sums.items():
        entries = settings.get((tenant, _subject((tenant, batch_id))), [])
        said = entries[-1].details if entries else {}
        wanted = {"count": counts[tenant, batch_id], "regions": {r: str(Money(fen)) for r, fen in regions.items()}}
        found = {"count": said.get("count"), "regions": said.get("regions")}
        if wanted != found:
            yield differs("matching.witness", f"matching_obligation/{tenant}/{batch_id}", wanted, found)


def _obligation(
    row: Row, terms: Terms, tenants: dict[str, list[str]], entries: list[Entry] | None
) -> Iterator[Difference]:
    place = f"matching_obligation/{row.tenant}/{row.of_claim}"
    if row.claim_id is None:
        yield differs("matching.obligation", place, "one row", None)
        return
    paid_on = row.instructed_at.astimezone(SHANGHAI).date()
    expected: dict[str, Any] = {
        "claim_no": row.number,
        "scheme": row.of_scheme,
        "quota_year": row.of_year,
        "linked_region": row.of_region,
        "linked_tenant": _tenant_of(row.of_region, row.tenant, tenants),
        "enterprise_uscc": row.of_uscc,
        "enterprise_name": row.of_name,
        "award_fen": row.of_award_fen,
        "amount_fen": row.matching_fen,
        "batch_id": row.of_batch,
        "paid_on": paid_on,
        "due_on": _later(paid_on, terms.matching_due_months or 0),
        "cite": terms.matching_due_cite,
    }
    yield from compared("matching.obligation", place, expected, row)
    if not any(entry.witnesses(row.opened_at) for entry in entries or ()):
        yield differs("matching.witness", f"{place}/opened_at", "the act that opened it", row.opened_at)


def _subject(key: tuple[str, UUID]) -> UUID:
    return uuid5(_OPENED, str(key[1]))


def _tenant_of(region: str, own: str, tenants: dict[str, list[str]]) -> str | None:
    """The tenant, other than the one that awards, that is the region."""
    stem = next((region.removesuffix(noughts) for noughts in ("0000", "00") if region.endswith(noughts)), region)
    return next((tenant for tenant, divisions in tenants.items() if tenant != own and stem in divisions), None)


def _later(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
