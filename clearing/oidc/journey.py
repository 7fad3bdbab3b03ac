"""What a browser carries from the door to the provider and back, sealed: nobody reads it, changes it, or makes one."""

import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Final, TypeVar
from uuid import UUID

import orjson

from tenants.accounts import SEALED_FOR
from tenants.kernel.canonical import plain
from tenants.kernel.sealing import Place, Sealer, SealError

LIFE: Final = timedelta(minutes=10)
"""How long the way to the provider and back may take, and then the code."""
_VERIFIER_BYTES: Final = 48
"""64 characters of RFC 7636's 43 to 128."""
_MAX_CHARACTERS: Final = 4096


@dataclass(frozen=True, slots=True)
class Journey:
    """On the way to a provider: what its answer is held against, and where the person wanted to go."""

    provider: str
    way: str
    state: str
    nonce: str
    verifier: str
    at: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """Back with the provider's word, and still without the code."""

    provider: str
    way: str
    account: str
    subject: str
    at: str

    @property
    def account_id(self) -> UUID:
        """The account that the provider vouched for."""
        return UUID(self.account)


Carried = TypeVar("Carried", Journey, Arrived)


def begin(provider: str, way: str, at: datetime) -> Journey:
    """A new journey with chance values of its own."""
    state, nonce = secrets.token_urlsafe(), secrets.token_urlsafe()
    return Journey(provider, way, state, nonce, secrets.token_urlsafe(_VERIFIER_BYTES), str(plain(at)))


def sealed(sealer: Sealer, carried: Journey | Arrived) -> str:
    """The cookie's value."""
    return urlsafe_b64encode(sealer.seal(orjson.dumps(asdict(carried)).decode(), _place(type(carried)))).decode()


def opened(sealer: Sealer, kind: type[Carried], value: str, at: datetime) -> Carried | None:
    """What the cookie carries; ``None`` where it is none of this kind, or is too old."""
    if len(value) > _MAX_CHARACTERS or not value.isascii():
        return None
    try:
        text = sealer.unseal(urlsafe_b64decode(value), _place(kind))
    except (SealError, ValueError):
        return None
    found = kind(**orjson.loads(text))
    return found if at < datetime.fromisoformat(found.at) + LIFE else None


def _place(kind: type) -> Place:
    return Place("cookie", kind.__name__, SEALED_FOR, ",".join(field.name for field in fields(kind)))
