"""A platform's receiver of webhooks by itself: a real HTTP server that takes messages, well or with one fault."""

import hashlib
import hmac
import json
import threading
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from connectors.client.patience import sleep
from connectors.simulators.listening import listening
from connectors.webhook_signature import ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, TOLERANCE
from tenants.kernel.clock import Clock

KNOWN_TYPES: Final = frozenset(
    {"claim.in_review", "claim.approved", "batch.instructed", "payout.paid", "payout.returned"}
)
KNOWN_MEMBERS: Final = frozenset({"type", "timestamp", "id", "seq", "tenant", "subject_id", "data", "test", "padding"})
SMALL: Final = 65_536
_LOOK: Final = timedelta(milliseconds=20)
_PREFIX: Final = "whsec_"


class Fault(StrEnum):
    """What the receiver does wrong; each is a mistake that platforms make."""

    NONE = "none"
    WRONG_SECRET = "wrong_secret"  # noqa: S105 - a fault's name
    REDIRECTS = "redirects"
    GONE = "gone"
    BREAKS = "breaks"
    SILENT = "silent"
    SLOW = "slow"
    """At the first message that it takes."""
    BELIEVES_UNSIGNED = "believes_unsigned"
    BELIEVES_ANY = "believes_any"
    SIGNS_NO_BODY = "signs_no_body"
    SIGNS_NO_ID = "signs_no_id"
    TAKES_OLD = "takes_old"
    TAKES_FUTURE = "takes_future"
    ONE_SIGNATURE = "one_signature"
    REFUSES_TWICE = "refuses_twice"
    REFUSES_LATE = "refuses_late"
    KNOWN_TYPES_ONLY = "known_types_only"
    KNOWN_MEMBERS_ONLY = "known_members_only"
    OWN_CLAIMS_ONLY = "own_claims_only"
    CLAIMS_ONLY = "claims_only"
    """It takes every event for one of a claim's state."""
    ASCII_ONLY = "ascii_only"
    SMALL_ONLY = "small_only"
    ONE_AT_A_TIME = "one_at_a_time"


@dataclass
class Ear:
    """What it knows, and what it does wrong."""

    secret: str
    clock: Clock
    fault: Fault = Fault.NONE
    delay: timedelta = timedelta(seconds=6)
    seen: set[str] = field(default_factory=set)
    latest: dict[str, int] = field(default_factory=dict)
    busy: threading.Lock = field(default_factory=threading.Lock)

    def hear(self, headers: Mapping[str, str], body: bytes) -> int:
        """The status of the answer to one message."""
        early = _AT_ONCE.get(self.fault)
        if early is not None:
            return early
        if self.fault == Fault.SMALL_ONLY and len(body) > SMALL:
            return 413
        if not self._believes({name.lower(): value for name, value in headers.items()}, body):
            return 401
        return self._take(body)

    def _believes(self, headers: Mapping[str, str], body: bytes) -> bool:
        if self.fault == Fault.BELIEVES_UNSIGNED and SIGNATURE_HEADER not in headers:
            return True
        message, second, given = (headers.get(n, "") for n in (ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER))
        if not given or not second.isdecimal():
            return False
        age = int(self.clock.now().timestamp()) - int(second)
        too_old = age > TOLERANCE.total_seconds() and self.fault != Fault.TAKES_OLD
        too_new = -age > TOLERANCE.total_seconds() and self.fault != Fault.TAKES_FUTURE
        if too_old or too_new:
            return False
        return self.fault == Fault.BELIEVES_ANY or self._signed(message, second, given, body)

    def _signed(self, message: str, second: str, given: str, body: bytes) -> bool:
        key = b64decode(self.secret.removeprefix(_PREFIX))
        if self.fault == Fault.WRONG_SECRET:
            key = key[::-1]
        signatures = given.split()
        if self.fault == Fault.ONE_SIGNATURE:
            signatures = signatures[:1]
        allowed = [message, *(self.seen if self.fault == Fault.SIGNS_NO_ID else ())]
        for name in allowed:
            signed = f"{name}.{second}.".encode() + body
            expected = f"v1,{b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}"
            if any(hmac.compare_digest(one.encode(), expected.encode()) for one in signatures):
                return True
        return self.fault == Fault.SIGNS_NO_BODY and any(one.startswith("v1,") for one in signatures)

    def _take(self, body: bytes) -> int:
        if self.fault == Fault.ASCII_ONLY and not body.isascii():
            return 400
        told = json.loads(body)
        subject, seq = told["subject_id"], told["seq"]
        wrong = {
            Fault.REFUSES_TWICE: told["id"] in self.seen,
            Fault.REFUSES_LATE: seq < self.latest.get(subject, 0) and told["id"] not in self.seen,
            Fault.KNOWN_TYPES_ONLY: told["type"] not in KNOWN_TYPES,
            Fault.KNOWN_MEMBERS_ONLY: not KNOWN_MEMBERS.issuperset(told),
            Fault.CLAIMS_ONLY: not {"external_id", "state"} <= told["data"].keys(),
            Fault.OWN_CLAIMS_ONLY: bool(self.latest) and subject not in self.latest,
        }.get(self.fault, False)
        if wrong:
            return 422
        if self.fault == Fault.ONE_AT_A_TIME:
            if not self.busy.acquire(blocking=False):
                return 503
            sleep(_LOOK)
            self.busy.release()
        self.seen.add(told["id"])
        self.latest[subject] = max(seq, self.latest.get(subject, 0))
        return 204


_AT_ONCE: Final = {Fault.REDIRECTS: 302, Fault.GONE: 410, Fault.BREAKS: 500}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    ear: Ear


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        ear = self.server.ear
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if ear.fault == Fault.SILENT:
            sleep(ear.delay)
            return
        status = ear.hear(dict(self.headers), body)
        if ear.fault == Fault.SLOW and len(ear.seen) == 1:
            sleep(ear.delay)
        self.send_response_only(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def ear_listening(ear: Ear) -> Iterator[str]:
    """The receiver's address; it listens until the block ends."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.ear = ear
        with listening(server) as address:
            yield f"{address}/told"
