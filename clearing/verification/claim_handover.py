"""An approved claim's obligation and its place in a batch: who is paid, how much, out of which batch."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from clearing.verification.claim_content import Revision
from clearing.verification.claim_history import SUBMITTED, leaves_the_row
from clearing.verification.context import Context
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.dossiers import Dossier, place_of
from clearing.verification.entries import Entry
from clearing.verification.snapshot import Row
from tenants.kernel.canonical import canonical_bytes
from tenants.kernel.money import Money

CANCELLED: Final = "cancelled"
TAKES_OUT: Final = frozenset({"claim.objection", "claim.frozen", "claim.red_letter"})
"""Acts that take a claim out of its batch."""
_PAYEE: Final = b"payee-account\0"


def handover_differences(
    dossier: Dossier, claim: Row, revisions: Sequence[Revision], context: Context
) -> Iterator[Difference]:
    """What is wrong with the claim's obligation, items, objections and payment."""
    approvals = [entry for entry in dossier.entries if entry.to_state == "approved"]
    obligation = dossier.only("obligation")
    place = place_of("obligation", dossier.tenant, claim.claim_no)
    if (obligation is None) != (not approvals):
        yield differs("obligation.exists", place, bool(approvals), obligation is not None)
    if obligation is not None and approvals:
        yield from _obligation(place, obligation, dossier, claim, approvals[-1])
        revision = _approved(dossier, revisions, approvals[-1])
        yield from _account(place, obligation, revision, context)
        if revision.submission is not None:
            said = {
                "provider_division": revision.submission["provider"].get("division"),
                "applied_at": datetime.fromisoformat(revision.submission["submitted_at"]),
            }
            yield from compared("obligation.row", place, said, obligation)
    yield from _items(dossier, claim, obligation, context)
    yield from _objections(dossier, claim, context)


def _approved(dossier: Dossier, revisions: Sequence[Revision], approval: Entry) -> Revision:
    """The revision that was approved: one that was made since is in no obligation yet."""
    submitted = sum(entry.action in SUBMITTED and entry.seq < approval.seq for entry in dossier.entries)
    return revisions[submitted - 1] if 0 < submitted <= len(revisions) else Revision()


def _obligation(place: str, row: Row, dossier: Dossier, claim: Row, approval: Entry) -> Iterator[Difference]:
    expected: dict[str, Any] = {
        "claim_no": claim.claim_no,
        "platform": claim.platform,
        "scheme": claim.scheme,
        "mode": claim.mode,
        "quota_year": claim.quota_year,
        "held_at": None,
        "enterprise_name": claim.enterprise_name,
        "provider_name": claim.provider_name,
        "provider_uscc": claim.provider_uscc,
        "payee_name": claim.enterprise_name if claim.mode == "common_use" else claim.provider_name,
        "amount_fen": dossier.awards[approval.seq],
    }
    expected |= dict.fromkeys(("kind", "funder", "origin_id", "due_on"), None)
    yield from compared("obligation.row", place, expected, row)
    if not approval.witnesses(row.approved_at):
        yield differs("obligation.witness", f"{place}/approved_at", approval.at, row.approved_at)
    later = (entry for entry in dossier.entries if entry.seq > approval.seq and not leaves_the_row(entry))
    taken_back = next(later, None)
    if claim.state == "approved":
        taken_back = None
    if (taken_back is None) != (row.released_at is None) or (taken_back and not taken_back.witnesses(row.released_at)):
        yield differs("obligation.witness", f"{place}/released_at", taken_back and taken_back.at, row.released_at)
    live = [item.batch_id for item in dossier["batch_item"] if item.removed_at is None]
    if [row.batch_id] != (live or [None]):
        yield differs("obligation.batch", f"{place}/batch_id", live or None, row.batch_id)


def _account(place: str, row: Row, revision: Revision, context: Context) -> Iterator[Difference]:
    if revision.submission is None:
        return
    payee = revision.submission["payee"]
    shown = {name: payee[name] for name in ("account_name", "bank_name", "cnaps")}
    yield from compared("obligation.account", place, shown, row)
    if context.secrets is None or revision.account_number is None:
        return
    opened = context.secrets.field_value(
        bytes(row.account_sealed), "obligation", "account_sealed", row.tenant, str(row.id)
    )
    if opened is None or opened.decode() != revision.account_number:
        yield differs(
            "obligation.account", f"{place}/account_sealed", "the claim's account number", "another, or unreadable"
        )
    digest = context.secrets.content_mac(_PAYEE + canonical_bytes({**shown, "account_number": revision.account_number}))
    if digest != bytes(row.payee_digest):
        yield differs("obligation.account", f"{place}/payee_digest", digest, row.payee_digest)


def _items(dossier: Dossier, claim: Row, obligation: Row | None, context: Context) -> Iterator[Difference]:
    awards = dossier.awards
    possible = set(awards.values())
    live = 0
    for item in dossier["batch_item"]:
        place = f"batch_item/{item.tenant}/{item.batch_id}/{item.line}"
        batch = context.batches.get((item.tenant, item.batch_id))
        if batch is None:
            yield differs("item.batch", place, "a batch", None)
            continue
        yield from compared(
            "item.batch", f"batch/{item.tenant}/{batch.batch_no}", {"scheme": claim.scheme, "mode": claim.mode}, batch
        )
        if (item.removed_at is None) != (item.removed_reason is None):
            yield differs("item.removed", f"{place}/removed_reason", item.removed_at, item.removed_reason)
        if item.removed_at is None:
            live += 1
            possible = set() if obligation is None else {obligation.amount_fen}
        elif item.removed_reason != CANCELLED:
            objections = [each for each in dossier.entries if each.action in TAKES_OUT]
            if not any(each.witnesses(item.removed_at) and each.reason == item.removed_reason for each in objections):
                found = (item.removed_at, item.removed_reason)
                yield differs("item.removed", f"{place}/removed_at", "an objection of the chain", found)
        elif batch.state != CANCELLED:
            yield differs("item.removed", f"{place}/removed_reason", CANCELLED, batch.state)
        if item.amount_fen not in possible:
            yield differs("item.amount", f"{place}/amount_fen", possible, Money(item.amount_fen))
    if live > 1:
        yield differs("item.once", place_of("batch_item", dossier.tenant, claim.claim_no), 1, live)


def _objections(dossier: Dossier, claim: Row, context: Context) -> Iterator[Difference]:
    place = place_of("objection", dossier.tenant, claim.claim_no)
    entries = [entry for entry in dossier.entries if entry.action == "claim.objection"]
    rows = dossier["objection"]
    if len(rows) != len(entries):
        yield differs("objection.count", place, len(entries), len(rows))
    for row, entry in zip(rows, entries, strict=False):
        here = f"{place}/{row.id}"
        batch = context.batches.get((row.tenant, row.batch_id))
        yield from compared("objection.witness", here, {"made_by": entry.actor, "reason": entry.reason}, row)
        if not entry.witnesses(row.made_at):
            yield differs("objection.witness", f"{here}/made_at", entry.at, row.made_at)
        if batch is None or batch.batch_no != entry.details.get("batch_no"):
            yield differs("objection.witness", f"{here}/batch_id", entry.details.get("batch_no"), row.batch_id)
        if row.contact_sealed is not None and context.secrets is not None:
            sealed = bytes(row.contact_sealed)
            if context.secrets.field_value(sealed, "objection", "contact_sealed", row.tenant, str(row.id)) is None:
                yield differs("objection.contact", f"{here}/contact_sealed", "a contact that opens", "unreadable")
