"""Matching that is due: exactly what the ledger posted for the claims of every instructed batch, in both books."""

from calendar import monthrange
from collections.abc import Iterator
from datetime import date
from typing import Final
from uuid import NAMESPACE_OID, UUID, uuid5

from clearing.verification.amounts import fen_of
from clearing.verification.context import Context
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.entries import SHANGHAI, Entry
from clearing.verification.matching_back import back_differences, changes_of, ended_by, replaced
from clearing.verification.matching_recoveries import recovery_differences
from clearing.verification.snapshot import Row, Snapshot
from clearing.verification.terms import in_force
from clearing.verification.unsealing import OpenedSecrets
from tenants.kernel.canonical import plain
from tenants.kernel.money import Money

_COPIED: Final = (
    "claim_no", "platform", "scheme", "mode", "quota_year", "enterprise_name", "provider_name", "provider_uscc",
    "payee_name", "account_name", "payee_digest", "bank_name", "cnaps", "provider_division",
)  # fmt: skip

_DUE: Final = f"""
select coalesce(d.tenant, w.tenant) as tenant, coalesce(d.claim_id, w.claim_id) as claim_id,
       (w.batch_id, w.division, w.amount_fen, w.made_at) as expected,
       (d.batch_id, d.division, d.amount_fen, d.made_at) as found,
       d.due_on, d.linked, d.obligation_id, d.paid_on, d.paid_document, d.paid_by, d.paid_at, d.made_at, d.amount_fen,
       d.division, d.waiting_fen, d.freed_fen, d.recover_fen, d.changed_by, d.changed_at,
       o.id as o_id, o.scheme, o.quota_year, o.account_sealed as o_account_sealed,
       h.id as h_id, h.kind, h.funder, h.origin_id, h.due_on as h_due_on, h.approved_at, h.amount_fen as h_amount_fen,
       h.released_at as h_released_at, h.account_sealed as h_account_sealed,
       {", ".join(f"o.{name} as o_{name}, h.{name} as h_{name}" for name in _COPIED)}
  from matching_due d full join (
       select i.tenant, i.claim_id, i.batch_id, split_part(t.credit, '/', 4) as division, t.amount_fen,
              b.instructed_at as made_at
         from batch b join batch_item i on i.tenant = b.tenant and i.batch_id = b.id and i.removed_at is null
         join ledger_transfer t on t.tenant = i.tenant and t.subject_id = i.claim_id
              and t.kind in ('post', 'posted') and t.credit like 'matching-payable/%%' and t.reverses is null
              and not exists (select 1 from ledger_transfer r where r.tenant = t.tenant and r.reverses = t.id)
        where b.instructed_at is not null) w on w.tenant = d.tenant and w.claim_id = d.claim_id
  left join obligation o on o.tenant = d.tenant and o.id = d.claim_id
  left join obligation h on h.tenant = d.linked and h.id = d.obligation_id
 order by 1, 2
"""  # noqa: S608 - our own text
_HANDED: Final = f"""
select o.tenant, o.id, o.released_at, o.approved_at, o.amount_fen, o.due_on, o.funder, o.origin_id,
       o.account_sealed, f.account_sealed as f_account_sealed, d.made_at,
       ({", ".join(f"o.{name}" for name in _COPIED)})::text as said,
       ({", ".join(f"f.{name}" for name in _COPIED)})::text as wanted
  from obligation o left join obligation f on f.tenant = o.funder and f.id = o.origin_id
  left join matching_due d on d.tenant = o.funder and d.claim_id = o.origin_id
 where o.kind = 'matching'
   and not exists (select 1 from matching_due d where d.linked = o.tenant and d.obligation_id = o.id)
"""  # noqa: S608 - our own text
_PAID: Final = """
select t.tenant, t.id, t.subject_id, t.debit, t.credit, t.amount_fen, t.at, t.reason, t.kind from ledger_transfer t
 where t.credit like 'matching-paid/%%'
"""
_BACK: Final = """
select t.tenant, t.id, t.subject_id, t.debit, t.credit, t.amount_fen, t.at, t.reason, t.kind from ledger_transfer t
 where (t.debit like 'matching-payable/%%' and t.credit not like 'matching-paid/%%' and t.reverses is null)
    or t.debit like 'matching-waiting/%%' order by t.tenant, t.id
"""
_BATCH_OF: Final = """
select i.tenant, i.claim_id, b.batch_no, b.instructed_at from batch b
  join batch_item i on i.tenant = b.tenant and i.batch_id = b.id and i.removed_at is null
 where b.kind = 'matching' and b.instructed_at is not null
"""


