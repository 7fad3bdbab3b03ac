"""Import: the records of a file go in as if their platform's client had submitted them in bulk."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from clearing.api.bulk import Placed, in_windows
from clearing.api.ndjson import Line
from clearing.api.support_records import checked, in_chunks, registered, registered_ready, written_beforehand
from clearing.api.taking import desk_of, take_in
from clearing.claims.case import Desk, Outcome
from clearing.claims.support import Registered
from clearing.service import Service
from clearing.transfers.lines import Item
from clearing.transfers.preparing import Made, Piece, Setting, made_ready, piece_of
from clearing.transfers.sources import NdjsonSource, Source
from connectors.client import Patience
from connectors.submission import Submission, SupportRecord
from tenants.kernel.crew import members
from tenants.kernel.database import Scope
from tenants.kernel.errors import Problem, Unavailable
from tenants.principal import Principal

STORED: Final = 201
RECORDS_AHEAD: Final = 2_000
"""Records that are read together; of support records one transaction takes them all, of claims fewer."""
BYTES_AHEAD: Final = 16 * 2**20
"""No more of a file is read ahead, however long its lines are."""
BYTES_GIVEN_AWAY: Final = 2 * 2**20
"""The same of a run for another process: several are on their way."""
CREW_FROM: Final = 16 * 2**20
"""Bytes of a file of support records from which on the other process pays: it takes 0.8 s of a processor to be there,
and spares 25 µs a record; that is even at 32,000 records or 7 MiB, where a second processor is free."""

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


class Importer:
    """Takes a file in for one client, within its platform, tenants and scopes."""

    def __init__(
        self,
        service: Service,
        caller: Principal,
        patience: Patience | None = None,
        collided: Callable[[Item, Registered], None] = lambda _, __: None,
        crew_from: int | None = None,
    ) -> None:
        """``collided`` hears of every support record that meets what is here already.

        ``crew_from``: from how many bytes on a file of support records has a process beside this one; by default
        from as many as pay, where there is a second processor.
        """
        self._crew_from = (CREW_FROM if members() > 1 else sys.maxsize) if crew_from is None else crew_from
        self._service = service
        self._collided = collided
        self._caller = caller
        self._scope = Scope(caller.tenants, caller.platform)
        self._patience = patience or Patience()
        self._hopeful = False
        self._versions: tuple[int, ...] = ()

    def run(self, source: Source, told: Told) -> Summary:
        """Take every record in; what is refused is given back to the source, good ones go in whatever the others are.

        Raises:
            Unavailable: the database stays away; the same file may be imported again as a whole.
        """
        summary = Summary()
        if isinstance(source, NdjsonSource) and source.support and source.size() >= self._crew_from:
            self._run_with_crew(source, summary, told)
            return summary
        for batch in _read_ahead(source):
            if any(isinstance(item.record, SupportRecord) for item in batch):
                self._take_records(source, batch, summary)
            else:
                self._take_claims(source, batch, summary)
            told(summary)
        return summary

    def _run_with_crew(self, source: NdjsonSource, summary: Summary, told: Told) -> None:
        """The same for support records, which a process beside this one makes ready."""
        self._versions = written_beforehand(self._service, self._scope)
        runs = iter(partial(source.lines, RECORDS_AHEAD, BYTES_GIVEN_AWAY), [])
        setting = Setting(self._caller.platform, self._caller.tenants, self._service.vault.keyring)
        with closing(made_ready(runs, self._piece, setting)) as made:
            for run, one in made:
                if one is None or not self._store_made(source, run, one, summary):
                    self._take_records(source, list(source.stated(run)), summary)
                told(summary)

    def _piece(self, run: list[Line]) -> Piece | None:
        """What is given away: where lines are stored before or meet others, they are looked at here."""
        return piece_of(run, self._versions) if self._hopeful and self._versions else None

    def _store_made(self, source: NdjsonSource, run: list[Line], made: Made, summary: Summary) -> bool:
        """Whether the run is taken in as it was made ready; where it is not, nothing is stored."""
        left = list(source.stated([run[place] for place in made.left]))
        problems = [one for one in map(self._own, left) if isinstance(one, Problem)]
        if not self._hopeful or len(problems) < len(left):
            return False
        written = registered_ready(self._service, self._caller, made.ready)
        if written != made.ready.versions:
            self._hopeful, self._versions = bool(written), written or self._versions
            return False
        summary.read += len(made.ready.keys)
        summary.stored += len(made.ready.keys)
        for item, problem in zip(left, problems, strict=True):
            self._note(source, item, problem, summary)
        return True

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
