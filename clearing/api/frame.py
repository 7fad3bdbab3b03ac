"""The frame of every call: who calls, within which tenants, in one transaction, answered once per idempotency key."""

import functools
import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, ParamSpec, TypeVar, cast

from flask import Response, current_app, g, request
from sqlalchemy import Connection

from clearing.api.entrance import check_address, check_signed
from clearing.api.problems import problem_response
from clearing.api.taking import SharedIntake
from clearing.service import Service
from tenants.credentials import principal_of
from tenants.instance import is_own, other_instances
from tenants.kernel.canonical import Json, canonical_bytes, sha256
from tenants.kernel.database import Scope, Work, database_away, run
from tenants.kernel.errors import Conflict, Forbidden, Malformed, Problem, Unauthenticated, not_found
from tenants.principal import Principal

PRINCIPAL_CACHE_LIFE: Final = timedelta(seconds=2)
"""How long a process may go on honouring a token or client that was just revoked."""
PRINCIPAL_CACHE_SIZE: Final = 1000
IDEMPOTENCY_KEY_LENGTH: Final = 255

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call answers: JSON data, a status, and headers.

    ``once`` holds members of the data that are secret: they are told now, and never stored with an idempotency key.
    """

    body: Json
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    once: Mapping[str, Json] = field(default_factory=dict)


def current() -> Service:
    """The service of this application."""
    return cast("Service", current_app.extensions["clearing"])


def principal() -> Principal:
    """Who makes this request.

    Raises:
        Unauthenticated: no bearer token, or one that is unknown, run out, revoked, or of the other kind of instance.
        Forbidden: it may not call from there.
    """
    if "principal" not in g:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated(
                "token.missing",
                "请先取得访问令牌（POST /oauth/token）。",
                "Get an access token first (POST /oauth/token).",
            )
        sandbox = current().settings.sandbox
        if not is_own(token.strip(), sandbox=sandbox):
            raise other_instances("token.other_instance", sandbox=sandbox)
        found = _tokens().find(token.strip())
        if found is None:
            raise Unauthenticated(
                "token.invalid", "访问令牌无效或已过期。", "The access token is invalid or has expired."
            )
        check_address(found)
        g.principal = found
    return cast("Principal", g.principal)


def needs(*scopes: str) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
    """The caller must hold one of the scopes, and the path's ``tenant`` must be one of the caller's."""

    def decorate(view: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        @functools.wraps(view)
        def checked(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            caller = principal()
            if not caller.may(*scopes):
                wanted = " / ".join(scopes)
                raise Forbidden("scope.missing", f"需要权限 {wanted}。", f"The scope {wanted} is needed.")
            tenant = kwargs.get("tenant")
            if tenant is not None and tenant not in caller.tenants:
                raise not_found("区域", "tenant")
            check_signed(current(), caller)
            return view(*args, **kwargs)

        checked.scopes = scopes  # type: ignore[attr-defined]  # the one table of rights, which the console reads too
        return checked

    return decorate


def in_transaction(
    use_case: Callable[[Work], Answer],
    tenants: tuple[str, ...] | None = None,
    raced: frozenset[str] = frozenset(),
) -> Response:
    """Run a use case in one transaction within the caller's tenants (or the given ones of them) and answer with it.

    On a writing call with an ``Idempotency-Key`` the answer is stored in the same transaction, and the same key and
    body get it again. ``raced`` is as in :func:`tenants.kernel.database.run`.
    """
    service, caller = current(), principal()
    scope = Scope(caller.tenants if tenants is None else tenants, caller.platform, caller.person)
    key = _idempotency_key()
    if key is None:
        return respond(run(service.engine, scope, service.machine, use_case, raced))
    try:
        return run(service.engine, scope, service.machine, lambda work: _once(work, caller, key, use_case), raced)
    except Problem as problem:
        if problem.status >= FIRST_SERVER_ERROR or isinstance(problem, _ReusedKeyError):
            raise
        return _remember_refusal(service, caller, key, problem)


FIRST_SERVER_ERROR: Final = 500


class _ReusedKeyError(Conflict):
    """The key came before with another request."""


def _once(work: Work, caller: Principal, key: str, use_case: Callable[[Work], Answer]) -> Response:
    replay = _taken_before(work.connection, caller, key, current().machine.now())
    if replay is not None:
        return replay
    answer = use_case(work)
    _keep(work.connection, caller, key, respond(replace(answer, once={})))
    return respond(answer)


def _keep(connection: Connection, caller: Principal, key: str, response: Response) -> None:
    headers = {name: value for name, value in response.headers.items() if name in _KEPT_HEADERS}
    connection.exec_driver_sql(
        "update idempotency_key set status = %s, headers = %s, body = %s where client_id = %s and key = %s",
        (response.status_code, json.dumps(headers), response.get_data(), caller.client_id, key),
    )


_KEPT_HEADERS: Final = frozenset({"Content-Type", "Location", "ETag", "Retry-After"})


def _taken_before(connection: Connection, caller: Principal, key: str, at: datetime) -> Response | None:
    """Take the key, waiting for whoever is taking it now; the stored answer where it was taken before."""
    digest = _request_digest()
    taken = connection.exec_driver_sql(
        "insert into idempotency_key (client_id, key, request_sha256, created_at) values (%s, %s, %s, %s) "
        "on conflict do nothing",
        (caller.client_id, key, digest, at),
    )
    if taken.rowcount == 1:
        return None
    stored = connection.exec_driver_sql(
        "select request_sha256, status, headers, body from idempotency_key where client_id = %s and key = %s",
        (caller.client_id, key),
    ).one()
    if bytes(stored[0]) != digest:
        raise _ReusedKeyError(
            "idempotency.key_reused",
            "此 Idempotency-Key 已用于另一个请求，请换一个键。",
            "This Idempotency-Key came before with another request; use a new key.",
        )
    if stored[1] is None:
        raise database_away()
    return Response(
        bytes(stored[3]),
        status=stored[1],
        headers={**json.loads(stored[2]), "Idempotency-Replayed": "true"},
    )


def _remember_refusal(service: Service, caller: Principal, key: str, problem: Problem) -> Response:
    """Store the refusal, whose own transaction is undone; another's answer where one came between and was stored."""
    with service.engine.begin() as connection:
        replay = _taken_before(connection, caller, key, service.machine.now())
        if replay is not None:
            return replay
        response = problem_response(problem)
        _keep(connection, caller, key, response)
    return response


