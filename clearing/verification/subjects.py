"""One pass over everything that belongs to one subject at a time: claims, reservations, support records, batches."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Final

from clearing.verification.bank_statements import statement_differences
from clearing.verification.batches import BatchCheck
from clearing.verification.cases import case_differences
from clearing.verification.chain import KEPT
from clearing.verification.claim_award import Award
from clearing.verification.claim_content import Content
from clearing.verification.claim_decisions import hold_differences, review_differences, stage_differences
from clearing.verification.claim_handover import handover_differences
from clearing.verification.claim_history import SUBMITTED, history_differences
from clearing.verification.claim_keys import key_differences
from clearing.verification.claim_money import money_differences
from clearing.verification.clawbacks import clawback_differences
from clearing.verification.context import Context
from clearing.verification.derived import derived_differences
from clearing.verification.difference import Difference, differs, guarded
from clearing.verification.dossiers import Dossier, dossiers, place_of
from clearing.verification.entries import SHANGHAI, Entry
from clearing.verification.months import closed_differences
from clearing.verification.notices import claim_notices, notice_differences
from clearing.verification.probes import probe_differences
from clearing.verification.receipts import issued_differences
from clearing.verification.reissues import correction_differences, reissue_differences
from clearing.verification.reservations import reservation_differences, support_differences
from clearing.verification.sendings import sending_differences
from clearing.verification.settlements import stated_differences
from clearing.verification.signed_requests import SIGNED
from clearing.verification.similar_pairs import is_sweep, pair_differences
from clearing.verification.snapshot import Row, Snapshot
from clearing.verification.standings import admission_differences, qualification_differences
from clearing.verification.support_chunks import CHUNK
from clearing.verification.suspense import resolution_differences

Check = Callable[[Dossier, Row, Context], Iterator[Difference]]

_SUBJECTS: Final = {
    "claim.": "claim",
    "item.": "obligation",
    "hold.": "claim",
    "batch.": "batch",
    "reservation.": "reservation",
    "support_record.": "support_record",
    "case.": "duplicate_case",
    "bank.": "bank_submission",
    "statement.": "bank_statement",
    "correction.": "account_correction",
    "reissue.": "reissue",
    "receipt.": "receipt",
    "settlement.": "batch_settlement",
    "suspense.": "suspense_resolution",
    "month.": "month_close",
    "clawback.": "clawback",
    "qualification.": "qualification",
    "admission.": "admission",
}
"""Which table's row an act is about."""
_BY_TABLE: Final[Mapping[str, tuple[str, Check]]] = {
    "bank_submission": ("sent files", sending_differences),
    "bank_statement": ("bank statements", statement_differences),
    "account_correction": ("corrected accounts", correction_differences),
    "reissue": ("payments issued again", reissue_differences),
    "suspense_resolution": ("explanations of suspense", resolution_differences),
    "month_close": ("months", closed_differences),
    "receipt": ("receipts", issued_differences),
    "clawback": ("clawbacks", clawback_differences),
    "qualification": ("qualifications", qualification_differences),
    "admission": ("admissions", admission_differences),
}
"""Subjects of one row: the table of each, its name in the tally, and its check."""
_NUMBERS: Final = ("claim_no", "reservation_no", "batch_no")


