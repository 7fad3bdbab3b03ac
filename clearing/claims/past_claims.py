"""Past claims as a rehearsal reads them: in the order in which they were assessed, a thousand at a time."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import Connection

from clearing.claims.rehearsal import SUPERSEDED, Figures, Past
from clearing.claims.stored import read_stored_facts, read_stored_submission
from tenants.kernel.clock import SHANGHAI

ROWS_AT_ONCE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Span:
    """Which claims of a scheme: those submitted from one day through another, both in Asia/Shanghai, or all."""

    tenant: str
    scheme: str
    from_on: date | None = None
    through_on: date | None = None


class Key(NamedTuple):
    """One assessment of a past claim; ``next_at`` is when the claim was assessed again, ``None`` for its last."""

    claim_id: UUID
    seq: int
    next_at: datetime | None


def past_keys(connection: Connection, span: Span) -> list[Key]:
    """Every assessment of the span's claims, in the order in which they were made."""
    begin = None if span.from_on is None else datetime.combine(span.from_on, time(), SHANGHAI)
    end = None if span.through_on is None else datetime.combine(span.through_on + timedelta(days=1), time(), SHANGHAI)
    rows = connection.exec_driver_sql(
        "select a.claim_id, a.seq, lead(a.at) over (partition by a.claim_id order by a.seq) from claim c "
        "join assessment a on a.tenant = c.tenant and a.claim_id = c.id where c.tenant = %s and c.scheme = %s "
        "and (%s::timestamptz is null or c.submitted_at >= %s) and (%s::timestamptz is null or c.submitted_at < %s) "
        "order by a.at, a.claim_id, a.seq",
        (span.tenant, span.scheme, begin, begin, end, end),
    )
    return [Key(*row) for row in rows]


def read_past(connection: Connection, tenant: str, keys: Sequence[Key]) -> Iterator[Past]:
    """The assessments with these keys, in this order.

    While one page is gone through, the database answers the next: nobody else may use the connection meanwhile.
    """
    pages = [keys[first : first + ROWS_AT_ONCE] for first in range(0, len(keys), ROWS_AT_ONCE)]
    with ThreadPoolExecutor(1, "past-claims") as ahead:
        coming = [ahead.submit(_page, connection, tenant, page) for page in pages[:1]]
        for number, page in enumerate(pages):
            read = coming.pop().result()
            coming += [ahead.submit(_page, connection, tenant, after) for after in pages[number + 1 : number + 2]]
            yield from _some(page, read)


def past_rows(connection: Connection, tenant: str, keys: Sequence[Key]) -> Sequence[Any]:
    """The rows of these assessments as the database answers them."""
    ids, seqs = [key.claim_id for key in keys], [key.seq for key in keys]
    return connection.exec_driver_sql(_ROWS, (ids, seqs, tenant)).all()


_Page = tuple[Sequence[Any], Sequence[Any]]
"""The rows of some assessments, and the reviews of their claims."""


def _page(connection: Connection, tenant: str, keys: Sequence[Key]) -> _Page:
    ids = [key.claim_id for key in keys]
    return past_rows(connection, tenant, keys), connection.exec_driver_sql(_REVIEWS, (tenant, ids)).all()


def _some(keys: Sequence[Key], read: _Page) -> Iterator[Past]:
    rows = {(row[0], row[1]): row for row in read[0]}
    decided: dict[tuple[UUID, int], list[tuple[datetime, str, int]]] = defaultdict(list)
    for claim_id, revision, at, outcome, fen in read[1]:
        decided[claim_id, revision].append((at, outcome, fen))
    for key in keys:
        row = rows[key.claim_id, key.seq]
        yield _past(key, row, decided.get((key.claim_id, row[2]), ()))


_ROWS: Final = (
    "select a.claim_id, a.seq, a.revision, c.claim_no, a.at, r.submission, a.facts, "
    "split_part(a.result, ',\"trace\":', 1), c.state, c.award_fen, c.changed_at "
    "from unnest(%s::uuid[], %s::integer[]) k (claim_id, seq) "
    "join assessment a on a.tenant = %s and a.claim_id = k.claim_id and a.seq = k.seq "
    "join claim c on c.tenant = a.tenant and c.id = a.claim_id "
    "join claim_revision r on r.tenant = a.tenant and r.claim_id = a.claim_id and r.revision = a.revision"
)
_REVIEWS: Final = (
    "select v.claim_id, v.revision, v.at, v.outcome, v.award_fen from review v "
    "join claim c on c.tenant = v.tenant and c.id = v.claim_id where v.tenant = %s and v.claim_id = any(%s) "
    "and (v.outcome = 'correct' or (v.outcome = 'approve' and v.award_fen < c.computed_fen)) order by v.claim_id, v.at"
)
"""Claims sent back, and approvals of less than was computed: of these, those below the assessed award lowered it."""


def _past(key: Key, row: Any, decided: Sequence[tuple[datetime, str, int]]) -> Past:  # noqa: ANN401 - a driver's row
    _, _, _, claim_no, at, submission, facts, head, state, award_fen, changed_at = row
    before = _before(head)
    if key.next_at is not None:
        state, award_fen = SUPERSEDED, 0
        changed_at = min((at for at, outcome, _ in decided if outcome == "correct"), default=key.next_at)
    return Past(
        claim_id=key.claim_id,
        claim_no=claim_no,
        assessed_at=at,
        submission=read_stored_submission(submission),
        facts=read_stored_facts(facts),
        before=before,
        state_now=state,
        award_now_fen=award_fen,
        changed_at=changed_at,
        lowered=tuple((at, fen) for at, outcome, fen in decided if outcome == "approve" and fen < before.award_fen),
    )


def _before(head: str) -> Figures:
    """The figures of a stored result without its trace, which is what stands before ``trace`` in canonical order."""
    said = orjson.loads(head + "}")
    matching = said["matching"]
    return Figures(
        state=said["state"],
        award_fen=_fen(said["award"]),
        matching_fen=0 if matching is None else _fen(matching["amount"]),
        cut={name: _fen(amount) for name, amount in said["cut"].items()},
        quota_year=said["quota_year"],
        enterprise_type=said["enterprise_type"],
    )


def _fen(text: str) -> int:
    return int(text[:-3] + text[-2:])
