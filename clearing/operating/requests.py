"""The request log: of each client its last requests, for a week, so that an operator sees what a platform sees.

Kept in Redis, at most so many a client, and never for a decision: when it is empty or away, nothing else changes. Of a
request it keeps the instant, the number, the method, the path, the names of query parameters, the size and type of the
body and how it was answered. No header, no body, no secret, no credit code and no value of a query that could be one.
"""

import json
import queue
import shlex
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

import structlog
from redis import Redis
from redis.exceptions import RedisError

from tenants.kernel.canonical import Json

KEPT_REQUESTS: Final = 200
"""Of each client."""
KEPT_FOR: Final = timedelta(days=7)
WAITING_ENTRIES: Final = 2_000
"""More than these wait for Redis only where it is away; the next ones are lost."""
TOGETHER: Final = 100
MASK: Final = "***"
OPEN_QUERY: Final = frozenset(
    {
        "tenant",
        "scheme",
        "mode",
        "state",
        "platform",
        "quota_year",
        "limit",
        "format",
        "kind",
        "what",
        "form",
        "waiting",
    }
)
"""Query parameters whose values say nothing of an enterprise."""
HIDDEN_ARGUMENTS: Final = frozenset({"uscc"})
"""Parts of a path that name an enterprise or provider."""
_PREFIX: Final = "clearing:requests:"
_log = structlog.get_logger()


class RequestLog:
    """Writes from a thread of its own, so that no request waits for Redis; the thread begins with the first entry."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._waiting: queue.Queue[tuple[str, str]] = queue.Queue(WAITING_ENTRIES)
        self._lock = threading.Lock()
        self._writer: threading.Thread | None = None

    def note(self, client_id: str, entry: Mapping[str, Json]) -> None:
        """Keep the entry; never raises and never waits."""
        try:
            self._waiting.put_nowait((client_id, json.dumps(entry, ensure_ascii=False)))
        except queue.Full:
            return
        with self._lock:
            if self._writer is None or not self._writer.is_alive():  # as after a fork
                self._writer = threading.Thread(target=self._write, name="request-log", daemon=True)
                self._writer.start()

    def flush(self) -> None:
        """Wait until everything noted is written or lost."""
        self._waiting.join()

    def of(self, client_id: str) -> list[dict[str, Any]]:
        """The client's requests, the newest first; none where Redis is away."""
        try:
            raw: Any = self._redis.lrange(_PREFIX + client_id, 0, KEPT_REQUESTS - 1)
        except RedisError:
            return []
        return [entry for line in raw if (entry := _read(line)) is not None]

    def latest(self, client_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Each client's last request, where one is known."""
        try:
            pipeline = self._redis.pipeline(transaction=False)
            for client_id in client_ids:
                pipeline.lindex(_PREFIX + client_id, 0)
            raw = pipeline.execute() if client_ids else []
        except RedisError:
            return {}
        found = zip(client_ids, raw, strict=True)
        return {client_id: entry for client_id, line in found if (entry := _read(line)) is not None}

    def _write(self) -> None:
        while True:
            entries = [self._waiting.get()]
            while len(entries) < TOGETHER and not self._waiting.empty():
                entries.append(self._waiting.get())
            try:
                self._keep(entries)
            except RedisError as error:
                _log.warning("request_log_lost", entries=len(entries), error=type(error).__name__)
            finally:
                for _ in entries:
                    self._waiting.task_done()

    def _keep(self, entries: Sequence[tuple[str, str]]) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for client_id, line in entries:
            pipeline.lpush(_PREFIX + client_id, line)
            pipeline.ltrim(_PREFIX + client_id, 0, KEPT_REQUESTS - 1)
            pipeline.expire(_PREFIX + client_id, KEPT_FOR)
        pipeline.execute()


def shown_path(rule: str, arguments: Mapping[str, Any]) -> str:
    """The path of the rule with its arguments, those hidden that name an enterprise or provider."""
    parts = []
    for part in rule.split("/"):
        name = part.removesuffix(">").removeprefix("<").rpartition(":")[2]
        if part.startswith("<") and part.endswith(">"):
            parts.append(MASK if name in HIDDEN_ARGUMENTS else str(arguments.get(name, MASK)))
        else:
            parts.append(part)
    return "/".join(parts)


def shown_query(query: Sequence[tuple[str, str]]) -> str:
    """The query with the values hidden that could name an enterprise."""
    return urlencode([(name, value if name in OPEN_QUERY else MASK) for name, value in query], safe="*")


def entry_of(at: datetime, **said: Json) -> dict[str, Json]:
    """An entry of the log."""
    return {"at": at.isoformat(), **said}


def curl_of(entry: Mapping[str, Any]) -> str:
    """The request as a line for a shell: token and body are whoever's runs it, they were never kept."""
    method, address = str(entry.get("method", "GET")), str(entry.get("path", "/"))
    query = str(entry.get("query") or "")
    target = address + (f"?{query}" if query else "")
    parts = ["curl", "-sS", "-X", shlex.quote(method), '"$CLEARING_ADDRESS"' + shlex.quote(target)]
    parts += ["-H", '"Authorization: Bearer $TOKEN"']
    if entry.get("bytes"):
        parts += ["-H", shlex.quote(f"Content-Type: {entry.get('type') or 'application/json'}")]
        parts += ["--data-binary", "@body"]
    return " ".join(parts)


def _read(line: object) -> dict[str, Any] | None:
    """An entry as it was written; ``None`` for whatever else lies there."""
    if not isinstance(line, bytes | str):
        return None
    try:
        entry = json.loads(line)
        datetime.fromisoformat(entry["at"])
    except (ValueError, KeyError, TypeError):
        return None
    return entry if isinstance(entry, dict) else None