def matching_differences(snapshot: Snapshot, context: Context) -> Iterator[Difference]:
    """What is wrong with any matching that is due or paid."""
    governed = [
        (division, row.tenant)
        for row in snapshot.rows("select tenant, divisions from tenant")
        for division in row.divisions
    ]
    transfers = {(row.tenant, row.subject_id): row for row in snapshot.rows(_PAID)}
    batches = {(row.tenant, row.claim_id): row for row in snapshot.rows(_BATCH_OF)}
    moved: dict[tuple[str, UUID], list[Row]] = {}
    for row in snapshot.rows(_BACK):
        moved.setdefault((row.tenant, row.subject_id), []).append(row)
    ended: dict[tuple[str, UUID], Entry] = {}
    opened: dict[str, Entry] = {}
    for row in snapshot.counted("matchings due", snapshot.stream(_DUE)):
        place = f"matching_due/{row.tenant}/{row.claim_id}"
        if row.expected != row.found:
            yield differs("matching.due", place, row.expected, row.found)
        if row.made_at is None or row.o_id is None:
            continue
        changes = changes_of(row, context)
        opened |= {each.details["instead"]: each for each in changes if each.details.get("instead")}
        ended |= {key: entry for key, entry in replaced(row, changes).items() if key[1] != row.obligation_id}
        yield from back_differences(place, row, changes, moved.pop(_subject(row), []), context)
        yield from _linked(place, row, governed, changes, context)
        yield from _handed(row, changes, context.secrets)
        yield from _paid(place, row, transfers.pop(_subject(row), None), batches, context)
    yield from recovery_differences(snapshot, context)
    for row in snapshot.rows(_HANDED):
        entry = ended.pop((row.tenant, row.id), None)
        if entry is None or row.released_at is None or not entry.witnesses(row.released_at):
            place = f"obligation/{row.tenant}/{row.id}"
            yield differs("matching.handed", place, "a matching of its funder", row.released_at)
        else:
            yield from _was_handed(row, entry, opened.get(str(row.id)), context.secrets)
    for tenant, obligation_id in ended:
        yield differs("matching.handed", f"obligation/{tenant}/{obligation_id}", "one row", None)
    for (tenant, _), rows in moved.items():
        yield differs("matching.back", f"ledger_transfer/{tenant}/{rows[0].id}", "a matching taken back", None)
    for (tenant, _), transfer in transfers.items():
        yield differs("matching.paid", f"ledger_transfer/{tenant}/{transfer.id}", "a matching that was paid", None)


def _subject(row: Row) -> tuple[str, UUID]:
    return row.tenant, uuid5(NAMESPACE_OID, f"matching/{row.tenant}/{row.claim_id}")


