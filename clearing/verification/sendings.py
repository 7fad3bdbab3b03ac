"""Payment files sent to banks: each once, as the chain tells, and never again before the bank said it has nothing."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, Final
from uuid import UUID

from clearing.verification.context import Context
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.dossiers import Dossier
from clearing.verification.entries import Entry
from clearing.verification.notices import notice_differences
from clearing.verification.references import message_of
from clearing.verification.snapshot import Row, Snapshot

PAYMENT_FILE: Final = "pain.001.xml"
ORDER_FILE: Final = "order.pain.001.xml"
_KINDS: Final = {"bank.submitted": "submit", "bank.inquired": "inquiry"}
_AFTER: Final = {"accepted": "accepted", "rejected": "rejected", "delivered": "sent"}
_FINAL: Final = frozenset(_AFTER)

_FILES: Final = """
select s.tenant, s.id, s.message_id, s.file_sha256, b.batch_no, b.instructed_at, s.ordered_at, f.sha256
  from bank_submission s left join batch b on b.tenant = s.tenant and b.id = s.batch_id
  left join batch_file f on f.tenant = s.tenant and f.batch_id = s.batch_id and f.name = 'pain.001.xml'
 where s.order_id is null and ((s.message_id, s.file_sha256) is distinct from (b.batch_no, f.sha256)
    or b.instructed_at is null or b.instructed_at > s.ordered_at)
"""
_ORDER_FILES: Final = """
select s.tenant, s.id, s.order_id, s.batch_id, s.message_id, s.file_sha256, s.ordered_at, o.created_at, f.sha256
  from bank_submission s left join clearing_order o on o.tenant = s.tenant and o.id = s.order_id
  left join clearing_order_file f on f.tenant = s.tenant and f.order_id = s.order_id
 where s.order_id is not null
"""
_TWICE: Final = """
select tenant, coalesce(batch_id, order_id) as of, count(*) as times from bank_submission
 group by 1, 2 having count(*) > 1
"""


def sent_file_differences(snapshot: Snapshot) -> Iterator[Difference]:
    """Submissions of another file than the batch's, or of a batch that was not instructed, or a second one."""
    for row in snapshot.stream(_FILES):
        found = (row.message_id, row.file_sha256)
        yield differs("sending.file", f"bank_submission/{row.tenant}/{row.id}", (row.batch_no, row.sha256), found)
    for row in snapshot.stream(_ORDER_FILES):
        wanted = (None, message_of(row.order_id), row.sha256, True)
        sent = (row.batch_id, row.message_id, row.file_sha256, row.created_at and row.created_at <= row.ordered_at)
        if sent != wanted:
            yield differs("sending.file", f"bank_submission/{row.tenant}/{row.id}", wanted, sent)
        if row.sha256 is None:
            yield differs("order.file", f"clearing_order_file/{row.tenant}/{row.order_id}", row.file_sha256, None)
    for row in snapshot.stream(_TWICE):
        yield differs("sending.once", f"bank_submission/{row.tenant}/{row.of}", 1, row.times)


def sending_differences(dossier: Dossier, row: Row, context: Context) -> Iterator[Difference]:
    """What is wrong with one submission, its calls and their answers."""
    place = f"bank_submission/{row.tenant}/{row.id}"
    entries = dossier.entries
    if not entries or entries[0].action != "bank.ordered":
        yield differs("sending.unwitnessed", place, "entries of the audit chain", None)
        return
    ordered = entries[0]
    expected = {
        "message_id": ordered.details.get("batch_no"),
        "method": ordered.details.get("method"),
        "file_name": PAYMENT_FILE if row.order_id is None else ORDER_FILE,
        "order_id": _uuid(ordered.details["order"]) if "order" in ordered.details else None,
        "file_sha256": ordered.details.get("file_sha256"),
        "ordered_by": ordered.actor,
    }
    yield from compared("sending.witness", place, expected, row)
    if not ordered.witnesses(row.ordered_at):
        yield differs("sending.witness", f"{place}/ordered_at", ordered.at, row.ordered_at)
    batch = context.batches.get((row.tenant, row.batch_id))
    if row.order_id is None and (batch is None or batch.batch_no != row.message_id):
        yield differs("sending.witness", f"{place}/batch_id", row.message_id, batch and batch.batch_no)
    yield from _steps(place, entries)
    yield from _calls(dossier)
    yield from _answers(dossier)
    yield from notice_differences(dossier, [("bank.send", None, "{}", ordered)])


