"""Signatures: JWS (RFC 7515) made and checked by keys that each fix tenant, purpose and algorithm.

The ``typ`` header names what is signed; it stands first in the signed bytes, so it is the domain prefix that keeps a
signature for one thing from passing for another. The algorithm is the key's, never the header's.
"""

import json
import tempfile
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from settlement.signatures.suites import SUITES, Message, Sign, Verify, encoded, encoded_bytes, thumbprint
from tenants.kernel.canonical import canonical_bytes, sha256
from tenants.kernel.clock import print_instant
from tenants.kernel.errors import Text
from tenants.kernel.mapped import mapped


class Purpose(StrEnum):
    """What a key may sign."""

    PAYOUT = "payout"
    RELEASE = "release"
    """One person's, for what they release; all other keys are the tenant's."""
    CHECKPOINT = "checkpoint"


INSTRUCTION: Final = "clearing-instruction+jws"
SEAL: Final = "clearing-seal+jws"
RELEASE: Final = "clearing-release+jws"
MANIFEST: Final = "clearing-manifest+jws"
FILE: Final = "clearing-file+jws"
ORDER: Final = "clearing-order+jws"
SETTLEMENT: Final = "clearing-settlement+jws"
CHECKPOINT: Final = "clearing-checkpoint+jws"

PURPOSE_OF: Final[Mapping[str, Purpose]] = {
    INSTRUCTION: Purpose.PAYOUT,
    SEAL: Purpose.PAYOUT,
    RELEASE: Purpose.RELEASE,
    MANIFEST: Purpose.PAYOUT,
    FILE: Purpose.PAYOUT,
    ORDER: Purpose.PAYOUT,
    SETTLEMENT: Purpose.PAYOUT,
    CHECKPOINT: Purpose.CHECKPOINT,
}
"""Which keys sign which type; no key signs a type outside its purpose."""

Used = TypeVar("Used")

_CHUNK_BYTES: Final = 3 * 2**18
"""A multiple of three, so that base64 pieces join without padding."""


