"""Taking a page in: its claims, its dead letters, its cursor and their audit entry in one transaction, or nothing.

However often a page comes (its answer was lost, another scheduler was quicker, this process was killed) it has its
effect once: the cursor that it was asked with has to be the latest, and a record that is here already is known.
"""

import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from clearing.api.reservations import RACED as RESERVATION_RACED
from clearing.api.reservations import own_platform
from clearing.api.reservations import taken_id as taken_request
from clearing.api.support_records import checked
from clearing.api.taking import desk_of, other_tenants_id
from clearing.claims.case import Outcome
from clearing.claims.intake import RACED as CLAIM_RACED
from clearing.claims.intake import submit
from clearing.claims.reservations import reserve
from clearing.claims.support import RACED as SUPPORT_RACED
from clearing.claims.support import Registered, register_support, taken_id
from clearing.claims.vault import Vault
from connectors.connector import Read as Record
from connectors.pages import Page, PageError
from connectors.record import CLAIMS, RESERVATIONS, read_record
from connectors.submission import ReservationRequest, Submission, SupportRecord
from tenants.kernel.canonical import Json, sha256
from tenants.kernel.change import Change, change_writes
from tenants.kernel.database import Work, broken_constraint
from tenants.kernel.errors import Invalid, Problem
from tenants.kernel.ids import new_id
from tenants.kernel.sealing import Place
from tenants.kernel.statements import Write, write_all
from tenants.principal import Principal

RACED: Final = CLAIM_RACED | RESERVATION_RACED | SUPPORT_RACED
STORED: Final = 201
_PASSING: Final = 429
"""A refusal with this status, or of the 500s, is not the record's: the same page is asked for again later."""
_ACTOR: Final = "service"


@dataclass(frozen=True, slots=True)
class Reserved:
    """A request for quota that is stored: now (201) or before (200)."""

    status: int
    reservation_id: UUID


Answer = Outcome | Registered | Reserved | Problem
Read = Record | Problem


@dataclass(frozen=True, slots=True)
class Counter:
    """In whose name a source's records go in, and how the service runs."""

    caller: Principal
    platform: str
    what: str
    demonstration: bool
    looks_per_hour: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked: which source, behind which of its pages and at which cursor."""

    tenant: str
    source_id: UUID
    pages: int
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a page's records."""

    stored: int
    known: int
    refused: int


def take_page(work: Work, vault: Vault, counter: Counter, asked: Asked, page: Page, *, alone: bool) -> Taken | None:
    """Take the page in behind the one before it; ``None`` where that one is the latest no more.

    ``alone``: each record by itself, where one of them meets what this tenant may not see.

    Raises:
        PageError: its cursor was passed before.
        Problem: the service cannot take anything just now; the page may come again.
    """
    if page.next_cursor is None or not _is_next(work, asked):
        return None
    _refuse_circle(work, asked, page.next_cursor)
    reads = [_read(counter, one) for one in page.records]
    answers = take_records(work, vault, counter, reads, alone=alone)
    passing = next((one for one in map(problem_of, answers) if one is not None and _passes(one)), None)
    if passing is not None:
        raise passing
    refused = [
        (position, page.records[position - 1], problem)
        for position, problem in enumerate(map(problem_of, answers), 1)
        if problem is not None
    ]
    new = sum(1 for one in answers if not isinstance(one, Problem) and one.status == STORED)
    taken = Taken(new, len(answers) - new - len(refused), len(refused))
    _write(work, vault, asked, page, taken, refused)
    return taken


def take_records(
    work: Work, vault: Vault, counter: Counter, reads: Sequence[Read], *, alone: bool = False
) -> list[Answer]:
    """What became of each record; one that stands among them twice is known, or refused where it says otherwise."""
    placed = [_placed(counter, one) for one in reads]
    first: dict[str, Record] = {}
    for one in placed:
        if not isinstance(one, Problem):
            first.setdefault(one.external_id, one)
    done: dict[str, Answer] = {}
    for some in [[one] for one in first.values()] if alone else [list(first.values())]:
        done |= zip((one.external_id for one in some), _go_in(work, vault, counter, some, alone=alone), strict=True)
    told: set[str] = set()
    answers: list[Answer] = []
    for one in placed:
        if isinstance(one, Problem):
            answers.append(one)
            continue
        answer = done[one.external_id]
        if one.external_id in told:
            answer = _again(answer, same=one == first[one.external_id])
        told.add(one.external_id)
        answers.append(answer)
    return answers


def _read(counter: Counter, record: bytes) -> Read:
    try:
        return read_record(counter.platform, counter.what, record)
    except Problem as problem:
        return problem


def problem_of(answer: Answer) -> Problem | None:
    """Why the record was not taken in."""
    return answer if isinstance(answer, Problem) else getattr(answer, "problem", None)


def _again(answer: Answer, *, same: bool) -> Answer:
    """The answer to a record whose id stood on the page before."""
    if not same:
        return Invalid(
            "record.repeated",
            "同一页中此编号出现两次而内容不同；第一条已处理。",
            "Its id stands on the page twice with other content; the first was dealt with.",
        )
    if isinstance(answer, Outcome) and answer.view is not None:
        return Outcome(200, answer.view)
    if isinstance(answer, Reserved):
        return Reserved(200, answer.reservation_id)
    return Registered(200, answer.record_id, answer.keys, ()) if isinstance(answer, Registered) else answer


def _placed(counter: Counter, one: Read) -> Read:
    """The record, unless it is not the source's to state."""
    try:
        if isinstance(one, Submission):
            desk_of(counter.caller, one, demonstration=counter.demonstration)
        elif isinstance(one, ReservationRequest):
            own_platform(counter.caller, one)
        elif isinstance(one, SupportRecord):
            return checked(counter.caller, one)
    except Problem as problem:
        return problem
    return one


