"""What came back and is issued again: accounts corrected by two people, cooled off, each taken up once."""

from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

from clearing.verification.claim_content import mask
from clearing.verification.claim_money import (
    Flow,
    in_transit,
    place_of_transfer,
    shown_flows,
    standing_flows,
    witnessed,
)
from clearing.verification.context import Context
from clearing.verification.derived import UPHELD
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.dossiers import Dossier
from clearing.verification.entries import Entry
from clearing.verification.held_items import held_differences, taken_out, upheld_at
from clearing.verification.notices import notice_differences
from clearing.verification.snapshot import Row, Snapshot
from tenants.kernel.canonical import canonical_bytes

_PAYEE: Final = b"payee-account\0"
_OUTCOMES: Final = {"correction.approved": "approve", "correction.refused": "refuse"}

_LINKED: Final = """
select r.tenant, r.obligation_id, c.account_sealed, c.id as correction_id,
       (o.claim_no, o.platform, o.scheme, o.mode, o.quota_year, o.enterprise_name, o.provider_name, o.provider_uscc,
        o.payee_name, o.amount_fen)::text as again,
       (f.claim_no, f.platform, f.scheme, f.mode, f.quota_year, f.enterprise_name, f.provider_name, f.provider_uscc,
        f.payee_name, f.amount_fen)::text as first,
       (o.account_name, o.payee_digest, o.bank_name, o.cnaps, o.approved_at)::text as paid_to,
       (c.account_name, c.payee_digest, c.bank_name, c.cnaps, r.made_at)::text as corrected,
       coalesce(c.obligation_id = r.of_obligation and d.outcome = 'approve'
                and d.cooling_through_on = r.cooling_through_on
                and (r.made_at at time zone 'Asia/Shanghai')::date > d.cooling_through_on, false) as cooled_off,
       exists (select 1 from instruction_claim i join instruction_outcome x on x.tenant = i.tenant
                and x.instruction_id = i.instruction_id and x.outcome in ('returned', 'rejected')
                where i.tenant = r.tenant and i.claim_id = r.of_obligation and x.at <= r.made_at) as came_back,
       count(*) filter (where e.obligation_id is null) over (partition by r.tenant, r.of_obligation) as times,
       max(r.attempt) over (partition by r.tenant, r.of_obligation) as last_attempt,
       row_number() over (partition by r.tenant, r.of_obligation order by r.made_at, r.attempt) as number, r.attempt,
       e.obligation_id is not null as undone
  from reissue r
  left join reissue_undone e on e.tenant = r.tenant and e.obligation_id = r.obligation_id
  left join obligation o on o.tenant = r.tenant and o.id = r.obligation_id
  left join obligation f on f.tenant = r.tenant and f.id = r.of_obligation
  left join account_correction c on c.tenant = r.tenant and c.id = r.correction_id
  left join account_correction_decision d on d.tenant = r.tenant and d.correction_id = r.correction_id
"""
_LOST: Final = """
select e.tenant, e.subject_id from audit_entry e
 where e.action = 'reissue.made'
   and not exists (select 1 from reissue r where r.tenant = e.tenant and r.obligation_id = e.subject_id)
"""
_CORRECTED: Final = """
select c.tenant, c.id from account_correction c
  left join instruction_claim i on i.tenant = c.tenant and i.claim_id = c.obligation_id
  left join instruction_outcome x
    on x.tenant = c.tenant and x.instruction_id = c.instruction_id and x.outcome = c.came_back
 where i.instruction_id is distinct from c.instruction_id or x.at is null or x.at > c.proposed_at
"""


def link_differences(snapshot: Snapshot) -> Iterator[Difference]:
    """Obligations issued again that are not those that came back, or not paid to the corrected account (I9)."""
    for row in snapshot.stream(_LINKED):
        place = f"obligation/{row.tenant}/{row.obligation_id}"
        if row.again != row.first:
            yield differs("reissue.row", place, row.first, row.again)
        if row.paid_to != row.corrected:
            yield differs("reissue.row", place, row.corrected, row.paid_to)
        standing = row.times == 1 or (row.times == 0 and row.undone)
        last = row.undone or row.attempt == row.last_attempt
        if not (row.cooled_off and row.came_back and standing and last and row.attempt == row.number):
            found = (row.cooled_off, row.came_back, row.times, row.attempt)
            wanted = (True, True, 1, row.number)
            yield differs("reissue.once", f"reissue/{row.tenant}/{row.obligation_id}", wanted, found)
    for row in snapshot.stream(_LOST):
        yield differs("reissue.unwitnessed", f"reissue/{row.tenant}/{row.subject_id}", "one row", None)
    for row in snapshot.stream(_CORRECTED):
        yield differs("correction.cause", f"account_correction/{row.tenant}/{row.id}", "what came back", None)


