"""Addresses outside that may be called, and the one request made there: never to the inside of any network.

The name is resolved anew for every request, each address that it has must be public, and the connection is made to the
very address that was looked at: a name that changes its mind between look and connection gains nothing.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

from tenants.kernel.errors import FieldError, Invalid, Text

MAX_URL_CHARACTERS: Final = 500
CONNECT_SECONDS: Final = 5
DEADLINE_SECONDS: Final = 20
"""For the whole of one message, however slowly it is answered."""
FIRST_FREE_PORT: Final = 1024
_USER_AGENT: Final = "clearing-webhooks/1"
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


class TargetError(Exception):
    """The message did not arrive; the text says why, for the platform's engineer."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where messages go."""

    url: SplitResult
    host: str
    port: int
    local: bool
    """Whether it may be this machine, in a demonstration, where simulators listen, or within a network of our own."""
    ca_file: Path | None = None
    """Who certifies it, where that is no authority that the machine knows."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One answer: its status, its headers by their small names, and its body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def target_of(url: str, *, demonstration: bool) -> Target:
    """The target of the URL, looked at but not yet resolved.

    Raises:
        Invalid: ``webhook.url_refused``: no https, a user, a fragment, an odd port, or no host.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        host = host.encode("idna").decode() if not host.isascii() else host
    except (ValueError, UnicodeError):
        raise refused("地址无法读取。", "The URL cannot be read.") from None
    local = demonstration and host in ("127.0.0.1", "localhost")
    if len(url) > MAX_URL_CHARACTERS or not url.isascii() or not url.isprintable() or " " in url:
        raise refused("地址过长或含有非法字符。", "The URL is too long or holds odd characters.")
    if parts.scheme != "https" and not (local and parts.scheme == "http"):
        raise refused("地址须为 https。", "The URL has to be https.")
    if not host or parts.username is not None or parts.password is not None or parts.fragment:
        raise refused("地址须有主机名，不得有用户名和片段。", "The URL has a host, no user and no fragment.")
    number = port or (443 if parts.scheme == "https" else 80)
    if number != 443 and number < FIRST_FREE_PORT:  # noqa: PLR2004 - https
        raise refused("端口须为 443 或不小于 1024。", "The port is 443, or 1024 and above.")
    return Target(parts, host, number, local)


def address_of(target: Target) -> str:
    """An address of the target's host, every one of which is public.

    Raises:
        TargetError: the name has no address, or one of them is not public.
    """
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise TargetError(f"no address for {target.host}") from error
    addresses = [str(entry[4][0]) for entry in found]
    for one in addresses:
        if not target.local and not is_public(one):
            raise TargetError(f"{target.host} has an address that is not public")
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether the address is one of the public internet, and hides no other in itself."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if ip.sixtofour is not None or ip.teredo is not None or ip in _NAT64:
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and not ip.is_unspecified


def post(target: Target, body: bytes, headers: Mapping[str, str]) -> int:
    """Send the message; the status of the answer, whose body is not read and whose redirections are not followed.

    Raises:
        TargetError: it could not be sent, or was not answered in time.
    """
    return exchange(target, "POST", body, headers, 0, DEADLINE_SECONDS).status


def get(target: Target, headers: Mapping[str, str], max_bytes: int, seconds: float = DEADLINE_SECONDS) -> Heard:
    """Ask once; the whole answer, ``max_bytes`` at most. Redirections are not followed.

    Raises:
        TargetError: it was not answered in time, broke off, or is longer.
    """
    return exchange(target, "GET", None, headers, max_bytes, seconds)


def exchange(
    target: Target, method: str, body: bytes | None, headers: Mapping[str, str], max_bytes: int, seconds: float
) -> Heard:
    """Send once; the whole answer, ``max_bytes`` at most, or nothing of its body where that is nought.

    Raises:
        TargetError: as :func:`get`.
    """
    address = address_of(target)
    try:
        plain = socket.create_connection((address, target.port), min(CONNECT_SECONDS, seconds))
    except OSError as error:
        raise TargetError(f"no connection to {target.host}: {error.strerror or error}") from error
    too_late, held = threading.Event(), [plain]
    deadline = threading.Timer(seconds, _hang_up, (held, too_late))
    deadline.daemon = True
    deadline.start()
    try:
        plain.settimeout(seconds)
        stream = held[0] = _wrapped(target, plain)
        if isinstance(stream, ssl.SSLSocket):
            stream.do_handshake()
        connection = http.client.HTTPConnection(target.host, target.port)
        connection.sock = stream
        connection.request(method, _path(target.url), body, {**headers, "User-Agent": _USER_AGENT})
        answer = connection.getresponse()
        said = answer.read(max_bytes + 1) if max_bytes else b""
        heard = Heard(answer.status, {name.lower(): value for name, value in answer.getheaders()}, said)
        connection.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        late = f"no answer within {seconds} seconds" if too_late.is_set() else f"{type(error).__name__}: {error}"
        raise TargetError(late[:MAX_URL_CHARACTERS]) from error
    finally:
        deadline.cancel()
        held[0].close()
    if too_late.is_set():  # an answer that was cut off may look like a whole one
        raise TargetError(f"no answer within {seconds} seconds")
    _require_whole(heard, max_bytes)
    return heard


def _require_whole(heard: Heard, max_bytes: int) -> None:
    """Refuse what is longer than it may be, or shorter than it said.

    Raises:
        TargetError: either.
    """
    if max_bytes and len(heard.body) > max_bytes:
        raise TargetError(f"an answer of more than {max_bytes} bytes")
    length = heard.headers.get("content-length", "")
    if max_bytes and length.isdecimal() and int(length) != len(heard.body):
        raise TargetError("the answer broke off")


def _wrapped(target: Target, plain: socket.socket) -> socket.socket:
    """The connection, under TLS where the target asks for it; wrapping takes the plain one's descriptor away."""
    if target.url.scheme != "https":
        return plain
    trusting = _trusting(target.ca_file)
    return trusting.wrap_socket(plain, server_hostname=target.host, do_handshake_on_connect=False)


def _hang_up(held: list[socket.socket], too_late: threading.Event) -> None:
    too_late.set()
    try:
        socket.socket.shutdown(held[0], socket.SHUT_RDWR)  # not TLS's own, which takes the reader its state away
    except OSError:
        return  # it has ended already


@cache
def _trusting(ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _path(url: SplitResult) -> str:
    return (url.path or "/") + (f"?{url.query}" if url.query else "")


def refused(zh: str, en: str) -> Invalid:
    """The answer to a URL that is not taken."""
    return Invalid("input.invalid", zh, en, errors=(FieldError("/url", "webhook.url_refused", Text(zh, en)),))
