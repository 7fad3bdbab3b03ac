"""How banks name what was ordered: an id's bytes in base32 without padding (RFC 4648)."""

from base64 import b32encode
from uuid import UUID


def reference_of(of: UUID) -> str:
    """The end-to-end id."""
    return b32encode(of.bytes).decode("ascii").rstrip("=")


def message_of(order_id: UUID) -> str:
    """The message id of an order between tenants."""
    return f"CO-{reference_of(order_id)}"
