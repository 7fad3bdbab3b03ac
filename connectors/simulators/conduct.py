"""How a simulated platform behaves towards the service: well, or in one of the ways in which platforms do not."""

import json
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit

from connectors.client import ClaimAnswer, Platform
from connectors.client.patience import sleep

SLOW: Final = timedelta(milliseconds=250)
REPEATED: Final = 3
Form = dict[str, Any]


class Conduct(StrEnum):
    """What the simulator does with what it sends, and with what it is told."""

    WELL = "well"
    SLOW = "slow"
    """It waits before it sends, and before it answers."""
    DUPLICATE = "duplicate"
    """It sends everything twice at the same moment."""
    OUT_OF_ORDER = "out_of_order"
    """It keeps what it has to send, and sends the last first when it is told to flush."""
    BROKEN = "broken"
    """Its connection breaks in the middle of each request, before it sends the whole."""
    RETRYING = "retrying"
    """It forgets each answer and sends again; it answers every message with an error the first time."""


def send(conduct: Conduct, platform: Platform, form: Form) -> ClaimAnswer:
    """Submit the form so; the answer is that of the last attempt.

    Raises:
        CallError: the service refused it.
        UnansweredError: no answer came.
    """
    return _WAYS.get(conduct, Platform.submit_form)(platform, form)


def _slowly(platform: Platform, form: Form) -> ClaimAnswer:
    sleep(SLOW)
    return platform.submit_form(form)


def _twice(platform: Platform, form: Form) -> ClaimAnswer:
    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(platform.submit_form, (form, form))
    if first.id != second.id:
        raise ValueError(f"one form became two claims: {first.claim_no}, {second.claim_no}")
    return second


def _breaking(platform: Platform, form: Form) -> ClaimAnswer:
    caller = platform.caller
    place = urlsplit(caller.address)
    body = json.dumps(form, ensure_ascii=False).encode()
    head = (
        f"POST /v1/forms/claims HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: Bearer {caller.token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((str(place.hostname), place.port or 80)) as connection:
        connection.sendall(head.encode() + body[: len(body) // 2])
    return platform.submit_form(form)


def _again_and_again(platform: Platform, form: Form) -> ClaimAnswer:
    for _ in range(REPEATED - 1):
        platform.submit_form(form)
    return platform.submit_form(form)


_WAYS: Final[dict[Conduct, Callable[[Platform, Form], ClaimAnswer]]] = {
    Conduct.SLOW: _slowly,
    Conduct.DUPLICATE: _twice,
    Conduct.BROKEN: _breaking,
    Conduct.RETRYING: _again_and_again,
}
