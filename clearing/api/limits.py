"""How often one address may call what needs no token: a bound against floods, far above what an honest client needs."""

import functools
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from flask import Flask, request

from tenants.kernel.errors import TooManyRequests

CALLS_PER_WINDOW: Final = 1200
WINDOW_SECONDS: Final = 60
OPEN_ENDPOINTS: Final = ("issue_token", "notices.", "payouts.", "console_instruction.")
"""Endpoints, or the beginnings of their names, that anybody may call."""
ADDRESSES_COUNTED: Final = 10_000
"""More in one window are not told apart: the next ones share a count."""


class Window:
    """Counts the calls of each address, from zero in every window of time."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._ends = 0.0
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def takes(self, address: str) -> bool:
        """Count one call; whether it is within the limit."""
        with self._lock:
            if self._clock() >= self._ends:
                self._ends = self._clock() + WINDOW_SECONDS
                self._counts.clear()
            if len(self._counts) >= ADDRESSES_COUNTED and address not in self._counts:
                address = ""
            self._counts[address] += 1
            return self._counts[address] <= self._limit


def limit_open_calls(app: Flask) -> None:
    """Limit the calls that need no token, for each address and in each process by itself.

    Counted in memory, so that a queue that is away neither stops the service nor opens the gate; and around these views
    only, so that the others pay nothing for it.
    """
    window = Window(CALLS_PER_WINDOW)

    def limited(view: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(view)
        def counted(**kwargs: Any) -> Any:  # noqa: ANN401 - whatever the view takes and answers
            if not window.takes(request.remote_addr or ""):
                raise TooManyRequests(
                    "rate.exceeded",
                    "请求过于频繁，请稍后再试。",
                    "Too many requests; please wait.",
                    retry_after_seconds=WINDOW_SECONDS,
                )
            return view(**kwargs)

        return counted

    for name, view in app.view_functions.items():
        if name.startswith(OPEN_ENDPOINTS):
            app.view_functions[name] = limited(view)
