"""A client of the running service over HTTP: one token, one connection, problems said aloud."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import urllib3

PAGE: Final = 200
TIMEOUT_SECONDS: Final = 60
FIRST_ERROR: Final = 400


class CallError(RuntimeError):
    """The service answered with a problem; the message is the service's own."""

    def __init__(self, call: str, status: int, body: str) -> None:
        super().__init__(f"{call} -> {status}: {body}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Caller:
    """Someone who calls the service with a token."""

    address: str
    pool: urllib3.PoolManager
    token: str | None = None

    def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """The JSON answer of a ``GET``."""
        return json.loads(self.raw("GET", path).data)

    def post(self, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        """The JSON answer of a ``POST``."""
        return self._write("POST", path, body)

    def put(self, path: str, body: object) -> Any:  # noqa: ANN401 - JSON
        """The JSON answer of a ``PUT``."""
        return self._write("PUT", path, body)

    def lines(self, path: str, bodies: list[Any]) -> list[Any]:
        """The answers, line by line, to NDJSON."""
        text = "".join(json.dumps(body, ensure_ascii=False) + "\n" for body in bodies)
        answer = self.raw("POST", path, text.encode(), "application/x-ndjson")
        return [json.loads(line) for line in answer.data.splitlines()]

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
        self, method: str, path: str, body: bytes | None = None, content_type: str | None = None
    ) -> urllib3.BaseHTTPResponse:
        """One call.

        Raises:
            CallError: the service answered with an error.
        """
        headers = {"Idempotency-Key": str(uuid4())} if method != "GET" else {}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        if content_type is not None:
            headers["Content-Type"] = content_type
        answer = self.pool.request(
            method, f"{self.address}{path}", body=body, headers=headers, timeout=TIMEOUT_SECONDS, retries=False
        )
        if answer.status >= FIRST_ERROR:
            raise CallError(f"{method} {path}", answer.status, answer.data.decode())
        return answer

    def _write(self, method: str, path: str, body: object) -> Any:  # noqa: ANN401 - JSON
        data = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        return json.loads(self.raw(method, path, data, None if data is None else "application/json").data)


def sign_in(address: str, client_id: str, client_secret: str) -> Caller:
    """A caller with a token of its own (RFC 6749 §4.4)."""
    pool = urllib3.PoolManager()
    headers = urllib3.make_headers(basic_auth=f"{client_id}:{client_secret}")
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    answer = pool.request(
        "POST",
        f"{address}/oauth/token",
        body=b"grant_type=client_credentials",
        headers=headers,
        timeout=TIMEOUT_SECONDS,
        retries=False,
    )
    if answer.status >= FIRST_ERROR:
        raise CallError("POST /oauth/token", answer.status, answer.data.decode())
    return Caller(address, pool, json.loads(answer.data)["access_token"])