def _go_in(work: Work, vault: Vault, counter: Counter, some: Sequence[Record], *, alone: bool) -> Sequence[Answer]:
    if not some:
        return ()
    if not alone:
        return _submitted(work, vault, counter, some)
    try:
        with work.connection.begin_nested():
            return _submitted(work, vault, counter, some)
    except IntegrityError as error:
        if counter.what == CLAIMS and broken_constraint(error) == "claim_external_id":
            return [other_tenants_id()]
        return [taken_request(error) if counter.what == RESERVATIONS else taken_id(error)]


def _submitted(work: Work, vault: Vault, counter: Counter, some: Sequence[Record]) -> Sequence[Answer]:
    caller = counter.caller
    claims = [one for one in some if isinstance(one, Submission)]
    if counter.what == CLAIMS:
        desk = desk_of(caller, claims[0], demonstration=counter.demonstration, looks_per_hour=counter.looks_per_hour)
        return submit(work, vault, desk, claims)
    if counter.what == RESERVATIONS:
        return [_reserved(work, counter, one) for one in some if isinstance(one, ReservationRequest)]
    records = [one for one in some if isinstance(one, SupportRecord)]
    return register_support(work, vault, caller.client_id, caller.subject, records)


def _reserved(work: Work, counter: Counter, request: ReservationRequest) -> Answer:
    """A request is refused before anything of it is written."""
    try:
        row, is_new = reserve(
            work, counter.platform, counter.caller.subject, request, demonstration=counter.demonstration
        )
    except Problem as problem:
        return problem
    return Reserved(STORED if is_new else 200, row.id)


def _passes(problem: Problem) -> bool:
    return problem.status >= _PASSING


def _is_next(work: Work, asked: Asked) -> bool:
    """Lock the source; whether it lives, and its latest page is still the one that was asked behind."""
    row = work.connection.exec_driver_sql(
        "select disabled_at from pull_source where tenant = %s and id = %s for no key update",
        (asked.tenant, asked.source_id),
    ).one()
    latest = work.connection.exec_driver_sql(
        "select coalesce(max(seq), 0) from pull_page where tenant = %s and source_id = %s",
        (asked.tenant, asked.source_id),
    ).scalar_one()
    return row.disabled_at is None and latest == asked.pages


def _refuse_circle(work: Work, asked: Asked, cursor: str) -> None:
    before = work.connection.exec_driver_sql(
        "select 1 from pull_page where tenant = %s and source_id = %s and cursor_after = %s",
        (asked.tenant, asked.source_id, cursor),
    ).first()
    if before is not None:
        raise PageError("page.cursor_back")


def letter_place(tenant: str, letter_id: UUID) -> Place:
    """Where a dead letter's record is sealed."""
    return Place("dead_letter", "record_sealed", tenant, str(letter_id))


def record_mac(vault: Vault, record: bytes) -> bytes:
    """A keyed digest of a record: it may hold account numbers, which a plain digest would let one guess."""
    return vault.content_mac(b"dead-letter\x00" + record)


def problem_json(problem: Problem) -> dict[str, Json]:
    """The problem in both languages."""
    errors: list[Json] = [
        {"pointer": one.pointer, "code": one.code, "zh": one.message.zh, "en": one.message.en} for one in problem.errors
    ]
    return {"code": problem.code, "zh": problem.text.zh, "en": problem.text.en, "errors": errors}


def _write(
    work: Work,
    vault: Vault,
    asked: Asked,
    page: Page,
    taken: Taken,
    refused: Sequence[tuple[int, bytes, Problem]],
) -> None:
    seq, letters, said = asked.pages + 1, [], list[Json]()
    for position, record, problem in refused:
        letter_id, mac = new_id(), record_mac(vault, record)
        sealed = vault.sealer.seal(b64encode(record).decode(), letter_place(asked.tenant, letter_id))
        text = json.dumps(problem_json(problem), ensure_ascii=False)
        letters.append(
            (asked.tenant, letter_id, asked.source_id, seq, position, problem.code, text, sealed, mac, "open")
        )
        digest = sha256(text.encode()).hex()
        said.append(
            {
                "id": str(letter_id), "position": position, "code": problem.code, "record_mac": mac.hex(),
                "problem_sha256": digest,
            }
        )  # fmt: skip
    counts = {"stored": taken.stored, "known": taken.known, "refused": taken.refused}
    details: dict[str, Json] = {
        "seq": seq, "cursor_before": asked.cursor, "cursor_after": page.next_cursor,
        "records": len(page.records), **counts, "letters": said,
    }  # fmt: skip
    row = (asked.tenant, asked.source_id, seq, asked.cursor, page.next_cursor, len(page.records))
    change = Change(asked.tenant, _ACTOR, "pull.stored", asked.source_id, details=details)
    writes = change_writes(work.connection, [change], work.at)
    stored = (*row, taken.stored, taken.known, taken.refused, work.at)
    write_all(work.connection, (Write("pull_page", _PAGE, [stored]), *writes))
    write_all(work.connection, (Write("dead_letter", _LETTER, letters),))


_PAGE: Final = (
    "tenant", "source_id", "seq", "cursor_before", "cursor_after", "records", "stored", "known", "refused", "stored_at",
)  # fmt: skip
_LETTER: Final = (
    "tenant", "id", "source_id", "page_seq", "position", "code", "problem", "record_sealed", "record_mac", "state",
)  # fmt: skip