def subject_differences(snapshot: Snapshot, context: Context) -> Iterator[Difference]:
    """What is wrong with any subject, and rows that belong to none."""
    batches = BatchCheck(snapshot, context)
    for dossier in dossiers(snapshot):
        claim, reservation = dossier.only("claim"), dossier.only("reservation")
        support = dossier.only("support_record")
        if claim is not None:
            snapshot.tally["claims"] += 1
            place = place_of("claim", claim.tenant, claim.claim_no)
            yield from guarded(place, _claim(dossier, claim, context))
        elif reservation is not None:
            snapshot.tally["reservations"] += 1
            place = place_of("reservation", reservation.tenant, reservation.reservation_no)
            yield from guarded(place, reservation_differences(dossier, reservation, context))
        elif support is not None:
            snapshot.tally["support records"] += 1
            place = place_of("support_record", support.tenant, support.id)
            yield from guarded(place, support_differences(dossier, support, context))
        elif dossier["duplicate_case"]:
            case = dossier["duplicate_case"][0]
            snapshot.tally["sides of cases"] += 1
            yield from guarded(f"duplicate_case/{dossier.tenant}/{case.id}", case_differences(dossier, case))
        elif (table := next((name for name in _BY_TABLE if dossier[name]), None)) is not None:
            name, check = _BY_TABLE[table]
            snapshot.tally[name] += 1
            place = place_of(table, dossier.tenant, dossier.subject_id)
            yield from guarded(place, check(dossier, dossier[table][0], context))
        elif dossier["batch"]:
            snapshot.tally["batches"] += 1
            place = place_of("batch", dossier.tenant, dossier.subject_id)
            yield from guarded(place, batches.differences(dossier))
            yield from guarded(place, stated_differences(dossier))
        elif dossier["obligation"]:
            snapshot.tally["obligations without a claim"] += 1
            for obligation in dossier["obligation"]:
                place = place_of("obligation", dossier.tenant, dossier.subject_id)
                yield from guarded(place, derived_differences(dossier, obligation, context))
        else:
            yield from _stray(dossier)


def _claim(dossier: Dossier, claim: Row, context: Context) -> Iterator[Difference]:
    content, award = Content(), Award()
    yield from history_differences(dossier, claim)
    if not dossier.entries:
        return
    yield from content.differences(dossier, claim, context)
    yield from award.differences(dossier, claim, content.revisions, context)
    yield from review_differences(dossier, claim, context)
    yield from stage_differences(dossier, claim, context)
    yield from hold_differences(dossier, claim)
    yield from pair_differences(dossier, claim)
    yield from money_differences(dossier, claim, award.result, context)
    yield from key_differences(dossier, claim, content.last, context)
    yield from probe_differences(dossier, _submissions(dossier, claim, content))
    yield from handover_differences(dossier, claim, content.revisions, context)
    yield from notice_differences(dossier, claim_notices(dossier, claim))


def _submissions(dossier: Dossier, claim: Row, content: Content) -> list[tuple[Entry, str, str, str]]:
    """Each submission's entry, platform, month and client."""
    entries = [entry for entry in dossier.entries if entry.action in SUBMITTED]
    months = [
        ""
        if revision.submission is None
        else f"{datetime.fromisoformat(revision.submission['submitted_at']).astimezone(SHANGHAI):%Y-%m}"
        for revision in content.revisions
    ]
    clients = [row.client_id for row in dossier["claim_revision"]]
    return [
        (entry, claim.platform, month, client) for entry, month, client in zip(entries, months, clients, strict=False)
    ]


def _stray(dossier: Dossier) -> Iterator[Difference]:
    """Settings have entries and nothing else; budgets and cycles have transfers too, which are checked with them."""
    if is_sweep(dossier):
        return
    for table, rows in dossier.rows.items():
        if table == "ledger_transfer" and all(_is_settings(row) for row in rows):
            continue
        for row in rows:
            name = getattr(row, "id", None) or getattr(row, "revision", None) or getattr(row, "seq", None) or ""
            yield differs("stray.row", f"{table}/{dossier.tenant}/{dossier.subject_id}/{name}", "a subject", table)
    others = (*KEPT, SIGNED, CHUNK)  # which are checked by themselves
    entry = next((each for each in dossier.entries if not each.action.startswith(others)), None)
    if entry is not None:
        table = next((name for word, name in _SUBJECTS.items() if entry.action.startswith(word)), "audit_entry")
        name = next((entry.details[number] for number in _NUMBERS if number in entry.details), dossier.subject_id)
        yield differs("stray.entry", f"{table}/{dossier.tenant}/{name}", f"one row: {entry.action}", None)


_SETTINGS_ACCOUNTS: Final = (
    "netted/", "settled/", "matching-paid/", "matching-waiting/", "matching-payable/", "matching-recoverable/",
)  # fmt: skip


def _is_settings(transfer: Row) -> bool:
    sides = {transfer.debit, transfer.credit}
    return "treasury" in sides or any(side.startswith(_SETTINGS_ACCOUNTS) for side in sides)
