"""A cheap client: one process, raw sockets that are kept open, requests made before the clock starts."""

import multiprocessing
import resource
import selectors
import socket
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Final

HEAD_END: Final = b"\r\n\r\n"
LENGTH: Final = b"content-length:"
READ_BYTES: Final = 256 * 1024
PATIENCE_SECONDS: Final = 60


@dataclass(frozen=True)
class Load:
    """What one run saw: seconds from the first request to the last answer, and each request's latency in ms."""

    seconds: float
    latencies_ms: list[float]
    answers: list[bytes]
    client_seconds: float
    """Processor time that the client itself took."""

    @property
    def client_share(self) -> float:
        """The part of one core that the client took."""
        return self.client_seconds / self.seconds


def request_bytes(path: str, token: str, body: bytes) -> bytes:
    """A whole `POST` of JSON."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def drive(port: int, requests: Sequence[bytes], connections: int, rate: float | None = None) -> Load:
    """Send the requests over so many connections: each at once when one is free, or at ``rate`` a second.

    At a rate, latency counts from the moment at which the request was due, as pgbench counts it.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    client = context.Process(target=_client, args=(port, connections, rate, theirs))
    client.start()
    ours.send(list(requests))
    load: Load = ours.recv()
    client.join()
    return load


@dataclass(slots=True)
class _Line:
    """One connection, and the request that it carries."""

    socket: socket.socket
    number: int = -1
    due: float = 0.0
    received: bytearray | None = None


def _client(port: int, connections: int, rate: float | None, pipe: Connection) -> None:
    requests: list[bytes] = pipe.recv()
    free = deque(_Line(_connected(port)) for _ in range(connections))
    waiting = selectors.DefaultSelector()
    answers, latencies = [b""] * len(requests), [0.0] * len(requests)
    sent = done = 0
    before = resource.getrusage(resource.RUSAGE_SELF)
    begun = time.perf_counter()
    while done < len(requests):
        now = time.perf_counter() - begun
        while free and sent < len(requests) and (rate is None or sent / rate <= now):
            line = free.popleft()
            line.number, line.due, line.received = sent, now if rate is None else sent / rate, bytearray()
            line.socket.sendall(requests[sent])
            waiting.register(line.socket, selectors.EVENT_READ, line)
            sent += 1
        pause = PATIENCE_SECONDS if rate is None or not free or sent == len(requests) else max(sent / rate - now, 0.0)
        for key, _ in waiting.select(pause):
            line = key.data
            if _is_whole(line):
                latencies[line.number] = (time.perf_counter() - begun - line.due) * 1000
                answers[line.number] = bytes(line.received)
                waiting.unregister(line.socket)
                free.append(line)
                done += 1
    seconds = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_SELF)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    pipe.send(Load(seconds, latencies, answers, used))


def _connected(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _is_whole(line: _Line) -> bool:
    """Read what is there; whether the answer has come as a whole."""
    assert line.received is not None
    part = line.socket.recv(READ_BYTES)
    if not part:
        raise ConnectionError("the service closed a connection")
    line.received += part
    head = line.received.find(HEAD_END)
    if head < 0:
        return False
    at = line.received.lower().find(LENGTH, 0, head)
    length = int(line.received[at + len(LENGTH) : line.received.index(b"\r", at)])
    return len(line.received) >= head + len(HEAD_END) + length
