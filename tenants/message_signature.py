"""HTTP message signatures (RFC 9421) of requests, beside the detached JWS of ``tenants.request_signature``.

One profile is taken: one signature; ``created``, ``keyid`` and a ``nonce`` that is used once; covered are ``@method``,
the whole target (``@target-uri``, or ``@authority`` with ``@path`` and ``@query``) and ``content-digest`` (RFC 9530)
over the content as it is sent. The algorithm is that of the registered key: a header can at most repeat it.
"""

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import http_sf
from http_message_signatures import (
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureKeyResolver,
    InvalidSignature,
)
from http_message_signatures.algorithms import ECDSA_P256_SHA256
from http_message_signatures.exceptions import HTTPMessageSignaturesException
from joserfc.jwk import ECKey

from tenants.kernel.errors import Forbidden, Malformed
from tenants.request_signature import FRESH, JTI_CHARACTERS, key_unknown, wrong

INPUT: Final = "Signature-Input"
SIGNATURE: Final = "Signature"
DIGEST: Final = "Content-Digest"
LABEL: Final = "clearing"
ALGORITHM: Final = ECDSA_P256_SHA256.algorithm_id
LONGEST_CHARACTERS: Final = 4096
MOST_COMPONENTS: Final = 16
NEEDED: Final = frozenset({"@method", "content-digest"})
WHOLE_TARGET: Final = ("@target-uri",)
TARGET_IN_PARTS: Final = ("@authority", "@path", "@query")
SIGNED: Final = ("@method", "@target-uri", "content-digest")
"""What our own client covers, and with its content type where there is one."""
FIELDS: Final = frozenset(
    {
        "content-digest",
        "content-type",
        "content-encoding",
        "content-length",
        "idempotency-key",
        "date",
        "accept-language",
    }
)
"""Headers that may be covered. Others are not: what is kept as evidence holds no credential."""
DERIVED: Final = frozenset({"@method", "@target-uri", "@authority", "@scheme", "@path", "@query", "@request-target"})
PARAMETERS: Final = frozenset({"created", "expires", "keyid", "nonce", "alg", "tag"})
_DIGESTS: Final = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}
_NONCE: Final = re.compile(rf"[\x21-\x7e]{{1,{JTI_CHARACTERS}}}")
_KID: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FAR_AWAY: Final = 2**33


@dataclass(slots=True)
class Message:
    """A request as the library asks about it: ``url`` is absolute, as the client called it."""

    method: str
    url: str
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class MessageStatement:
    """What a message signature says, before anything of it is believed."""

    message: Message
    kid: str
    nonce: str
    signed_at: datetime
    expires_at: datetime | None
    signature: bytes

    @property
    def once(self) -> str:
        """What is used up by one request."""
        return self.nonce

    def check(self, body: bytes, jwk: str | None) -> Mapping[str, str]:
        """Refuse a signature that does not hold over this request and body under the key; the evidence, where it does.

        Raises:
            Forbidden: ``signature.key_unknown``, ``signature.digest`` or ``signature.wrong``.
        """
        if jwk is None:
            raise key_unknown()
        _check_digest(self.message.headers.get("content-digest", ""), body)
        key = ECKey.import_key(json.loads(jwk)).public_key
        verifier = HTTPMessageVerifier(signature_algorithm=ECDSA_P256_SHA256, key_resolver=_Keys({self.kid: key}))
        try:
            (result,) = verifier.verify(self.message, max_age=None, require_components=tuple(sorted(NEEDED)), body=body)
        except (InvalidSignature, HTTPMessageSignaturesException, ValueError) as error:
            raise wrong() from error
        base = "\n".join(f"{name}: {value}" for name, value in result.covered_components.items())
        return {"message": base, "signature": base64.b64encode(self.signature).decode()}


@dataclass(frozen=True, slots=True)
class _Keys(HTTPSignatureKeyResolver):
    """The one key that is meant."""

    public: Mapping[str, Any] = field(default_factory=dict)
    private: Mapping[str, Any] = field(default_factory=dict)

    def resolve_public_key(self, key_id: str) -> Any:  # noqa: ANN401 - the library's signature
        return self.public.get(key_id)

    def resolve_private_key(self, key_id: str) -> Any:  # noqa: ANN401 - the same
        return self.private[key_id]


def sign_message(
    key: ECKey, method: str, url: str, body: bytes, content_type: str | None, now: datetime
) -> dict[str, str]:
    """The headers that sign a request, ``Content-Digest`` among them; they are good for one sending."""
    kid = key.thumbprint()
    headers = {} if content_type is None else {"content-type": content_type}
    message = Message(method, url, headers)
    signer = HTTPMessageSigner(
        signature_algorithm=ECDSA_P256_SHA256, key_resolver=_Keys(private={kid: key.private_key})
    )
    covered = SIGNED if content_type is None else (*SIGNED, "content-type")
    signer.sign(
        message, key_id=kid, created=now, nonce=secrets.token_urlsafe(16), label=LABEL, covered_component_ids=covered,
        body=body,
    )  # fmt: skip
    return {name: value for name, value in message.headers.items() if name != "content-type"}