class SignatureRefused(Exception):  # noqa: N818 - it is an answer about a signature, not a fault of ours
    """The signature, its header or its key is not acceptable; ``code`` and ``text`` say why."""

    def __init__(self, code: str, zh: str, en: str) -> None:
        super().__init__(f"{code}: {en}")
        self.code = code
        self.text = Text(zh, en)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A tenant's public key with its whole history; ``members`` are the JWK's own (``kty, crv, x`` …).

    ``holder``: of a key that is one person's, :func:`holder_of` that person.
    """

    tenant: str
    purpose: Purpose
    algorithm: str
    members: Mapping[str, str]
    active_from: datetime
    revoked_at: datetime | None
    verify: Verify
    holder: str | None = None

    @property
    def kid(self) -> str:
        """The key id: the RFC 7638 thumbprint, which nobody can give to another key."""
        return thumbprint(self.members)

    def jwk(self) -> dict[str, str]:
        """The key as published (RFC 7517), with our members ``tenant, purpose, holder, active_from, revoked_at``."""
        published = {
            **self.members,
            "kid": self.kid,
            "use": "sig",
            "alg": self.algorithm,
            "tenant": self.tenant,
            "purpose": self.purpose.value,
            "active_from": print_instant(self.active_from),
        }
        if self.holder is not None:
            published["holder"] = self.holder
        if self.revoked_at is not None:
            published["revoked_at"] = print_instant(self.revoked_at)
        return published

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, Any]) -> Self:
        """Read a key as :meth:`jwk` publishes it.

        Raises:
            ValueError: a member is absent, of another form, or the key id is not the thumbprint.
        """
        try:
            suite = SUITES[jwk["alg"]]
            members = {name: str(jwk[name]) for name in suite.members}
            revoked, holder = jwk.get("revoked_at"), jwk.get("holder")
            key = cls(
                tenant=str(jwk["tenant"]),
                purpose=Purpose(jwk["purpose"]),
                algorithm=suite.algorithm,
                members=members,
                active_from=_instant(jwk["active_from"]),
                revoked_at=None if revoked is None else _instant(revoked),
                verify=suite.verifier(members),
                holder=None if holder is None else str(holder),
            )
        except (KeyError, TypeError) as fault:
            raise ValueError(f"not a published key of ours: {fault}") from fault
        if jwk.get("kid") != key.kid:
            raise ValueError("the key id is not the key's thumbprint")
        if (key.holder is None) == (key.purpose is Purpose.RELEASE):
            raise ValueError("a release key, and no other, is one person's")
        return key

    def require_valid_at(self, signed_at: datetime) -> None:
        """Refuse what was signed before the key's first or from its revocation on.

        Raises:
            SignatureRefused: ``key.not_yet_active`` or ``key.revoked``.
        """
        if signed_at < self.active_from:
            raise SignatureRefused(
                "key.not_yet_active",
                f"密钥 {self.kid} 在签名时尚未启用。",
                f"Key {self.kid} was not yet active at the time of signing.",
            )
        if self.revoked_at is not None and signed_at >= self.revoked_at:
            raise SignatureRefused(
                "key.revoked",
                f"密钥 {self.kid} 在签名时已被吊销。",
                f"Key {self.kid} was revoked at the time of signing.",
            )


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key that is open for use. Its bytes are not kept: ``sign`` may as well be a hardware token's."""

    tenant: str
    purpose: Purpose
    algorithm: str
    kid: str
    sign: Sign

    @classmethod
    def load(cls, tenant: str, purpose: Purpose, algorithm: str, private: bytes) -> Self:
        """The key from its PKCS#8 bytes (see :mod:`settlement.signatures.key_custody`).

        Raises:
            ValueError: the bytes are not a key of this algorithm.
        """
        suite = SUITES[algorithm]
        return cls(tenant, purpose, algorithm, thumbprint(suite.public_members(private)), suite.signer(private))

    def protected(self, typ: str) -> str:
        """The protected header for ``typ``, base64url.

        Raises:
            ValueError: the key's purpose is another.
        """
        if PURPOSE_OF.get(typ) is not self.purpose:
            raise ValueError(f"a key for {self.purpose} does not sign {typ}")
        return encoded(canonical_bytes({"alg": self.algorithm, "kid": self.kid, "typ": typ}))


def holder_of(tenant: str, person: str) -> str:
    """How a published key names the person whose it is: a digest, since key sets are public and staff lists are not."""
    return encoded(sha256(canonical_bytes({"person": person, "tenant": tenant})))


def compact_signer(key: SigningKey, typ: str) -> Callable[[bytes], str]:
    """The function that makes the compact JWS over exact payload bytes, its header made once for all of them."""
    header = key.protected(typ) + "."

    def sign(payload: bytes) -> str:
        signing_input = header + encoded(payload)
        return f"{signing_input}.{encoded(key.sign(signing_input.encode('ascii')))}"

    return sign


def verify_compact(token: str, typ: str, keys: Mapping[str, PublicKey]) -> tuple[bytes, PublicKey]:
    """The payload and the key of a compact JWS. The caller asks :meth:`PublicKey.require_valid_at`.

    Raises:
        SignatureRefused: the form, type, key or signature is wrong.
    """
    parts = token.split(".")
    if len(parts) != 3:  # noqa: PLR2004 - header, payload, signature
        raise _malformed()
    protected, payload, signature = parts
    key, proof, content = _key_of(protected, typ, keys), _decode(signature), _decode(payload)
    if not key.verify(proof, f"{protected}.{payload}".encode("ascii")):
        raise _wrong()
    return content, key


def signature_entry(key: SigningKey, typ: str, payload: bytes) -> dict[str, str]:
    """One entry of the ``signatures`` list of a general JWS (RFC 7515 section 7.2.1)."""
    protected, _, signature = compact_signer(key, typ)(payload).split(".")
    return {"protected": protected, "signature": signature}


