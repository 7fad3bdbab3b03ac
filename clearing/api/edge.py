"""What every request passes on its way in and every answer on its way out: number, headers, a line in the log."""

import re
import time
from typing import Final

from flask import Flask, Response, current_app, g, request

from clearing.logs import write_line
from clearing.metrics import observe_request
from clearing.operating.requests import entry_of, shown_path, shown_query
from tenants.instance import HEADER
from tenants.kernel.clock import SystemClock
from tenants.kernel.ids import new_id

MAX_FORM_BYTES: Final = 64 * 1024
MAX_ID_CHARACTERS: Final = 64

_REQUEST_ID: Final = re.compile(rf"[A-Za-z0-9._-]{{1,{MAX_ID_CHARACTERS}}}")
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_QUIET_PATHS: Final = frozenset({"/healthz", "/readyz", "/metrics"})
_FIRST_ERROR: Final = 400

API_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"
"""The content security policy of every answer that does not state its own."""
SECURITY_HEADERS: Final = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Content-Security-Policy", API_POLICY),
    ("Cache-Control", "no-store"),
)
"""Set on every answer that does not state its own."""


def watch(app: Flask) -> None:
    """Number, time, log and count every request, and set the headers of every answer."""
    app.before_request(_begin)
    app.after_request(_finish)


def _begin() -> None:
    here, environ = g._get_current_object(), request.environ  # noqa: SLF001 - werkzeug's documented way past the proxy
    here.begun = time.perf_counter()
    given = environ.get("HTTP_X_REQUEST_ID")
    here.request_id = given if given and _REQUEST_ID.fullmatch(given) else str(new_id())
    trace = environ.get("HTTP_TRACEPARENT")
    here.trace = trace if trace and _TRACEPARENT.fullmatch(trace) else None


def _finish(response: Response) -> Response:
    here, headers = g._get_current_object(), response.headers  # noqa: SLF001 - as above
    stated = {name.lower() for name, _ in headers}
    headers.extend([pair for pair in SECURITY_HEADERS if pair[0].lower() not in stated])
    headers.add("X-Request-Id", here.request_id)
    headers.add(HEADER, current_app.extensions["clearing"].settings.mark)
    if here.trace is not None:
        headers.add("traceparent", here.trace)
    seconds = time.perf_counter() - here.begun
    rule, method = request.url_rule, request.method
    route = "(none)" if rule is None else rule.rule
    observe_request(method, route, response.status_code, seconds)
    caller = here.get("principal")
    if caller is not None and caller.platform is not None:
        _keep(response, caller.client_id, route, int(seconds * 1000))
    if response.status_code >= _FIRST_ERROR or request.path not in _QUIET_PATHS:
        write_line(
            {
                "event": "request",
                "request_id": here.request_id,
                "trace": here.trace,
                "method": method,
                "route": route,
                "status": response.status_code,
                "milliseconds": int(seconds * 1000),
                "client": None if caller is None else caller.client_id,
            }
        )
    return response


def _keep(response: Response, client_id: str, route: str, milliseconds: int) -> None:
    """Keep what an operator may see of a platform's request, see ``clearing.operating.requests``."""
    entry = entry_of(
        SystemClock().now(),
        request_id=g.request_id,
        method=request.method,
        path=shown_path(route, request.view_args or {}),
        query=shown_query(list(request.args.items(multi=True))),
        type=request.mimetype or None,
        bytes=request.content_length,
        status=response.status_code,
        code=g.get("problem_code"),
        milliseconds=milliseconds,
    )
    current_app.extensions["clearing-requests"].note(client_id, entry)