def correction_differences(dossier: Dossier, row: Row, context: Context) -> Iterator[Difference]:
    """What is wrong with a corrected account and its decision, by the chain's word."""
    place = f"account_correction/{row.tenant}/{row.id}"
    if not dossier.entries or dossier.entries[0].action != "correction.proposed":
        yield differs("correction.unwitnessed", place, "entries of the audit chain", None)
        return
    proposed, *decided = dossier.entries
    said = proposed.details
    expected: dict[str, Any] = {
        "obligation_id": _uuid(said.get("obligation")),
        "instruction_id": _uuid(said.get("instruction")),
        "came_back": said.get("came_back"),
        "account_name": said.get("account_name"),
        "account_tail": said.get("account_number"),
        "bank_name": said.get("bank_name"),
        "cnaps": said.get("cnaps"),
        "reason": proposed.reason,
        "proposed_by": proposed.actor,
    }
    yield from compared("correction.witness", place, expected, row)
    if not proposed.witnesses(row.proposed_at):
        yield differs("correction.witness", f"{place}/proposed_at", proposed.at, row.proposed_at)
    yield from _sealed(place, row, context)
    yield from _decision(dossier, row, decided)
    yield from notice_differences(dossier, [])


def _sealed(place: str, row: Row, context: Context) -> Iterator[Difference]:
    if context.secrets is None:
        return
    opened = context.secrets.field_value(
        bytes(row.account_sealed), "account_correction", "account_sealed", row.tenant, str(row.id)
    )
    if opened is None or mask(opened.decode()) != row.account_tail:
        yield differs("correction.sealed", f"{place}/account_sealed", row.account_tail, "another, or unreadable")
        return
    payee = {
        "account_name": row.account_name, "account_number": opened.decode(), "bank_name": row.bank_name,
        "cnaps": row.cnaps,
    }  # fmt: skip
    digest = context.secrets.content_mac(_PAYEE + canonical_bytes(payee))
    if digest != bytes(row.payee_digest):
        yield differs("correction.sealed", f"{place}/payee_digest", digest, row.payee_digest)


def _decision(dossier: Dossier, row: Row, decided: list[Entry]) -> Iterator[Difference]:
    place = f"account_correction_decision/{row.tenant}/{row.id}"
    rows = dossier["account_correction_decision"]
    if len(rows) != len(decided) or len(decided) > 1:
        yield differs("correction.decision", place, [each.action for each in decided], len(rows))
    for found, entry in zip(rows, decided, strict=False):
        through_on = found.cooling_through_on
        expected = {
            "proposed_by": row.proposed_by,
            "outcome": _OUTCOMES.get(entry.action),
            "reason": entry.reason,
            "decided_by": entry.actor,
        }
        yield from compared("correction.decision", place, expected, found)
        if (None if through_on is None else through_on.isoformat()) != entry.details.get("cooling_through"):
            wanted = entry.details.get("cooling_through")
            yield differs("correction.decision", f"{place}/cooling_through_on", wanted, through_on)
        if not entry.witnesses(found.decided_at):
            yield differs("correction.decision", f"{place}/decided_at", entry.at, found.decided_at)
        if found.decided_by == row.proposed_by:
            yield differs("correction.four_eyes", f"{place}/decided_by", "another person", found.decided_by)


def reissue_differences(dossier: Dossier, row: Row, context: Context) -> Iterator[Difference]:
    """What is wrong with one obligation that is issued again: its row, its place in a batch, and its money."""
    place = f"reissue/{row.tenant}/{row.obligation_id}"
    if [entry.action for entry in dossier.entries if not entry.action.startswith("item.")] != ["reissue.made"]:
        yield differs("reissue.unwitnessed", place, "one entry of the audit chain", len(dossier.entries))
        return
    entry = dossier.entries[0]
    expected = {
        "of_obligation": _uuid(entry.details.get("of")),
        "correction_id": _uuid(entry.details.get("correction")),
        "made_by": entry.actor,
    }
    yield from compared("reissue.witness", place, expected, row)
    if not entry.witnesses(row.made_at):
        yield differs("reissue.witness", f"{place}/made_at", entry.at, row.made_at)
    yield from notice_differences(dossier, [])
    obligation = dossier.only("obligation")
    if obligation is None:
        yield differs("reissue.row", f"obligation/{row.tenant}/{row.obligation_id}", "one row", None)
        return
    yield from _items(dossier, obligation, context)
    yield from held_differences(dossier, obligation, context)
    if obligation.kind != entry.details.get("kind"):
        where = f"obligation/{row.tenant}/{row.obligation_id}/kind"
        yield differs("reissue.row", where, entry.details.get("kind"), obligation.kind)
    yield from _account(dossier, row, obligation, context)
    yield from _money(dossier, row, obligation, context)


