"""``/v1/support-records``: spending that was subsidised elsewhere, one record or NDJSON by the line."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from flask import Response
from sqlalchemy.exc import IntegrityError

from clearing.api.frame import Answer, current, in_transaction, needs, principal
from clearing.api.ndjson import Line, answer_lines, body_lines, refused_line
from clearing.api.noun import MAX_BODY_BYTES, Noun, json_body, load, too_large
from clearing.api.problems import wants_english
from clearing.claims.free_keys import FEW
from clearing.claims.probes import met_this_hour, too_many
from clearing.claims.support import RACED, Registered, register_free, register_new, register_support, taken_id
from clearing.claims.support_columns import Ready, Turns, register_ready, written_now
from clearing.claims.vault import Vault
from clearing.service import Service
from connectors.claim_schema import SupportRecordSchema
from connectors.reading import read_support_record
from connectors.submission import SupportRecord
from tenants.kernel.canonical import Json
from tenants.kernel.database import Scope, Work, run
from tenants.kernel.errors import FieldError, Forbidden, Invalid, Problem, Text
from tenants.kernel.statements import read
from tenants.kernel.strict_json import decode
from tenants.principal import Principal

blueprint = Noun(
    "support-records", __name__, url_prefix="/v1/support-records", description="支持记录 / support records"
)

RECORDS_AT_ONCE = 1000
_BODY = {"required": True, "content": {"application/json": {"schema": SupportRecordSchema}}}
_LINES = {"required": True, "content": {"application/x-ndjson": {"schema": {"type": "string"}}}}


@blueprint.post("")
@blueprint.doc(requestBody=_BODY, responses={"201": {"description": "stored"}, "200": {"description": "stored before"}})
@needs("support:write")
def submit_record() -> Response:
    """Register one support record."""
    return take_record(load(SupportRecordSchema(), json_body(MAX_BODY_BYTES)))


def take_record(given: SupportRecord) -> Response:
    """Register the support record that this request makes, in whatever form it came.

    Raises:
        Forbidden: the caller is no platform's client.
        Invalid: platform or tenant are not the caller's.
        Conflict: the external id came before with other content.
    """
    caller = principal()
    one = checked(caller, given)

    def use_case(work: Work) -> Answer:
        _refuse_probing(work, current(), caller)
        done = register_support(work, current().vault, caller.client_id, caller.subject, [one])[0]
        if isinstance(done, Problem):
            raise done
        return Answer(_json(done), done.status)

    try:
        return in_transaction(use_case, raced=RACED)
    except IntegrityError as error:
        raise taken_id(error) from error


@blueprint.post("/bulk")
@blueprint.doc(requestBody=_LINES, responses={"200": {"description": "one answer a line, in order"}})
@needs("support:write")
def submit_records() -> Response:
    """Register support records by the line; good lines go in whatever the others are."""
    service, caller, english = current(), principal(), wants_english()
    chunks = gathered(body_lines(MAX_BODY_BYTES), caller)
    return answer_lines(_take(service, caller, chunk, english=english) for chunk in chunks)


Chunk = list[tuple[int, SupportRecord | Problem]]


def _read(lines: Iterator[Line], caller: Principal) -> Iterator[tuple[int, SupportRecord | Problem]]:
    for line in lines:
        try:
            if line.content is None:
                raise too_large(MAX_BODY_BYTES)
            yield line.number, checked(caller, read_support_record(decode(line.content, MAX_BODY_BYTES)))
        except Problem as problem:
            yield line.number, problem


def gathered(lines: Iterator[Line], caller: Principal) -> Iterator[Chunk]:
    """The lines in chunks: consecutive records of one tenant."""
    return in_chunks(_read(lines, caller))


def in_chunks(lines: Iterator[tuple[int, SupportRecord | Problem]], at_once: int = RECORDS_AT_ONCE) -> Iterator[Chunk]:
    """Consecutive records of one tenant, so many ``at_once`` at most."""
    chunk: Chunk = []
    tenant: str | None = None
    for number, one in lines:
        other_tenant = isinstance(one, SupportRecord) and tenant not in {None, one.tenant}
        if len(chunk) >= at_once or other_tenant:
            yield chunk
            chunk, tenant = [], None
        if isinstance(one, SupportRecord):
            tenant = one.tenant
        chunk.append((number, one))
    yield chunk


def _take(service: Service, caller: Principal, chunk: Chunk, *, english: bool) -> Iterator[dict[str, Json]]:
    done = iter(registered(service, caller, [one for _, one in chunk if isinstance(one, SupportRecord)]))
    for number, one in chunk:
        answer = one if isinstance(one, Problem) else next(done)
        if isinstance(answer, Problem):
            yield refused_line(number, answer, english=english)
        else:
            yield {"line": number, "status": answer.status, "support_record": _json(answer)}


Told = TypeVar("Told", Registered | Problem, Registered | Problem | None)
Register = Callable[[Work, Vault, str, str, Sequence[SupportRecord]], list[Told]]
"""A way to register records in one transaction."""


def registered(
    service: Service, caller: Principal, records: list[SupportRecord], *, limited: bool = True, hopeful: bool = False
) -> list[Registered | Problem]:
    """What became of each of the records, which are of one tenant, in their order.

    ``limited``: the caller comes from outside, and meets only so many of other tenants' keys in an hour. ``hopeful``:
    all are expected to be new, as those before them were.
    """
    if not records:
        return []
    if len(records) < FEW:
        return _registered(service, caller, records, register_support, limited=limited)
    first = [register_new] if hopeful else []
    answers = _registered(service, caller, records, _in_turn(*first, register_free), limited=limited)
    left = [one for one, answer in zip(records, answers, strict=True) if answer is None]
    then = iter(_registered(service, caller, left, register_support, limited=limited) if left else ())
    return [next(then) if answer is None else answer for answer in answers]


def registered_ready(service: Service, caller: Principal, ready: Ready, turn: Turns | None = None) -> tuple[int, ...]:
    """Store the caller's records as they were made ready, where nothing speaks against it; in their ``turn``.

    The answer is the versions of the registry's key that are written now; where they are not those of ``ready``, or
    none, nothing is stored: one of the records or keys is known, or the database is away. :func:`registered` tells.
    """
    left = [ready]

    def use_case(work: Work) -> tuple[int, ...]:
        return register_ready(work, caller.client_id, caller.subject, left.pop(), turn) if left else ()

    try:
        return run(service.engine, Scope(caller.tenants, caller.platform), service.machine, use_case, RACED)
    except (Problem, IntegrityError):
        return ()


def written_beforehand(service: Service, scope: Scope) -> tuple[int, ...]:
    """The versions of the registry's key that are written for the time being; none where the database is away."""
    try:
        return run(service.engine, scope, service.machine, lambda work: written_now(work.connection))
    except Problem:
        return ()


