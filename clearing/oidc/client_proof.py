"""How this service shows itself at a provider's token endpoint: with its secret, or with a key (RFC 7523)."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote_plus

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from clearing.oidc.refusal import AwayError
from clearing.oidc.settings import ProviderSettings
from tenants.kernel.ids import new_id

ASSERTION_LIFE: Final = timedelta(minutes=1)
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
BASIC: Final = "client_secret_basic"
POST: Final = "client_secret_post"

_EC: Final = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}


def proof_of(
    settings: ProviderSettings, methods: Sequence[Any], at: datetime
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Headers and form fields that show who asks; ``methods`` are those that the provider names.

    An assertion's audience is the issuer, never an address out of the metadata: none of two providers can have made an
    assertion that the other one takes.

    Raises:
        AwayError: the secret or key cannot be read.
    """
    try:
        if settings.key_file is not None:
            return {}, {"client_assertion_type": ASSERTION_TYPE, "client_assertion": _assertion(settings, at)}
        secret = "" if settings.secret_file is None else settings.secret_file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError, JoseError) as error:
        raise AwayError(f"our secret or key cannot be read: {type(error).__name__}") from error
    if POST in methods and BASIC not in methods:
        return {}, {"client_secret": secret}
    both = f"{quote_plus(settings.client_id)}:{quote_plus(secret)}"  # RFC 6749 §2.3.1
    return {"Authorization": f"Basic {b64encode(both.encode()).decode()}"}, {}


def _assertion(settings: ProviderSettings, at: datetime) -> str:
    pem = b"" if settings.key_file is None else settings.key_file.read_bytes()
    algorithm, key = _key(pem)
    claims = {
        "iss": settings.client_id,
        "sub": settings.client_id,
        "aud": settings.issuer,
        "jti": str(new_id()),
        "iat": int(at.timestamp()),
        "exp": int((at + ASSERTION_LIFE).timestamp()),
    }
    return jwt.encode({"alg": algorithm, "kid": key.thumbprint()}, claims, key, algorithms=[algorithm])


def _key(pem: bytes) -> tuple[str, ECKey | RSAKey | OKPKey]:
    for kind in (ECKey, RSAKey, OKPKey):
        try:
            key = kind.import_key(pem)
        except (JoseError, ValueError, TypeError):
            continue
        return _EC[key.curve_name] if isinstance(key, ECKey) else "EdDSA" if isinstance(key, OKPKey) else "RS256", key
    raise ValueError("no private key of a known kind")
