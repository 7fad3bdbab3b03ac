"""One caller of the service: its token, its connections, and every call tried until it is answered."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Self
from urllib.parse import urlencode
from uuid import uuid4

import urllib3
from joserfc.jwk import ECKey

from connectors.client.credentials import GRANT, Credentials
from connectors.client.errors import CallError, UnansweredError
from connectors.client.patience import RETRIED_STATUSES, Patience
from tenants.kernel.clock import SystemClock
from tenants.request_signature import HEADER, sign

PAGE: Final = 200
TIMEOUT_SECONDS: Final = 60
CONNECTIONS: Final = 8
REFRESH_BEFORE_SECONDS: Final = 60
"""A token that ends within so long is not used any more: a call may take that long."""
FIRST_ERROR: Final = 400
UNAUTHORIZED: Final = 401
TOKEN_PATH: Final = "/oauth/token"  # noqa: S105 - an address
JSON_TYPE: Final = "application/json"
FORM_TYPE: Final = "application/x-www-form-urlencoded"
_LIFE_WHERE_UNSAID_SECONDS: Final = 300


class Caller:
    """Calls one service as one client; may be shared by threads.

    A write carries an ``Idempotency-Key`` that stays the same over its attempts, so that it takes effect once.
    """

    def __init__(
        self,
        address: str,
        credentials: Credentials | None,
        patience: Patience | None = None,
        *,
        packs: bool = False,
        signs_with: ECKey | None = None,
        signs_messages: bool = False,
    ) -> None:
        """``packs``: bulk lines go, and their answers come, as gzip; ``signs_with``: every write is signed anew.

        ``signs_messages``: by HTTP message signatures (RFC 9421) and not by a detached JWS in ``X-Signature``. Then
        ``address`` is the one that the service's operator names as its own.
        """
        self._signs_messages = signs_messages
        self.packs = packs
        self._signs_with = signs_with
        self.address = address.rstrip("/")
        self.patience = patience or Patience()
        self._credentials = credentials
        self._pool = urllib3.PoolManager(maxsize=CONNECTIONS, retries=False, timeout=TIMEOUT_SECONDS)
        self._lock = threading.Lock()
        self._token = ""
        self._ends_at = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connections."""
        self._pool.clear()

    @property
    def token(self) -> str:
        """A bearer token with some life left, asked for when it is needed.

        Raises:
            CallError: the service knows no such client, or not with these credentials.
            UnansweredError: no answer came.
        """
        with self._lock:
            if time.monotonic() >= self._ends_at:
                self._ask_token()
            return self._token

    def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """The JSON answer of a ``GET``."""
        return json.loads(self.raw("GET", path).data)

    def post(self, path: str, body: object = None, *, idempotency_key: str | None = None) -> Any:  # noqa: ANN401 - JSON
        """The JSON answer of a ``POST``."""
        return self._write("POST", path, body, idempotency_key)

    def put(self, path: str, body: object, *, idempotency_key: str | None = None) -> Any:  # noqa: ANN401 - JSON
        """The JSON answer of a ``PUT``."""
        return self._write("PUT", path, body, idempotency_key)

    def pages(self, path: str) -> Iterator[Any]:
        """All items of a list, page by page."""
        cursor = ""
        while True:
            mark = "&" if "?" in path else "?"
            page = self.get(f"{path}{mark}limit={PAGE}{cursor}")
            yield from page["items"]
            if page["next_cursor"] is None:
                return
            cursor = f"&cursor={page['next_cursor']}"

    def raw(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        content_type: str | None = None,
        *,
        idempotency_key: str | None = None,
    ) -> urllib3.BaseHTTPResponse:
        """One call, tried until it is answered.

        Raises:
            CallError: the service refused it.
            UnansweredError: no answer came.
        """
        headers = {} if content_type is None else {"Content-Type": content_type}
        if method != "GET":
            headers["Idempotency-Key"] = idempotency_key or str(uuid4())
        answer = self._until_answered(f"{method} {path}", lambda: self.once(method, path, body, headers))
        if answer.status >= FIRST_ERROR:
            raise CallError(f"{method} {path}", answer.status, answer.data.decode(errors="replace"))
        return answer

    def once(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], *, preload: bool = True
    ) -> urllib3.BaseHTTPResponse:
        """One attempt, repeated only where its token had just run out; without ``preload`` the body is yet to be read.

        Raises:
            urllib3.exceptions.HTTPError: no answer came.
        """
        token = None if self._credentials is None else self.token
        answer = self._send(method, path, body, headers, token, preload=preload)
        if answer.status == UNAUTHORIZED and token is not None:
            answer.drain_conn()
            self._forget(token)
            answer = self._send(method, path, body, headers, self.token, preload=preload)
        return answer

    def _send(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        token: str | None,
        *,
        preload: bool,
    ) -> urllib3.BaseHTTPResponse:
        more = {} if token is None else {"Authorization": f"Bearer {token}"}
        if self._signs_with is not None and token is not None and method != "GET":
            more |= self._signature(self._signs_with, method, path, body or b"", headers.get("Content-Type"))
        return self._pool.request(
            method,
            f"{self.address}{path}",
            body=body,
            headers={**headers, **more},
            preload_content=preload,
            redirect=False,
        )

    def _signature(self, key: ECKey, method: str, path: str, body: bytes, content_type: str | None) -> dict[str, str]:
        now = SystemClock().now()
        if not self._signs_messages:
            return {HEADER: sign(key, method, path, body, now)}
        from tenants.message_signature import sign_message  # noqa: PLC0415 - who does not sign so does without it

        return sign_message(key, method, f"{self.address}{path}", body, content_type, now)

    def _until_answered(self, call: str, attempt: Callable[[], urllib3.BaseHTTPResponse]) -> urllib3.BaseHTTPResponse:
        """The first answer that is not to come again later, or the last of all."""
        number = 0
        while True:
            number += 1
            last = number >= self.patience.attempts
            try:
                answer = attempt()
            except urllib3.exceptions.HTTPError as error:
                if last:
                    raise UnansweredError(f"{call}: no answer in {number} attempts: {error}") from error
                self.patience.pause(number)
                continue
            if last or answer.status not in RETRIED_STATUSES:
                return answer
            self.patience.pause(number, answer.headers.get("Retry-After"))

    def _write(self, method: str, path: str, body: object, idempotency_key: str | None) -> Any:  # noqa: ANN401 - JSON
        data = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        kind = None if data is None else JSON_TYPE
        return json.loads(self.raw(method, path, data, kind, idempotency_key=idempotency_key).data)

    def _forget(self, token: str) -> None:
        """The token is refused: the next call gets another, unless a thread got one meanwhile."""
        with self._lock:
            if self._token == token:
                self._ends_at = time.monotonic()

    def _ask_token(self) -> None:
        if self._credentials is None:
            raise ValueError("a caller without credentials has no token")
        call, credentials, asked_at = f"POST {TOKEN_PATH}", self._credentials, time.monotonic()

        def ask() -> urllib3.BaseHTTPResponse:
            form = {"grant_type": GRANT, **credentials.form(f"{self.address}{TOKEN_PATH}")}
            headers = {"Content-Type": FORM_TYPE, **credentials.headers()}
            return self._send("POST", TOKEN_PATH, urlencode(form).encode(), headers, None, preload=True)

        answer = self._until_answered(call, ask)
        if answer.status >= FIRST_ERROR:
            raise CallError(call, answer.status, answer.data.decode(errors="replace"))
        given = json.loads(answer.data)
        life = int(given.get("expires_in", _LIFE_WHERE_UNSAID_SECONDS))
        self._token = str(given["access_token"])
        self._ends_at = asked_at + max(life - REFRESH_BEFORE_SECONDS, life // 2)
