"""``POST /v1/claims/bulk``: NDJSON in, NDJSON out, one answer a line in order; safe to send again as a whole."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from flask import Response

from clearing.api.claims import MAX_CLAIM_BYTES, blueprint, desk_for
from clearing.api.frame import current, needs, principal
from clearing.api.ndjson import Line, answer_lines, body_lines, refused_line
from clearing.api.noun import too_large
from clearing.api.problems import wants_english
from clearing.api.taking import take_in
from clearing.claims.case import Desk, Outcome
from clearing.claims.fingerprint import identities
from clearing.claims.intake import CHUNK_CLAIMS
from clearing.claims.records import claim_json
from clearing.service import Service
from connectors.reading import read_submission
from connectors.submission import Submission
from tenants.kernel.canonical import Json
from tenants.kernel.database import Scope
from tenants.kernel.errors import Problem
from tenants.kernel.strict_json import decode

MAX_LINES: Final = CHUNK_CLAIMS
"""Lines that are gathered before they are taken in and answered."""


Read = Callable[[Json], Submission]
"""Reads one line's JSON; raises ``Problem`` where it is wrong."""

Placed = tuple[Desk, Submission]
"""A claim, and the desk at which it is submitted."""


@dataclass(slots=True)
class Window:
    """Consecutive lines, each external id once: the claims of one desk among them are taken in by one transaction.

    Two desks of a window never claim the same spending: whichever line came first is to have it, and the order of the
    desks is not the order of the lines.
    """

    lines: list[tuple[int, Placed | Problem]] = field(default_factory=list)
    external_ids: set[str] = field(default_factory=set)
    desk: Desk | None = None
    claimed_at: dict[tuple[str, str], Desk] = field(default_factory=dict)

    def admit(self, number: int, one: Placed | Problem) -> bool:
        """Put the line in, where it may come next in this window; whether it may."""
        if len(self.lines) >= MAX_LINES:
            return False
        if not isinstance(one, Problem):
            desk, claim = one
            if claim.external_id in self.external_ids or self._meets_another_desk(desk, claim):
                return False
            self.external_ids.add(claim.external_id)
        self.lines.append((number, one))
        return True

    def _meets_another_desk(self, desk: Desk, claim: Submission) -> bool:
        """Whether the claim is on spending that another desk's claim is on; noted for those who come, where not.

        While there is one desk, as there is for most platforms, nothing needs to be known.
        """
        self.desk = self.desk or desk
        if not self.claimed_at and self.desk == desk:
            return False
        if not self.claimed_at:
            for _, one in self.lines:
                if not isinstance(one, Problem):
                    self.claimed_at.update(dict.fromkeys(_spendings(one[1]), one[0]))
        spendings = _spendings(claim)
        if any(self.claimed_at.get(spending, desk) != desk for spending in spendings):
            return True
        self.claimed_at.update(dict.fromkeys(spendings, desk))
        return False

    def by_desk(self) -> dict[Desk, list[Submission]]:
        """The claims of each desk, in their order."""
        found: dict[Desk, list[Submission]] = {}
        for _, one in self.lines:
            if not isinstance(one, Problem):
                found.setdefault(one[0], []).append(one[1])
        return found


def _spendings(claim: Submission) -> list[tuple[str, str]]:
    return [(identity.kind, identity.text) for identity in identities(claim)]


@blueprint.post("/bulk")
@blueprint.doc(
    requestBody={"required": True, "content": {"application/x-ndjson": {"schema": {"type": "string"}}}},
    responses={"200": {"description": "one answer a line, in order: {line, status, claim?, problem?}"}},
)
@needs("claims:write")
def submit_bulk() -> Response:
    """Submit claims by the line; good lines go in whatever the others are."""
    return take_lines(read_submission)


def take_lines(read: Read) -> Response:
    """Take in the claims of this request's lines, each read by ``read`` from its JSON."""
    service, caller, english = current(), principal(), wants_english()
    windows = gathered(body_lines(MAX_CLAIM_BYTES), lambda claim: desk_for(caller, claim), read)
    scope = Scope(caller.tenants, caller.platform)
    return answer_lines(_take(service, scope, window, english=english) for window in windows)


def gathered(
    lines: Iterator[Line], desk_of: Callable[[Submission], Desk], read: Read = read_submission
) -> Iterator[Window]:
    """The lines in windows; a platform's lines for several tenants may stand in any order."""
    return in_windows((line.number, _placed(line, desk_of, read)) for line in lines)


def in_windows(lines: Iterable[tuple[int, Placed | Problem]]) -> Iterator[Window]:
    """The numbered lines in windows, in their order; none is left out."""
    window = Window()
    for number, one in lines:
        if not window.admit(number, one):
            yield window
            window = Window()
            window.admit(number, one)
    yield window


def _placed(line: Line, desk_of: Callable[[Submission], Desk], read: Read) -> Placed | Problem:
    try:
        claim = _read(line, read)
        return desk_of(claim), claim
    except Problem as problem:
        return problem


def _read(line: Line, read: Read) -> Submission:
    if line.content is None:
        raise too_large(MAX_CLAIM_BYTES)
    return read(decode(line.content, MAX_CLAIM_BYTES))


def _take(service: Service, scope: Scope, window: Window, *, english: bool) -> Iterator[dict[str, Json]]:
    """Take the window in, one desk after the other, and answer its lines in their order."""
    taken = {desk: iter(take_in(service, scope, desk, claims)) for desk, claims in window.by_desk().items()}
    for number, one in window.lines:
        outcome = Outcome(one.status, problem=one) if isinstance(one, Problem) else next(taken[one[0]])
        if outcome.problem is not None:
            yield refused_line(number, outcome.problem, english=english)
        elif outcome.view is not None:
            yield {"line": number, "status": outcome.status, "claim": claim_json(outcome.view, english=english)}
