"""``private_key_jwt`` (RFC 7523): a client shows itself at the token endpoint with a key instead of a secret.

Signatures are ES256, whatever a header says; the audience is the address that this service was given, never one that
the request itself names; each assertion is used once and lives for minutes.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from authlib.oauth2.rfc6749 import InvalidClientError
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet

from clearing.api.address import PUBLIC_URL, public_url
from clearing.api.frame import current
from tenants.client_keys import live_keys, use_assertion

METHOD: Final = JWTBearerClientAssertion.CLIENT_AUTH_METHOD
LONGEST_LIFE: Final = timedelta(minutes=5)
LEEWAY_SECONDS: Final = 60
JTI_CHARACTERS: Final = 255
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FAR_AWAY: Final = 2**33
"""Seconds: some day in the year 2242, which every calendar here knows."""
_REFUSED: Final = "The assertion's signature does not hold."


class ClientAssertion(JWTBearerClientAssertion):
    """authlib's check, with our keys, our audience and our memory of what was used."""

    def __init__(self) -> None:
        super().__init__(leeway=LEEWAY_SECONDS)

    def get_audiences(self) -> list[str]:
        """The token endpoint and the service itself, at the address that the operator named."""
        named = public_url()
        if named is None:
            raise InvalidClientError(description=f"The operator has not set {PUBLIC_URL}.")
        return [named, f"{named}/oauth/token"]

    def resolve_client_public_key(self, client: Any) -> KeySet:  # noqa: ANN401 - the server's client
        """The client's keys that hold now."""
        client_id = client.get_client_id()
        with current().engine.connect() as connection:
            found = {} if "\0" in client_id else live_keys(connection, client_id)
        if not found:
            raise InvalidClientError(description=_REFUSED)  # as for a client that is not there
        return KeySet([ECKey.import_key(json.loads(jwk) | {"kid": kid}) for kid, jwk in found.items()])

    def process_assertion_claims(self, assertion: str, resolve_key: KeySet) -> Any:  # noqa: ANN401 - authlib's signature
        """Check signature, then claims."""
        try:
            token = jwt.decode(assertion, resolve_key, algorithms=["ES256"])
        except (JoseError, ValueError) as error:
            raise InvalidClientError(description=_REFUSED) from error
        self.verify_claims(token.claims)
        return token.claims

    def validate_jti(self, claims: dict[str, Any], jti: Any) -> bool:  # noqa: ANN401 - whatever was sent
        """Whether the assertion is short-lived and was not used before; it is used now."""
        service = current()
        now = service.machine.now()
        if not isinstance(jti, str) or not 0 < len(jti) <= JTI_CHARACTERS or not isinstance(claims["exp"], int):
            return False
        expires_at = _EPOCH + timedelta(seconds=min(claims["exp"], _FAR_AWAY))
        if expires_at > now + LONGEST_LIFE + timedelta(seconds=LEEWAY_SECONDS):
            raise InvalidClientError(description=f"An assertion lives for {LONGEST_LIFE} at most.")
        kept_until = expires_at + timedelta(seconds=LEEWAY_SECONDS)
        with service.engine.begin() as connection:
            return use_assertion(connection, claims["sub"], jti, kept_until, now)