def _steps(place: str, entries: list[Entry]) -> Iterator[Difference]:
    for before, after in pairwise(entries):
        if after.from_state != before.to_state:
            yield differs("sending.step", f"{place}/entry/{after.seq}", before.to_state, after.from_state)
    for entry in entries:
        if entry.to_state != _state_after(entry):
            yield differs("sending.step", f"{place}/entry/{entry.seq}", _state_after(entry), entry.to_state)


def _state_after(entry: Entry) -> str | None:
    match entry.action:
        case "bank.ordered":
            return "prepared"
        case "bank.submitted":
            return "sent"
        case "bank.inquired":
            return entry.from_state
        case "bank.answered":
            return _AFTER.get(str(entry.details.get("outcome")), "unknown")
        case _:
            return None


def _calls(dossier: Dossier) -> Iterator[Difference]:
    """Each call is one of the chain, in its order, and is no second submission unless the bank had nothing."""
    said = [entry for entry in dossier.entries if entry.action in _KINDS]
    rows = dossier["bank_call"]
    answers = {answer.call_id: answer for answer in dossier["bank_answer"]}
    if len(said) != len(rows):
        yield differs("sending.call", f"bank_call/{dossier.tenant}/{dossier.subject_id}", len(said), len(rows))
    previous: UUID | None = None
    for number, (row, entry) in enumerate(zip(rows, said, strict=False), start=1):
        place = f"bank_call/{row.tenant}/{row.id}"
        absent = previous is not None and answers.get(previous) is not None and answers[previous].outcome == "absent"
        expected: Mapping[str, Any] = {
            "id": _uuid(entry.details.get("call")),
            "seq": number,
            "kind": _KINDS[entry.action],
            "cleared_by": previous if absent else None,
        }
        yield from compared("sending.call", place, expected, row)
        if (row.kind == "submit") != (number == 1 or absent):
            yield differs("sending.once", f"{place}/kind", "an inquiry first", row.kind)
        if not entry.witnesses(row.made_at):
            yield differs("sending.call", f"{place}/made_at", entry.at, row.made_at)
        previous = row.id


def _answers(dossier: Dossier) -> Iterator[Difference]:
    said = {_uuid(each.details.get("call")): each for each in dossier.entries if each.action == "bank.answered"}
    rows = {row.call_id: row for row in dossier["bank_answer"]}
    kinds = {row.id: row.kind for row in dossier["bank_call"]}
    for call_id in said.keys() - rows.keys():
        yield differs("sending.answer", f"bank_answer/{dossier.tenant}/{call_id}", "one row", None)
    for call_id, row in rows.items():
        place = f"bank_answer/{row.tenant}/{row.call_id}"
        entry = said.get(call_id)
        if entry is None:
            yield differs("sending.answer", f"{place}/call_id", "a call of the chain", call_id)
            continue
        expected = {
            "kind": kinds.get(call_id),
            "outcome": entry.details.get("outcome"),
            "detail": entry.details.get("detail"),
        }
        yield from compared("sending.answer", place, expected, row)
        if not entry.witnesses(row.answered_at):
            yield differs("sending.answer", f"{place}/answered_at", entry.at, row.answered_at)
    final = [row.call_id for row in rows.values() if row.outcome in _FINAL]
    calls = dossier["bank_call"]
    if final and (len(final) > 1 or not calls or calls[-1].id != final[0]):
        yield differs("sending.step", f"bank_answer/{dossier.tenant}/{final[-1]}", "the last answer", final)


def _uuid(text: object) -> UUID | None:
    try:
        return UUID(str(text))
    except ValueError:
        return None