def _in_turn(*ways: Register[Registered | Problem | None]) -> Register[Registered | Problem | None]:
    """Each attempt in the next way, and all that follow in the last."""
    left = list(ways)

    def register(*given: Any) -> list[Registered | Problem | None]:  # noqa: ANN401 - passed on as they are
        way = left.pop(0) if len(left) > 1 else left[0]
        return way(*given)

    return register


def _registered(
    service: Service,
    caller: Principal,
    records: list[SupportRecord],
    register: Register[Told],
    *,
    limited: bool,
) -> list[Told]:
    def use_case(work: Work) -> list[Told]:
        if limited:
            _refuse_probing(work, service, caller)
        return register(work, service.vault, caller.client_id, caller.subject, records)

    try:
        return run(service.engine, Scope(caller.tenants, caller.platform), service.machine, use_case, RACED)
    except Problem as problem:
        return [problem for _ in records]
    except IntegrityError as error:
        if len(records) > 1:
            return [answer for one in records for answer in registered(service, caller, [one], limited=limited)]
        return [taken_id(error)]


def _refuse_probing(work: Work, service: Service, caller: Principal) -> None:
    """Refuse a client that met too many of other tenants' keys, whatever it sends.

    Raises:
        TooManyRequests: ``registry.probes_exceeded``.
    """
    if read(work.connection, met_this_hour(caller.client_id, work.at)) >= service.settings.looks_per_hour:
        raise too_many(work.at)


def checked(caller: Principal, loaded: Any) -> SupportRecord:  # noqa: ANN401 - what the schema makes
    """The record, unless it is not the caller's to state.

    Raises:
        Forbidden: the caller is no platform's client.
        Invalid: platform or tenant are not the caller's.
    """
    one: SupportRecord = loaded
    if caller.platform is None:
        raise Forbidden("platform.missing", "只有平台的客户端可以提交。", "Only a platform's client may submit.")
    faults = []
    if one.platform != caller.platform:
        said = Text("与本客户端的平台不符。", "This is not the client's platform.")
        faults.append(FieldError("/platform", "platform.differs", said))
    if one.tenant not in caller.tenants:
        said = Text("没有这个区域，或本客户端不可向其提交。", "No such tenant, or this client may not submit for it.")
        faults.append(FieldError("/tenant", "tenant.unknown", said))
    if faults:
        raise Invalid("support_record.invalid", "支持记录有误。", "The record has faults.", errors=tuple(faults))
    return one


def _json(done: Registered) -> dict[str, Json]:
    return {"id": str(done.record_id), "keys": done.keys, "collisions": list(done.collisions)}
