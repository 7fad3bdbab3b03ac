"""The signature of a request: a detached JWS (RFC 7515, appendix F) over the exact body, not encoded (RFC 7797).

Its protected header says what is signed: ``alg`` ES256, ``kid``, ``b64`` false and ``crit`` with it, ``iat`` in
seconds, a ``jti`` that is used once, the ``method`` and the ``path`` with its query. A compressed body is signed as it
is sent.
"""

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from joserfc import jws
from joserfc.errors import BadSignatureError, JoseError
from joserfc.jwk import ECKey
from joserfc.util import json_b64decode, json_b64encode, urlsafe_b64encode

from tenants.kernel.errors import Forbidden, Malformed

HEADER: Final = "X-Signature"
ALGORITHM: Final = "ES256"
FRESH: Final = timedelta(minutes=5)
"""How far a signature's ``iat`` may lie from the service's clock."""
JTI_CHARACTERS: Final = 255
LONGEST_CHARACTERS: Final = 4096
LONGEST_BODY_BYTES: Final = 16 * 2**20
MEMBERS: Final = frozenset({"alg", "kid", "b64", "crit", "iat", "jti", "method", "path"})
_JTI: Final = re.compile(rf"[\x21-\x7e]{{1,{JTI_CHARACTERS}}}")
_KID: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FAR_AWAY: Final = 2**33


@dataclass(frozen=True, slots=True)
class Statement:
    """What a signature's header says, before anything of it is believed."""

    text: str
    kid: str
    jti: str
    signed_at: datetime
    method: str
    path: str

    @property
    def once(self) -> str:
        """What is used up by one request."""
        return self.jti

    def check(self, body: bytes, jwk: str | None) -> Mapping[str, str]:
        """Refuse a signature that does not hold over this body under the key; the evidence, where it does.

        Raises:
            Forbidden: ``signature.key_unknown`` or ``signature.wrong``.
        """
        check_signature(self, body, jwk)
        return {"jws": self.text}


def sign(key: ECKey, method: str, path: str, body: bytes, now: datetime) -> str:
    """The signature of a request with this body, for ``X-Signature``; each is good for one sending."""
    header = {
        "alg": ALGORITHM,
        "kid": key.thumbprint(),
        "b64": False,
        "crit": ["b64"],
        "iat": int(now.timestamp()),
        "jti": secrets.token_urlsafe(16),
        "method": method,
        "path": path,
    }
    encoded = json_b64encode(header)
    # joserfc's serializer puts a body of letters into the signature and takes no other bytes than UTF-8
    made = jws.default_registry.get_alg(ALGORITHM).sign(encoded + b"." + body, key)
    return b"..".join((encoded, urlsafe_b64encode(made))).decode()


def read_statement(text: str) -> Statement:
    """What the signature says of itself.

    Raises:
        Malformed: it is no detached JWS with the members that are needed, and no others.
    """
    header = _header(text)
    if header.keys() != MEMBERS or not _sound(header):
        raise Malformed(
            "signature.malformed",
            f"{HEADER} 须为分离式 JWS（RFC 7515 附录 F、RFC 7797），头部含 {'、'.join(sorted(MEMBERS))}。",
            f"{HEADER} is a detached JWS (RFC 7515 appendix F, RFC 7797) with {', '.join(sorted(MEMBERS))}.",
        )
    signed_at = _EPOCH + timedelta(seconds=header["iat"])
    return Statement(text, header["kid"], header["jti"], signed_at, header["method"], header["path"])


def _header(text: str) -> dict[str, Any]:
    encoded, dots, _ = text.partition("..")
    if not dots or len(text) > LONGEST_CHARACTERS:
        return {}
    try:
        header = json_b64decode(encoded.encode())
    except (JoseError, ValueError, TypeError):
        return {}
    return header if isinstance(header, dict) else {}


def _sound(header: Mapping[str, Any]) -> bool:
    return (
        (header["alg"], header["b64"], header["crit"]) == (ALGORITHM, False, ["b64"])
        and type(header["iat"]) is int
        and 0 <= header["iat"] < _FAR_AWAY
        and all(isinstance(header[name], str) for name in ("kid", "jti", "method", "path"))
        and _KID.fullmatch(header["kid"]) is not None
        and _JTI.fullmatch(header["jti"]) is not None
    )


def check_meant(statement: Statement, method: str, path: str, now: datetime) -> None:
    """Refuse a signature that was made for another request, or at another time.

    Raises:
        Forbidden: ``signature.other_request`` or ``signature.stale``.
    """
    if (statement.method, statement.path) != (method, path):
        raise Forbidden(
            "signature.other_request",
            f"签名是为 {statement.method} 请求的另一地址作出的，与本请求 {method} {path} 不符。",
            f"The signature is for another request; this one is {method} {path}.",
        )
    if abs(now - statement.signed_at) > FRESH:
        raise Forbidden(
            "signature.stale",
            f"签名时间 iat 与服务时间相差超过 {FRESH}，请校准时钟后重新签名。",
            f"The signature's iat lies over {FRESH} from the service's clock; set the clock and sign again.",
        )


def check_signature(statement: Statement, body: bytes, jwk: str | None) -> None:
    """Refuse a signature that does not hold over this body under the key; ``jwk`` is none where there is no such key.

    Raises:
        Forbidden: ``signature.key_unknown`` or ``signature.wrong``.
    """
    if jwk is None:
        raise key_unknown()
    try:
        jws.deserialize_compact(statement.text, ECKey.import_key(json.loads(jwk)), registry=_registry(), payload=body)
    except (BadSignatureError, JoseError, ValueError) as error:
        raise wrong() from error


def key_unknown() -> Forbidden:
    """The answer to a signature by a key that the client has not, or not any more."""
    return Forbidden(
        "signature.key_unknown",
        "签名所用密钥未登记在本客户端名下，或已吊销。",
        "The signature's key is not registered for this client, or is revoked.",
    )


def wrong() -> Forbidden:
    """The answer to a signature that does not hold."""
    return Forbidden(
        "signature.wrong",
        "签名与内容不符：内容在签名后被更改，或用了另一把密钥。",
        "The signature does not hold: the body was changed after it was signed, or another key was used.",
    )


def _registry() -> jws.JWSRegistry:
    registry = jws.JWSRegistry(algorithms=[ALGORITHM], strict_check_header=False)  # what it holds was checked
    registry.max_header_length = LONGEST_CHARACTERS
    registry.max_payload_length = LONGEST_BODY_BYTES
    return registry
