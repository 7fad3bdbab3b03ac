"""How a client says who it is at the token endpoint."""

import secrets
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Protocol
from urllib.parse import quote

from joserfc import jwt
from joserfc.jwk import ECKey

from tenants.kernel.clock import Clock, SystemClock

GRANT: Final = "client_credentials"


class Credentials(Protocol):
    """Identifies a client at the token endpoint."""

    def headers(self) -> Mapping[str, str]:
        """Headers of the token request."""
        ...

    def form(self, token_endpoint: str) -> Mapping[str, str]:
        """Further fields of the token request, which is sent to this address."""
        ...


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """Identifier and secret, sent as ``client_secret_basic`` (RFC 6749 §2.3.1)."""

    client_id: str
    secret: str = field(repr=False)

    def headers(self) -> Mapping[str, str]:
        """The ``Authorization`` header."""
        pair = f"{quote(self.client_id, safe='')}:{quote(self.secret, safe='')}"
        return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}

    def form(self, token_endpoint: str) -> Mapping[str, str]:  # noqa: ARG002 - the protocol's
        """Nothing more."""
        return {}


ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFE: Final = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class PrivateKeyJwt:
    """Identifier and P-256 key (``private_key_jwt``, RFC 7523): no secret is ever sent."""

    client_id: str
    key: ECKey = field(repr=False)
    clock: Clock = field(default_factory=SystemClock, repr=False)

    def headers(self) -> Mapping[str, str]:
        """None."""
        return {}

    def form(self, token_endpoint: str) -> Mapping[str, str]:
        """An assertion for this endpoint, used once and soon."""
        now = int(self.clock.now().timestamp())
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": token_endpoint,
            "iat": now,
            "exp": now + int(ASSERTION_LIFE.total_seconds()),
            "jti": secrets.token_urlsafe(24),
        }
        assertion = jwt.encode({"alg": "ES256", "kid": self.key.thumbprint()}, claims, self.key)
        return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
