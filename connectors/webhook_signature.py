"""Signatures of webhooks (Standard Webhooks 1.0): made by the service, checked by the platform that is told.

A secret is ``whsec_`` and base64; what is signed is the message's id, the second it is sent in, and the exact body.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

ID_HEADER: Final = "webhook-id"
TIMESTAMP_HEADER: Final = "webhook-timestamp"
SIGNATURE_HEADER: Final = "webhook-signature"
TOLERANCE: Final = timedelta(minutes=5)
"""How old a message may be, or how far ahead of the receiver's clock."""
SECRET_BYTES: Final = 32
_SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - a prefix
_VERSION: Final = "v1"


class SignatureError(ValueError):
    """The message is not what the service sent, or not now."""


def new_secret() -> str:
    """A secret of 256 random bits."""
    return _SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signed_headers(secret: str, message_id: str, body: bytes, at: datetime) -> dict[str, str]:
    """The three headers of a message that is sent at this instant."""
    second = str(int(at.timestamp()))
    signature = f"{_VERSION},{_signature(secret, message_id, second, body)}"
    return {ID_HEADER: message_id, TIMESTAMP_HEADER: second, SIGNATURE_HEADER: signature}


def check_signature(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> str:
    """The message's id, which a receiver keeps so that one that comes twice is taken once.

    Raises:
        SignatureError: a header is missing, the instant is too far away, or no signature fits.
    """
    given = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, second, signatures = (given[n] for n in (ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER))
    except KeyError as error:
        raise SignatureError(f"the header {error} is missing") from error
    if not second.isascii() or not second.isdigit():
        raise SignatureError("the timestamp is no number of seconds")
    if abs(int(second) - int(now.timestamp())) > TOLERANCE.total_seconds():
        raise SignatureError("the message is too old, or from the future")
    expected = _signature(secret, message_id, second, body)
    for one in signatures.split():
        version, _, signature = one.partition(",")
        if version == _VERSION and hmac.compare_digest(signature.encode(), expected.encode()):
            return message_id
    raise SignatureError("no signature fits")


def _signature(secret: str, message_id: str, second: str, body: bytes) -> str:
    try:
        key = base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        raise SignatureError("the secret is not whsec_ and base64") from error
    signed = f"{message_id}.{second}.".encode() + body
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
