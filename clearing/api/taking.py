"""Taking claims in: many in one transaction, and requests that come at once share one.

A request waits for its desk's lock; whoever has it takes in everything that queued up meanwhile, so that under load the
cost of a transaction is shared, and alone a request waits for nobody.
"""

from collections import deque
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from sqlalchemy.exc import IntegrityError

from clearing.claims.case import Desk, Outcome
from clearing.claims.intake import RACED, submit
from clearing.service import Service
from connectors.submission import Submission
from tenants.kernel.database import Scope, broken_constraint, run
from tenants.kernel.errors import Conflict, FieldError, Forbidden, Invalid, Problem, Text
from tenants.principal import Principal

SHARED_BY: Final = 64
"""Requests that may share one transaction."""


def take_in(service: Service, scope: Scope, desk: Desk, claims: list[Submission]) -> list[Outcome]:
    """Take the claims in, in one transaction; each external id may stand among them only once.

    Whatever keeps all of them out (the database is away) is each one's outcome.
    """
    try:
        return run(
            service.engine, scope, service.machine, lambda work: submit(work, service.vault, desk, claims), RACED
        )
    except Problem as problem:
        return [Outcome(problem.status, problem=problem) for _ in claims]
    except IntegrityError as error:
        if broken_constraint(error) != "claim_external_id":
            raise
        if len(claims) > 1:  # one of them meets another client's claim; the others go in alone
            return [one for claim in claims for one in take_in(service, scope, desk, [claim])]
        conflict = other_tenants_id()
        return [Outcome(conflict.status, problem=conflict)]


def desk_of(caller: Principal, claim: Submission, *, demonstration: bool) -> Desk:
    """The desk at which the caller submits the claim.

    Raises:
        Forbidden: the caller is no platform's client.
        Invalid: the claim's tenant is unknown or not among the caller's; the answer is the same.
    """
    if caller.platform is None:
        raise Forbidden("platform.missing", "只有平台的客户端可以提交。", "Only a platform's client may submit.")
    if claim.tenant not in caller.tenants:
        said = Text("没有这个区域，或本客户端不可向其提交。", "No such tenant, or this client may not submit for it.")
        error = FieldError("/tenant", "tenant.unknown", said)
        raise Invalid("claim.invalid", said.zh, said.en, errors=(error,))
    return Desk(
        tenant=claim.tenant,
        platform=caller.platform,
        client_id=caller.client_id,
        actor=caller.subject,
        may_import=caller.may("claims:import"),
        demonstration=demonstration,
    )


def other_tenants_id() -> Conflict:
    """The platform used this external id before for a tenant that this client does not speak for."""
    return Conflict(
        "claim.content_differs",
        "此 external_id 已用于内容不同的申请。",
        "This external_id came before with other content.",
    )


@dataclass(slots=True, eq=False)
class _Ticket:
    """One request that waits: its claim, and in the end its outcome or the error that befell all.

    Compared by identity, so that a queue is searched without running any of our code, and so without losing the lock.
    """

    claim: Submission
    outcome: Outcome | None = None
    error: Exception | None = None


@dataclass(slots=True)
class _Counter:
    """One desk's queue, and the lock of whoever serves it."""

    serving: Lock = field(default_factory=Lock)
    waiting: deque[_Ticket] = field(default_factory=deque)


class SharedIntake:
    """Takes in single claims, several in one transaction where they come at once to the same desk."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._counters: dict[tuple[Scope, Desk], _Counter] = {}

    def take_in(self, scope: Scope, desk: Desk, claim: Submission) -> Outcome:
        """Take the claim in, alone or with those that wait at the same desk."""
        counter = self._counters.setdefault((scope, desk), _Counter())
        ticket = _Ticket(claim)
        counter.waiting.append(ticket)
        with counter.serving:
            if ticket.outcome is None and ticket.error is None:
                self._serve(scope, desk, _together(counter.waiting, ticket))
        if ticket.error is not None:
            raise ticket.error
        if ticket.outcome is None:
            raise RuntimeError("a served ticket has an outcome")
        return ticket.outcome

    def _serve(self, scope: Scope, desk: Desk, tickets: list[_Ticket]) -> None:
        try:
            outcomes = take_in(self._service, scope, desk, [ticket.claim for ticket in tickets])
        except Exception as error:  # noqa: BLE001 - each of the requests answers for it
            for ticket in tickets:
                ticket.error = error
            return
        for ticket, outcome in zip(tickets, outcomes, strict=True):
            ticket.outcome = outcome


def _together(waiting: deque[_Ticket], own: _Ticket) -> list[_Ticket]:
    """The longest-waiting tickets, the own among them, each external id once; the others keep their place."""
    waiting.remove(own)
    taken, kept, seen = [own], [], {own.claim.external_id}
    while waiting and len(taken) < SHARED_BY:
        ticket = waiting.popleft()
        if ticket.claim.external_id in seen:
            kept.append(ticket)
        else:
            seen.add(ticket.claim.external_id)
            taken.append(ticket)
    waiting.extendleft(reversed(kept))
    return taken
