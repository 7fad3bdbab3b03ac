"""``POST /v1/claims/bulk``: NDJSON in, NDJSON out, one answer a line in order; safe to send again as a whole."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from flask import Response, request

from clearing.api.claims import MAX_CLAIM_BYTES, blueprint, desk_for
from clearing.api.frame import current, needs, principal
from clearing.api.ndjson import Line, answer_lines, read_lines, refused_line, require_ndjson
from clearing.api.noun import too_large
from clearing.api.problems import wants_english
from clearing.api.taking import take_in
from clearing.claims.case import Desk, Outcome
from clearing.claims.intake import CHUNK_CLAIMS
from clearing.claims.records import claim_json
from clearing.service import Service
from connectors.reading import read_submission
from connectors.submission import Submission
from tenants.kernel.canonical import Json
from tenants.kernel.database import Scope
from tenants.kernel.errors import Problem
from tenants.kernel.strict_json import decode
from tenants.principal import Principal


@dataclass(slots=True)
class _Chunk:
    """Consecutive lines for one tenant, each external id once, to be taken in by one transaction."""

    desk: Desk | None = None
    lines: list[tuple[int, Submission | Problem]] = field(default_factory=list)
    external_ids: set[str] = field(default_factory=set)

    def takes(self, desk: Desk, claim: Submission) -> bool:
        """Whether the claim may come next in this chunk."""
        return (
            self.desk in {None, desk} and len(self.lines) < CHUNK_CLAIMS and claim.external_id not in self.external_ids
        )

    def add(self, number: int, desk: Desk, claim: Submission) -> None:
        """Put the claim in."""
        self.desk = desk
        self.lines.append((number, claim))
        self.external_ids.add(claim.external_id)


@blueprint.post("/bulk")
@blueprint.doc(
    requestBody={"required": True, "content": {"application/x-ndjson": {"schema": {"type": "string"}}}},
    responses={"200": {"description": "one answer a line, in order: {line, status, claim?, problem?}"}},
)
@needs("claims:write")
def submit_bulk() -> Response:
    """Submit claims by the line; good lines go in whatever the others are."""
    require_ndjson()
    service, caller, english = current(), principal(), wants_english()
    chunks = _chunks(read_lines(request.stream, MAX_CLAIM_BYTES), caller)
    return answer_lines(line for chunk in chunks for line in _take(service, caller, chunk, english=english))


def _chunks(lines: Iterator[Line], caller: Principal) -> Iterator[_Chunk]:
    chunk = _Chunk()
    for line in lines:
        try:
            claim = _read(line)
            desk = desk_for(caller, claim)
        except Problem as problem:
            chunk.lines.append((line.number, problem))
            continue
        if not chunk.takes(desk, claim):
            yield chunk
            chunk = _Chunk()
        chunk.add(line.number, desk, claim)
    yield chunk


def _read(line: Line) -> Submission:
    if line.content is None:
        raise too_large(MAX_CLAIM_BYTES)
    return read_submission(decode(line.content, MAX_CLAIM_BYTES))


def _take(service: Service, caller: Principal, chunk: _Chunk, *, english: bool) -> Iterator[dict[str, Json]]:
    """Take the chunk in, and answer its lines in their order."""
    claims = [claim for _, claim in chunk.lines if isinstance(claim, Submission)]
    scope = Scope(caller.tenants, caller.platform)
    outcomes = iter([] if chunk.desk is None else take_in(service, scope, chunk.desk, claims))
    for number, claim in chunk.lines:
        outcome = Outcome(claim.status, problem=claim) if isinstance(claim, Problem) else next(outcomes)
        if outcome.problem is not None:
            yield refused_line(number, outcome.problem, english=english)
        elif outcome.view is not None:
            yield {"line": number, "status": outcome.status, "claim": claim_json(outcome.view, english=english)}
