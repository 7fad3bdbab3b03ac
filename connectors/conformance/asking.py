"""One request to the platform's system, and its answer or why there was none."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import urllib3

from tenants.kernel.errors import Text

GOOD: Final = range(200, 300)
REFUSED: Final = range(400, 500)
MAX_BYTES: Final = 9 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; ``status`` is 0 where none came, and ``why`` then says why."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    took: timedelta
    why: str = ""

    @property
    def good(self) -> bool:
        """Whether it took what it was given."""
        return self.status in GOOD

    @property
    def refused(self) -> bool:
        """Whether it refused what it was given, as the asker's fault."""
        return self.status in REFUSED

    @property
    def said(self) -> Text:
        """The answer in words."""
        if self.status:
            return Text(f"答复 {self.status}", f"it answered {self.status}")
        return Text(f"没有答复：{self.why}", f"no answer: {self.why}")


class Asker:
    """Asks one address, waiting so long for each answer, and follows no redirection."""

    def __init__(self, address: str, deadline: timedelta) -> None:
        self.address = address
        self._pool = urllib3.PoolManager(retries=False, timeout=deadline.total_seconds(), maxsize=8)

    def ask(self, method: str, headers: Mapping[str, str], body: bytes | None = None, query: str = "") -> Reply:
        """The answer to one request."""
        joined = f"{self.address}{'&' if '?' in self.address else '?'}{query}" if query else self.address
        began = time.monotonic_ns()
        try:
            answer = self._pool.request(
                method, joined, body=body, headers=dict(headers), redirect=False, preload_content=False
            )
            data = answer.read(MAX_BYTES)
            answer.release_conn()
        except urllib3.exceptions.HTTPError as error:
            return Reply(0, {}, b"", _since(began), type(error).__name__)
        found = {name.lower(): value for name, value in answer.headers.items()}
        return Reply(answer.status, found, data, _since(began))


def _since(began: int) -> timedelta:
    return timedelta(microseconds=(time.monotonic_ns() - began) // 1000)