def respond(answer: Answer) -> Response:
    """The answer over HTTP."""
    body = {**answer.body, **answer.once} if isinstance(answer.body, dict) else answer.body
    return Response(
        canonical_bytes(body), status=answer.status, headers=dict(answer.headers), mimetype="application/json"
    )


def _idempotency_key() -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is None or request.method not in {"POST", "PUT", "PATCH", "DELETE"}:
        return None
    if not key or len(key) > IDEMPOTENCY_KEY_LENGTH or not key.isascii() or not key.isprintable():
        raise Malformed(
            "idempotency.key_invalid",
            f"Idempotency-Key 须为 1 至 {IDEMPOTENCY_KEY_LENGTH} 个可打印 ASCII 字符。",
            f"Idempotency-Key must be 1 to {IDEMPOTENCY_KEY_LENGTH} printable ASCII characters.",
        )
    return key


def _request_digest() -> bytes:
    content = g.streamed_sha256 if "streamed_sha256" in g else request.get_data()
    return sha256(f"{request.method}\n{request.full_path}\n".encode() + content)


def streamed(digest: bytes) -> None:
    """Say what a body was whose stream has been read, so that an idempotency key is held against it too."""
    g.streamed_sha256 = digest


class TokenCache:
    """Who holds which token, for a moment: two seconds are what a revocation may take."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._known: OrderedDict[str, tuple[datetime, Principal]] = OrderedDict()

    def find(self, token: str) -> Principal | None:
        """The token's principal, asked of the database where it was not asked just now."""
        at = self._service.machine.now()
        known = self._known.get(token)
        if known is not None and known[0] > at:
            return known[1]
        with self._service.engine.connect() as connection:
            found = principal_of(connection, token, at)
        if found is None:
            self._known.pop(token, None)
            return None
        caller, expires_at = found
        self._known[token] = (min(at + PRINCIPAL_CACHE_LIFE, expires_at), caller)
        while len(self._known) > PRINCIPAL_CACHE_SIZE:
            self._known.popitem(last=False)
        return caller


def _tokens() -> TokenCache:
    return cast("TokenCache", current_app.extensions["clearing-tokens"])


def shared_intake() -> SharedIntake:
    """What takes single claims in."""
    return cast("SharedIntake", current_app.extensions["clearing-intake"])


def open_frame(extensions: dict[str, Any], service: Service) -> None:
    """Hang the service, its token cache and its intake into the application."""
    extensions["clearing"] = service
    extensions["clearing-tokens"] = TokenCache(service)
    extensions["clearing-intake"] = SharedIntake(service)
