"""How a client says who it is at the token endpoint."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import quote

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