def _items(dossier: Dossier, obligation: Row, context: Context) -> Iterator[Difference]:
    live = [item.batch_id for item in dossier["batch_item"] if item.removed_at is None]
    upheld = upheld_at(dossier)
    if [obligation.batch_id] != (live or [None]) or obligation.released_at != (upheld and upheld.decided_at):
        place = f"obligation/{obligation.tenant}/{obligation.id}/batch_id"
        yield differs("obligation.batch", place, live or None, obligation.batch_id)
    for item in dossier["batch_item"]:
        place = f"batch_item/{item.tenant}/{item.batch_id}/{item.line}"
        batch = context.batches.get((item.tenant, item.batch_id))
        kind = obligation.kind or obligation.mode
        if batch is None or (batch.scheme, batch.mode, batch.kind) != (obligation.scheme, obligation.mode, kind):
            found = None if batch is None else (batch.scheme, batch.mode, batch.kind)
            yield differs("item.batch", place, (obligation.scheme, obligation.mode, kind), found)
        if item.amount_fen != obligation.amount_fen:
            yield differs("item.amount", f"{place}/amount_fen", obligation.amount_fen, item.amount_fen)
        if (item.removed_at is None) != (item.removed_reason is None):
            yield differs("item.removed", f"{place}/removed_reason", item.removed_at, item.removed_reason)
        gone = item.removed_at is not None and (batch is None or batch.state != "cancelled")
        if gone and not taken_out(dossier, item):
            yield differs("item.removed", f"{place}/removed_at", "an objection of the chain", item.removed_at)


def _account(dossier: Dossier, row: Row, obligation: Row, context: Context) -> Iterator[Difference]:
    if context.secrets is None:
        return
    opened = context.secrets.field_value(
        bytes(obligation.account_sealed), "obligation", "account_sealed", row.tenant, str(obligation.id)
    )
    payee = {
        "account_name": obligation.account_name, "bank_name": obligation.bank_name, "cnaps": obligation.cnaps,
        "account_number": "" if opened is None else opened.decode(),
    }  # fmt: skip
    if opened is None or context.secrets.content_mac(_PAYEE + canonical_bytes(payee)) != bytes(obligation.payee_digest):
        place = f"obligation/{dossier.tenant}/{obligation.id}/account_sealed"
        yield differs("obligation.account", place, "the corrected account number", "another, or unreadable")


def _money(dossier: Dossier, row: Row, obligation: Row, context: Context) -> Iterator[Difference]:
    year = f"{obligation.scheme}/{obligation.quota_year}"
    again = (f"returned/{year}", f"obligations/{year}", obligation.amount_fen)
    ended = upheld_at(dossier)
    owed = sorted([again, *in_transit(dossier, obligation, context)])
    if ended is not None:
        owed = _given_up(dossier, year, obligation)
    standing = standing_flows(dossier)
    if standing != owed:
        place = f"ledger_transfer/{dossier.tenant}/{obligation.claim_no}"
        yield differs("claim.owed", place, shown_flows(owed), shown_flows(standing))
    for transfer in dossier["ledger_transfer"]:
        if ended is not None and transfer.at == ended.decided_at and transfer.reason == UPHELD:
            continue
        if transfer.debit.startswith("returned/"):
            if (transfer.at, transfer.reason, transfer.reverses) != (row.made_at, "reissue", None):
                found = (transfer.at, transfer.reason)
                yield differs("transfer.witness", place_of_transfer(transfer), "its re-issue", found)
        else:
            yield from witnessed(dossier, transfer, context)


def _given_up(dossier: Dossier, year: str, obligation: Row) -> list[Flow]:
    """Of one whose objection was right: nothing where it is back, else what went to the budget and the quota."""
    upheld = upheld_at(dossier)
    if not any(
        each.outcome == "withdrawn"
        for each in dossier["objection_upholding"]
        if upheld and each.id == upheld.upholding_id
    ):
        return []
    quota = [
        (each.debit, each.credit, obligation.amount_fen)
        for each in dossier["ledger_transfer"]
        if each.debit.startswith("quota-used/") and each.credit.startswith("quota/")
    ]  # whose quota it is, and that it is given back for a claim only, the sums of the quotas show
    return sorted([(f"returned/{year}", f"budget/{year}", obligation.amount_fen), *quota[:1]])


def _uuid(text: object) -> UUID | None:
    try:
        return UUID(str(text))
    except ValueError:
        return None