def read_message(method: str, url: str, headers: Mapping[str, str]) -> MessageStatement:
    """What the signature of the request says of itself; ``headers`` by their names in small letters.

    Raises:
        Malformed: it is not of the profile, or there is more than one.
    """
    try:
        label, covered, parameters, signature = _parsed(
            headers.get("signature-input", ""), headers.get("signature", "")
        )
        names = _names(covered)
    except (ValueError, TypeError, AttributeError, UnicodeError) as error:
        raise _malformed() from error
    if not _sound(label, names, parameters, signature):
        raise _malformed()
    kept = {name: headers[name] for name in FIELDS & headers.keys()}
    signed = {name: headers[name] for name in ("signature-input", "signature")}
    expires = parameters.get("expires")
    return MessageStatement(
        Message(method, url, {**kept, **signed}),
        parameters["keyid"],
        parameters["nonce"],
        _EPOCH + timedelta(seconds=parameters["created"]),
        None if expires is None else _EPOCH + timedelta(seconds=expires),
        signature,
    )


def check_fresh(statement: MessageStatement, now: datetime) -> None:
    """Refuse a signature that was made at another time, or has run out.

    Raises:
        Forbidden: ``signature.stale``.
    """
    run_out = statement.expires_at is not None and statement.expires_at <= now
    if abs(now - statement.signed_at) > FRESH or run_out:
        raise Forbidden(
            "signature.stale",
            f"签名时间 created 与服务时间相差超过 {FRESH}，或已过 expires，请校准时钟后重新签名。",
            f"The signature's created lies over {FRESH} from the service's clock, or its expires is past; set the "
            "clock and sign again.",
        )


def _parsed(given: str, signatures: str) -> tuple[str, Any, dict[str, Any], bytes]:
    """The one label, its covered components, parameters and signature."""
    if max(len(given), len(signatures)) > LONGEST_CHARACTERS:
        raise ValueError("too long")
    inputs: Any = http_sf.parse(given.encode("ascii"), tltype="dictionary", on_duplicate_key=_once)
    made: Any = http_sf.parse(signatures.encode("ascii"), tltype="dictionary", on_duplicate_key=_once)
    if len(inputs) != 1 or inputs.keys() != made.keys():
        raise ValueError("one signature, and its input")
    ((label, (covered, parameters)),) = inputs.items()
    signature, more = made[label]
    if more:
        raise ValueError("a signature has no parameters")
    return label, covered, dict(parameters), signature


def _once(key: str, _context: str) -> None:
    raise ValueError(f"{key} comes twice")


def _names(covered: Any) -> list[str]:  # noqa: ANN401 - as it was parsed
    """The covered components, which bear no parameters."""
    if not isinstance(covered, list) or any(parameters or not isinstance(name, str) for name, parameters in covered):
        raise ValueError("components are strings without parameters")
    return [name for name, _ in covered]


def _sound(label: str, names: list[str], parameters: Mapping[str, Any], signature: object) -> bool:
    texts = all(isinstance(parameters.get(name, ""), str) for name in ("keyid", "nonce", "alg", "tag"))
    times = [parameters[name] for name in ("created", "expires") if name in parameters]
    whole = set(WHOLE_TARGET) <= set(names) or set(TARGET_IN_PARTS) <= set(names)
    return (
        bool(label)
        and len(names) == len(set(names)) <= MOST_COMPONENTS
        and set(names) <= DERIVED | FIELDS
        and set(names) >= NEEDED
        and whole
        and parameters.keys() <= PARAMETERS
        and parameters.keys() >= {"created", "keyid", "nonce"}
        and texts
        and all(type(one) is int and 0 <= one < _FAR_AWAY for one in times)
        and parameters.get("alg", ALGORITHM) == ALGORITHM
        and _KID.fullmatch(parameters["keyid"]) is not None
        and _NONCE.fullmatch(parameters["nonce"]) is not None
        and isinstance(signature, bytes)
    )


def _check_digest(given: str, body: bytes) -> None:
    """The digest of the content as it was received, in every algorithm that is named."""
    try:
        digests: Any = http_sf.parse(given.encode("ascii"), tltype="dictionary", on_duplicate_key=_once)
        fits = bool(digests) and all(
            not more and value == _DIGESTS[name](body).digest() for name, (value, more) in digests.items()
        )
    except (ValueError, KeyError, TypeError) as error:
        raise _other_digest() from error
    if not fits:
        raise _other_digest()


def _other_digest() -> Forbidden:
    return Forbidden(
        "signature.digest",
        f"{DIGEST} 与收到的内容不符：须为对所发送字节（压缩后）的 sha-256 或 sha-512。",
        f"{DIGEST} is not that of the content received: sha-256 or sha-512 over the bytes as sent, compressed or not.",
    )


def _malformed() -> Malformed:
    return Malformed(
        "signature.malformed",
        f"{INPUT} 与 {SIGNATURE} 须恰有一个签名（RFC 9421），覆盖 @method、@target-uri（或 @authority、@path、@query）"
        f"与 content-digest，不带组件参数；含 created、keyid、nonce；alg 如给出须为 {ALGORITHM}。",
        f"{INPUT} and {SIGNATURE} hold exactly one signature (RFC 9421) over @method, @target-uri (or @authority, "
        "@path and @query) and content-digest, without parameters of components; with created, keyid and nonce; alg, "
        f"where it is given, is {ALGORITHM}.",
    )
