"""Import: the records of a file go in as if their platform's client had submitted them in bulk."""

import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from clearing.api.bulk import Placed, in_windows
from clearing.api.ndjson import Line
from clearing.api.support_records import checked, in_chunks, registered, registered_ready, written_beforehand
from clearing.api.taking import desk_of, take_in
from clearing.claims.case import Desk, Outcome
from clearing.claims.support import Registered
from clearing.claims.support_columns import Ready
from clearing.claims.support_lines import lines_ready
from clearing.service import Service
from clearing.transfers.lines import Item
from clearing.transfers.sources import NdjsonSource, Source
from clearing.transfers.turns import OutOfTurnError, Turn
from connectors.client import Patience
from connectors.submission import Submission, SupportRecord
from tenants.kernel.database import Scope
from tenants.kernel.errors import Problem, Unavailable
from tenants.principal import Principal

STORED: Final = 201
RECORDS_AHEAD: Final = 2_000
"""Records that are read together; of support records one transaction takes them all, of claims fewer."""
LINES_AHEAD: Final = 4_000
"""Lines of support records that are made ready together, and that one transaction takes where they can be: at first."""
MOST_LINES_AHEAD: Final = 32_000
"""Of a file whose records are all new, each run is twice the one before, up to this: keys sorted by so many find their
index pages in the cache. A record that is known undoes its run, which is stored by parts; the next is small again."""
BYTES_AHEAD: Final = 16 * 2**20
"""No more of a file is read ahead, however long its lines are."""
RUNS_STORED: Final = 2
"""Runs of support records that are stored at a time, see :mod:`clearing.transfers.turns`."""
TURN_SECONDS: Final = 0.000_1
"""How long one thread keeps the interpreter while another wants it; Python's own 5 ms are longer than a statement."""

Told = Callable[["Summary"], None]
"""Hears of the progress after every transaction."""


@dataclass(slots=True)
class Summary:
    """What became of the file so far; ``states`` are those of the claims that are stored, now or before."""

    read: int = 0
    stored: int = 0
    stored_before: int = 0
    refused: int = 0
    colliding: int = 0
    states: Counter[str] = field(default_factory=Counter)

    def copy(self) -> "Summary":
        """The counts as they are now."""
        return replace(self, states=self.states.copy())


