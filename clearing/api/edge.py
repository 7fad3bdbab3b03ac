"""What every request passes on its way in and every answer on its way out: number, headers, a line in the log."""

import re
import time
from typing import Final

import structlog
from flask import Flask, Response, g, request

from clearing.metrics import observe_request
from tenants.kernel.ids import new_id

MAX_FORM_BYTES: Final = 64 * 1024

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_QUIET_PATHS: Final = frozenset({"/healthz", "/readyz", "/metrics"})

SECURITY_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
API_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"
"""The content security policy of every answer that does not state its own."""

_log = structlog.get_logger()


def watch(app: Flask) -> None:
    """Number, time, log and count every request, and set the headers of every answer."""
    app.before_request(_begin)
    app.after_request(_finish)


def _begin() -> None:
    g.begun = time.perf_counter()
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if _REQUEST_ID.fullmatch(given) else str(new_id())
    trace = request.headers.get("traceparent", "")
    g.traceparent = trace if _TRACEPARENT.fullmatch(trace) else None


def _finish(response: Response) -> Response:
    headers = response.headers
    headers["X-Request-Id"] = g.request_id
    if g.traceparent:
        headers["traceparent"] = g.traceparent
    for name, value in SECURITY_HEADERS.items():
        headers.setdefault(name, value)
    headers.setdefault("Content-Security-Policy", API_POLICY)
    headers.setdefault("Cache-Control", "no-store")
    _account(response)
    return response


def _account(response: Response) -> None:
    seconds = time.perf_counter() - g.begun
    route = request.url_rule.rule if request.url_rule else "(none)"
    observe_request(request.method, route, response.status_code, seconds)
    if request.path in _QUIET_PATHS and response.status_code < 400:  # noqa: PLR2004 - no error
        return
    caller = g.get("principal")
    _log.info(
        "request",
        request_id=g.request_id,
        trace=g.traceparent,
        method=request.method,
        route=route,
        status=response.status_code,
        milliseconds=int(seconds * 1000),
        client=caller.client_id if caller else None,
    )