def _linked(
    place: str, row: Row, governed: list[tuple[str, str]], changes: list[Entry], context: Context
) -> Iterator[Difference]:
    holding = [each for each in governed if row.division.startswith(each[0]) and each[1] != row.tenant]
    linked = max(holding, key=lambda each: len(each[0]))[1] if holding and row.o_mode == "common_use" else None
    yield from compared("matching.due", place, {"linked": linked}, row)
    if (row.obligation_id is None) != (linked is None):
        yield differs("matching.due", f"{place}/obligation_id", linked, row.obligation_id)
    made_at = next((each.at for each in reversed(changes) if each.action == "matching.due_again"), row.made_at)
    made_on = made_at.astimezone(SHANGHAI).date()
    terms = in_force(context.policies, row.tenant, row.o_scheme, made_on, made_at)
    months = made_on.year * 12 + made_on.month - 1 + (3 if terms is None else terms.matching_months)
    last = monthrange(months // 12, months % 12 + 1)[1]
    due_on = date(months // 12, months % 12 + 1, min(made_on.day, last))
    if row.due_on != due_on:
        yield differs("matching.due", f"{place}/due_on", due_on, row.due_on)


def _handed(row: Row, changes: list[Entry], secrets: OpenedSecrets | None) -> Iterator[Difference]:
    """The linked tenant's obligation says what the province's says."""
    if row.obligation_id is None:
        return
    place = f"obligation/{row.linked}/{row.obligation_id}"
    if row.h_id is None:
        yield differs("matching.handed", f"matching_due/{row.tenant}/{row.claim_id}/obligation_id", place, None)
        yield differs("matching.handed", place, "one row", None)
        return
    pairs = {name: (getattr(row, f"o_{name}"), getattr(row, f"h_{name}")) for name in _COPIED}
    owed_fen = row.amount_fen - row.waiting_fen - row.freed_fen
    opened = next((each for each in changes if each.details.get("instead") == str(row.obligation_id)), None)
    ended = None if owed_fen else ended_by(changes)
    pairs |= {
        "kind": ("matching", row.kind), "funder": (row.tenant, row.funder), "origin_id": (row.claim_id, row.origin_id),
        "due_on": (row.due_on, row.h_due_on),
        "approved_at": (row.made_at if opened is None else opened.instant_of(row.approved_at), row.approved_at),
        "amount_fen": (owed_fen or row.h_amount_fen, row.h_amount_fen),
        "released_at": (ended and ended.instant_of(row.h_released_at), row.h_released_at),
    }  # fmt: skip
    for name, (wanted, found) in pairs.items():
        if wanted != found:
            yield differs("matching.handed", f"{place}/{name}", wanted, found)
    if secrets is not None:
        numbers = [
            secrets.field_value(bytes(sealed), "obligation", "account_sealed", tenant, str(subject))
            for sealed, tenant, subject in (
                (row.o_account_sealed, row.tenant, row.claim_id), (row.h_account_sealed, row.linked, row.obligation_id),
            )
        ]  # fmt: skip
        if numbers[0] is None or numbers[0] != numbers[1]:
            yield differs("matching.handed", f"{place}/account_sealed", "the province's account number", "another")


def _was_handed(row: Row, entry: Entry, opened: Entry | None, secrets: OpenedSecrets | None) -> Iterator[Difference]:
    """An obligation that ended said what the province's says, of what stood until then."""
    place = f"obligation/{row.tenant}/{row.id}"
    stood_fen = fen_of(entry.details["amount"]) + fen_of(entry.details["stands"])
    approved_at = row.made_at if opened is None else opened.instant_of(row.approved_at)
    wanted = (row.wanted, stood_fen, entry.details["due_on"], approved_at)
    found = (row.said, row.amount_fen, plain(row.due_on), row.approved_at)
    if wanted != found:
        yield differs("matching.handed", place, wanted, found)
    if secrets is not None:
        numbers = [
            secrets.field_value(bytes(sealed), "obligation", "account_sealed", tenant, str(subject))
            for sealed, tenant, subject in (
                (row.f_account_sealed or b"", row.funder, row.origin_id), (row.account_sealed, row.tenant, row.id),
            )
        ]  # fmt: skip
        if numbers[0] is None or numbers[0] != numbers[1]:
            yield differs("matching.handed", f"{place}/account_sealed", "the province's account number", "another")


def _paid(
    place: str, row: Row, transfer: Row | None, batches: dict[tuple[str, object], Row], context: Context
) -> Iterator[Difference]:
    """Paid by the linked tenant's batch, or as somebody recorded it; in the ledger for its amount."""
    entries = [e for e in context.settings.get(_subject(row), []) if e.action == "matching.paid"]
    if (row.paid_on is None) != (not entries) or len(entries) > 1:
        yield differs("matching.paid", f"{place}/paid_on", len(entries), row.paid_on)
        return
    batch = batches.get((row.linked, row.obligation_id))
    if batch is not None and row.paid_document != batch.batch_no:
        yield differs("matching.paid", f"{place}/paid_document", batch.batch_no, row.paid_document)
    if not entries:
        if transfer is not None or row.paid_at is not None or row.paid_by is not None or row.paid_document is not None:
            yield differs("matching.paid", place, "nothing paid", (row.paid_by, row.paid_at, row.paid_document))
        return
    said = entries[0]
    expected = {"paid_by": said.actor, "paid_document": said.details.get("document")}
    yield from compared("matching.paid", place, expected, row)
    if said.details.get("paid_on") != plain(row.paid_on) or not said.witnesses(row.paid_at):
        yield differs(
            "matching.paid", f"{place}/paid_at", (said.details.get("paid_on"), said.at), (row.paid_on, row.paid_at)
        )
    owed_fen = row.amount_fen - row.waiting_fen - row.freed_fen
    if said.details.get("amount") != str(Money(owed_fen)):
        yield differs("matching.paid", f"{place}/amount_fen", said.details.get("amount"), Money(owed_fen))
    year = f"{row.scheme}/{row.quota_year}/{row.division}"
    wanted = (
        f"matching-payable/{year}",
        f"matching-paid/{year}",
        owed_fen,
        row.paid_at,
        row.paid_document,
        "posted",
    )
    found = None if transfer is None else (
        transfer.debit, transfer.credit, transfer.amount_fen, transfer.at, transfer.reason, transfer.kind,
    )  # fmt: skip
    if wanted != found:
        yield differs("matching.paid", f"ledger_transfer/{row.tenant}/{transfer and transfer.id}", wanted, found)