class Importer:
    """Takes a file in for one client, within its platform, tenants and scopes."""

    def __init__(
        self,
        service: Service,
        caller: Principal,
        patience: Patience | None = None,
        collided: Callable[[Item, Registered], None] = lambda _, __: None,
    ) -> None:
        """``collided`` hears of every support record that meets what is here already."""
        self._service = service
        self._collided = collided
        self._caller = caller
        self._scope = Scope(caller.tenants, caller.platform)
        self._patience = patience or Patience()
        self._hopeful = True
        self._versions: tuple[int, ...] = ()

    def run(self, source: Source, told: Told) -> Summary:
        """Take every record in; what is refused is given back to the source, good ones go in whatever the others are.

        Raises:
            Unavailable: the database stays away; the same file may be imported again as a whole.
        """
        summary = Summary()
        if isinstance(source, NdjsonSource) and source.support:
            self._run_of_records(source, summary, told)
            return summary
        for batch in _read_ahead(source):
            if any(isinstance(item.record, SupportRecord) for item in batch):
                self._take_records(source, batch, summary)
            else:
                self._take_claims(source, batch, summary)
            told(summary)
        return summary

    def _run_of_records(self, source: NdjsonSource, summary: Summary, told: Told) -> None:
        """The same for lines of support records: while those before them are stored, the next are made ready."""
        with _taking_turns(), ThreadPoolExecutor(RUNS_STORED, "store") as storer:
            storing, turn, ahead = deque[Future[tuple[bool, Summary]]](), None, LINES_AHEAD

            def stored() -> bool:
                in_turn, by_then = storing.popleft().result()
                told(by_then)
                return in_turn

            while run := source.lines(ahead, BYTES_AHEAD):
                if not self._versions:
                    self._versions = written_beforehand(self._service, self._scope)
                made = self._made(source, run)
                ahead = min(2 * ahead, MOST_LINES_AHEAD) if isinstance(made, Ready) else LINES_AHEAD
                if len(storing) == RUNS_STORED and not stored():
                    stored()  # what came out of turn is waited for; the next two begin anew
                    turn, ahead = None, LINES_AHEAD
                turn = Turn(turn)
                storing.append(storer.submit(self._store, source, run, made, summary, turn))
            while storing:
                stored()

    def _made(self, source: NdjsonSource, run: list[Line]) -> Ready | list[Item]:
        """The lines made ready; where some are stored before or meet others, or are not sound, what each states."""
        lines = [line.content for line in run if line.content is not None]
        if self._hopeful and self._versions and len(lines) == len(run):
            keyring, caller = self._service.vault.keyring, self._caller
            try:
                ready = lines_ready(keyring, self._versions, caller.platform, caller.tenants, lines)
            except Unavailable:  # the key is on its way; until it is there, the general way says so
                ready = None
            if ready is not None:
                return ready
        return list(source.stated(run))

    def _store(
        self, source: NdjsonSource, run: list[Line], made: Ready | list[Item], summary: Summary, turn: Turn
    ) -> tuple[bool, Summary]:
        """Store the run, and count what became of it when all before it is counted.

        Whether it was stored in turn, and what was counted by then, without what comes behind it.
        """
        well = in_turn = False
        try:
            if isinstance(made, Ready):
                in_turn = self._is_stored(made, turn)
            turn.decide(is_stored=in_turn)
            if not turn.is_last():
                return False, summary.copy()
            if not isinstance(made, Ready):
                self._take_records(source, made, summary)
            elif in_turn or self._is_stored(made):
                _count(made, summary)
            else:
                self._store_by_parts(source, run, summary)
            well = True
            return in_turn, summary.copy()
        finally:
            turn.end(well=well)

    def _store_by_parts(self, source: NdjsonSource, run: list[Line], summary: Summary) -> None:
        """Store a run of which something is known or meets somebody: what of it can be, as it is made ready."""
        for begun in range(0, len(run), LINES_AHEAD):
            part = run[begun : begun + LINES_AHEAD]
            made = self._made(source, part)
            if isinstance(made, Ready) and self._is_stored(made):
                _count(made, summary)
            else:
                self._take_records(source, list(source.stated(part)) if isinstance(made, Ready) else made, summary)

    def _is_stored(self, made: Ready, turn: Turn | None = None) -> bool:
        """Whether the run is taken in as it was made ready, in turn or alone; where it is not, nothing is stored."""
        if not self._hopeful:
            return False
        try:
            written = registered_ready(self._service, self._caller, made, turn)
        except OutOfTurnError:
            return False
        if written != made.versions:
            self._hopeful, self._versions = bool(written), written or self._versions
        return written == made.versions

    def _take_claims(self, source: Source, items: list[Item], summary: Summary) -> None:
        waiting = iter(items)
        for window in in_windows((item.number, self._placed(item)) for item in items):
            taken = {desk: iter(self._taken(desk, claims)) for desk, claims in window.by_desk().items()}
            for _, one in window.lines:
                outcome = Outcome(one.status, problem=one) if isinstance(one, Problem) else next(taken[one[0]])
                self._note(source, next(waiting), outcome, summary)

    def _placed(self, item: Item) -> Placed | Problem:
        if isinstance(item.record, Problem):
            return item.record
        if not isinstance(item.record, Submission):
            raise TypeError(item.record)
        try:
            demonstration = self._service.settings.demonstration
            return desk_of(self._caller, item.record, demonstration=demonstration), item.record
        except Problem as problem:
            return problem

    def _take_records(self, source: Source, items: list[Item], summary: Summary) -> None:
        waiting = iter(items)
        for chunk in in_chunks(iter([(item.number, self._own(item)) for item in items]), RECORDS_AHEAD):
            records = [one for _, one in chunk if isinstance(one, SupportRecord)]
            done = iter(self._registered(records))
            for _, one in chunk:
                answer = one if isinstance(one, Problem) else next(done)
                self._note(source, next(waiting), answer, summary)

    def _taken(self, desk: Desk, claims: list[Submission]) -> list[Outcome]:
        """What became of the claims, once the database is there."""
        attempt = 0
        while True:
            outcomes = take_in(self._service, self._scope, desk, claims)
            away = next((one.problem for one in outcomes if isinstance(one.problem, Unavailable)), None)
            if away is None:
                return outcomes
            attempt = self._wait(attempt, away)

    def _registered(self, records: list[SupportRecord]) -> list[Registered | Problem]:
        """What became of the records, once the database is there."""
        attempt = 0
        while True:
            answers = registered(self._service, self._caller, records, limited=False, hopeful=self._hopeful)
            away = next((one for one in answers if isinstance(one, Unavailable)), None)
            if away is None:
                self._hopeful = all(isinstance(one, Registered) and one.status == STORED for one in answers)
                return answers
            attempt = self._wait(attempt, away)

    def _wait(self, attempt: int, away: Unavailable) -> int:
        if attempt + 1 >= self._patience.attempts:
            raise away
        self._patience.pause(attempt + 1, str(away.retry_after_seconds or ""))
        return attempt + 1

    def _own(self, item: Item) -> SupportRecord | Problem:
        if isinstance(item.record, Problem):
            return item.record
        try:
            return checked(self._caller, item.record)
        except Problem as problem:
            return problem

    def _note(self, source: Source, item: Item, answer: Outcome | Registered | Problem, summary: Summary) -> None:
        problem = answer if isinstance(answer, Problem) else getattr(answer, "problem", None)
        summary.read += 1
        if problem is not None:
            summary.refused += 1
            source.give_back(item, problem)
            return
        is_new = not isinstance(answer, Problem) and answer.status == STORED
        summary.stored += is_new
        summary.stored_before += not is_new
        if isinstance(answer, Registered) and answer.collisions:
            summary.colliding += 1
            self._collided(item, answer)
        if isinstance(answer, Outcome) and answer.view is not None:
            summary.states[answer.view.state_now] += 1


def _count(made: Ready, summary: Summary) -> None:
    summary.read += len(made.keys)
    summary.stored += len(made.keys)


@contextmanager
def _taking_turns() -> Iterator[None]:
    """Let threads take turns more often: whoever stores needs the interpreter for moments, between long waits."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(TURN_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _read_ahead(source: Source) -> Iterator[list[Item]]:
    """The items in batches; while one is taken in, which is waiting for the database, the next is read."""
    items = source.items()

    def read() -> list[Item]:
        batch, begun = list[Item](), source.position()
        for item in items:
            batch.append(item)
            if len(batch) >= RECORDS_AHEAD or source.position() - begun > BYTES_AHEAD:
                break
        return batch

    with ThreadPoolExecutor(1, "read-ahead") as reader:
        batch = read()
        while batch:
            coming = reader.submit(read)
            yield batch
            batch = coming.result()
