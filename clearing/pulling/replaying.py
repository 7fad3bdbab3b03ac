"""Replaying dead letters: one of them, or all that are open at a source, each in a transaction of its own."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from clearing.pulling import letters
from clearing.pulling.puller import AskingError, counter_for
from clearing.pulling.taking import RACED, Answer
from clearing.service import Service
from tenants.credentials import principal_named
from tenants.kernel.database import Scope, run
from tenants.kernel.errors import Conflict, Problem
from tenants.principal import Principal


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of one letter: its answer, or why it is still open."""

    letter_id: UUID
    answer: Answer | None
    problem: Problem | None


def replay_one(service: Service, caller: Principal, letter_id: UUID, corrected: bytes | None = None) -> Answer:
    """Replay the letter in the name of its source's client; ``caller`` is who wants it.

    Raises:
        NotFound, Conflict: as for :func:`clearing.pulling.letters.replay`.
        Problem: the record still cannot be taken in.
    """
    scope = Scope(caller.tenants, caller.platform)
    row = run(service.engine, scope, service.machine, lambda w: letters.view(w.connection, letter_id, caller.platform))
    with service.engine.connect() as connection:
        client = principal_named(connection, row.client_id)
    try:
        counter = counter_for(service, client, row.tenant, row.platform, row.what)
    except AskingError as error:
        raise Conflict(error.code, error.text.zh, error.text.en) from error
    return run(
        service.engine,
        Scope((row.tenant,), row.platform),
        service.machine,
        lambda work: letters.replay(work, service.vault, counter, caller.subject, letter_id, corrected),
        RACED,
    )


def replay_all(service: Service, caller: Principal, source_id: UUID, limit: int) -> Iterator[Replayed]:
    """Replay the source's open letters, the oldest first, ``limit`` at most."""
    scope = Scope(caller.tenants, caller.platform)
    found = run(
        service.engine, scope, service.machine, lambda w: letters.open_letters(w.connection, source_id, None, limit)
    )
    for letter_id in found:
        try:
            yield Replayed(letter_id, replay_one(service, caller, letter_id), None)
        except Problem as problem:
            yield Replayed(letter_id, None, problem)