def verify_entry(entry: Mapping[str, str], payload: bytes, typ: str, keys: Mapping[str, PublicKey]) -> PublicKey:
    """The key that made this entry over ``payload``.

    Raises:
        SignatureRefused: see :func:`verify_compact`.
    """
    _, key = verify_compact(f"{entry['protected']}.{encoded(payload)}.{entry['signature']}", typ, keys)
    return key


def sign_general(payload: bytes, typ: str, *keys: SigningKey) -> dict[str, Any]:
    """A general JWS with one signature by each key, as JSON data; more can be added to its list later."""
    return {"payload": encoded(payload), "signatures": [signature_entry(key, typ, payload) for key in keys]}


def verify_general(token: Mapping[str, Any], typ: str, keys: Mapping[str, PublicKey]) -> tuple[bytes, list[PublicKey]]:
    """The payload of a general JWS and the keys of all its signatures, each of which must hold.

    Raises:
        SignatureRefused: see :func:`verify_compact`; or there is no signature at all.
    """
    payload = _decode(token["payload"])
    signers = [verify_entry(entry, payload, typ, keys) for entry in token["signatures"]]
    if not signers:
        raise _malformed()
    return payload, signers


def sign_file(key: SigningKey, path: Path) -> str:
    """The detached JWS (RFC 7515 appendix F) over the exact bytes of a file of any size."""
    protected = key.protected(FILE)
    return f"{protected}..{encoded(_over_file(protected, path, key.sign))}"


def verify_file(token: str, path: Path, keys: Mapping[str, PublicKey]) -> PublicKey:
    """The key that signed this file.

    Raises:
        SignatureRefused: see :func:`verify_compact`.
        OSError: the file cannot be read.
    """
    protected, _, signature = token.partition("..")
    key = _key_of(protected, FILE, keys)
    decoded = _decode(signature)
    if not _over_file(protected, path, lambda message: key.verify(decoded, message)):
        raise _wrong()
    return key


def _over_file(protected: str, path: Path, use: Callable[[Message], Used]) -> Used:
    """Give ``use`` the signing input over a file: spooled to disk and mapped, so that no size fills the memory."""
    with tempfile.TemporaryFile() as spool:
        spool.write(f"{protected}.".encode("ascii"))
        with path.open("rb") as source:
            while chunk := source.read(_CHUNK_BYTES):
                spool.write(encoded_bytes(chunk))
        spool.flush()
        with mapped(spool) as message:
            return use(message)


def _key_of(protected: str, typ: str, keys: Mapping[str, PublicKey]) -> PublicKey:
    """The key that the header names, if the header says nothing else than what the key and the caller expect."""
    try:
        header = json.loads(_decode(protected))
    except ValueError:
        raise _malformed() from None
    if not isinstance(header, dict) or set(header) != {"alg", "kid", "typ"}:
        raise _malformed()
    key = keys.get(header["kid"]) if isinstance(header["kid"], str) else None
    if key is None:
        raise SignatureRefused(
            "key.unknown", "签名所用的密钥不在公钥清单中。", "The signing key is not in the key set."
        )
    if header["alg"] != key.algorithm:
        raise SignatureRefused(
            "signature.algorithm", "签名算法与密钥规定的不一致。", "The algorithm is not the one that the key fixes."
        )
    if header["typ"] != typ or PURPOSE_OF.get(typ) is not key.purpose:
        raise SignatureRefused(
            "signature.type", "签名不是为这类内容所作。", "The signature was not made for this kind of content."
        )
    return key


def _decode(text: str) -> bytes:
    """Base64url without padding (RFC 7515), refusing every spelling but the one: no signature has two texts."""
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise _malformed() from None
    if encoded(data) != text:
        raise _malformed()
    return data


def _instant(text: object) -> datetime:
    at = datetime.fromisoformat(str(text))
    if at.tzinfo is None:
        raise ValueError("an instant without its offset")
    return at


def _malformed() -> SignatureRefused:
    return SignatureRefused("signature.malformed", "签名格式不正确。", "The signature is malformed.")


def _wrong() -> SignatureRefused:
    return SignatureRefused("signature.wrong", "签名与内容不符。", "The signature does not fit the content.")
