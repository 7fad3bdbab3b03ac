"""Signature suites: what one JOSE algorithm needs. Another suite is one more entry."""

from base64 import urlsafe_b64decode
from binascii import b2a_base64
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicNumbers,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from settlement.signatures.sm2 import Sm2PrivateKey
from settlement.signatures.sm2 import generate as generate_sm2
from tenants.kernel.canonical import canonical_bytes, sha256
from tenants.kernel.sm2 import Sm2PublicKey

Message = bytes | memoryview
Sign = Callable[[Message], bytes]
Verify = Callable[[bytes, Message], bool]
"""Whether the signature (first) fits the message (second)."""

_COORDINATE_BYTES: Final = 32


class Suite(Protocol):
    """One algorithm. Private keys are PKCS#8 DER; public ones the members of a JWK."""

    algorithm: str
    """The JOSE name (RFC 7518, RFC 9864)."""
    members: tuple[str, ...]
    """The JWK members that make the thumbprint (RFC 7638 section 3.2)."""

    def generate(self) -> bytes:
        """A new private key."""
        ...

    def public_members(self, private: bytes) -> dict[str, str]:
        """The public half.

        Raises:
            ValueError: the bytes are not a private key of this suite.
        """
        ...

    def signer(self, private: bytes) -> Sign:
        """The function that signs.

        Raises:
            ValueError: as above.
        """
        ...

    def verifier(self, members: Mapping[str, str]) -> Verify:
        """The function that checks a signature.

        Raises:
            ValueError: the members are not a public key of this suite.
        """
        ...


class Ed25519Suite:
    """EdDSA over Curve25519 (RFC 8032), by its fully specified JOSE name."""

    algorithm = "Ed25519"
    members: tuple[str, ...] = ("crv", "kty", "x")

    def generate(self) -> bytes:
        """See :class:`Suite`."""
        return Ed25519PrivateKey.generate().private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())

    def public_members(self, private: bytes) -> dict[str, str]:
        """See :class:`Suite`."""
        raw = self._load(private).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return {"crv": "Ed25519", "kty": "OKP", "x": encoded(raw)}

    def signer(self, private: bytes) -> Sign:
        """See :class:`Suite`."""
        return self._load(private).sign

    def verifier(self, members: Mapping[str, str]) -> Verify:
        """See :class:`Suite`."""
        _require(members, crv="Ed25519", kty="OKP")
        key = Ed25519PublicKey.from_public_bytes(_decode(members["x"]))

        def verify(signature: bytes, message: Message) -> bool:
            try:
                key.verify(signature, message)
            except InvalidSignature:
                return False
            return True

        return verify

    def _load(self, private: bytes) -> Ed25519PrivateKey:
        key = load_der_private_key(private, password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("not an Ed25519 key")  # noqa: TRY004 - the bytes are wrong, not their type
        return key


class P256Suite:
    """ECDSA over P-256 with SHA-256; the nonce is that of RFC 6979, so that the same bytes sign the same way."""

    algorithm = "ES256"
    members: tuple[str, ...] = ("crv", "kty", "x", "y")

    def generate(self) -> bytes:
        """See :class:`Suite`."""
        key = generate_private_key(SECP256R1())
        return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())

    def public_members(self, private: bytes) -> dict[str, str]:
        """See :class:`Suite`."""
        numbers = self._load(private).public_key().public_numbers()
        x, y = (encoded(number.to_bytes(_COORDINATE_BYTES)) for number in (numbers.x, numbers.y))
        return {"crv": "P-256", "kty": "EC", "x": x, "y": y}

    def signer(self, private: bytes) -> Sign:
        """See :class:`Suite`."""
        key = self._load(private)
        algorithm = ECDSA(SHA256(), deterministic_signing=True)

        def sign(message: Message) -> bytes:
            r, s = decode_dss_signature(key.sign(message, algorithm))
            return r.to_bytes(_COORDINATE_BYTES) + s.to_bytes(_COORDINATE_BYTES)

        return sign

    def verifier(self, members: Mapping[str, str]) -> Verify:
        """See :class:`Suite`."""
        _require(members, crv="P-256", kty="EC")
        x, y = (int.from_bytes(_decode(members[name])) for name in ("x", "y"))
        key = EllipticCurvePublicNumbers(x, y, SECP256R1()).public_key()

        def verify(signature: bytes, message: Message) -> bool:
            if len(signature) != 2 * _COORDINATE_BYTES:
                return False
            r, s = (int.from_bytes(half) for half in (signature[:_COORDINATE_BYTES], signature[_COORDINATE_BYTES:]))
            try:
                key.verify(encode_dss_signature(r, s), message, ECDSA(SHA256()))
            except InvalidSignature:
                return False
            return True

        return verify

    def _load(self, private: bytes) -> EllipticCurvePrivateKey:
        key = load_der_private_key(private, password=None)
        if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
            raise ValueError("not a P-256 key")  # noqa: TRY004 - the same
        return key


class Sm2Suite:
    """SM2 with SM3 (GB/T 32918), where national cryptography is required; its JOSE name is ours."""

    algorithm = "SM2SM3"
    members: tuple[str, ...] = ("crv", "kty", "x", "y")

    def generate(self) -> bytes:
        """See :class:`Suite`.

        Raises:
            Unavailable: ``suite.away``: there is no OpenSSL 3 here.
        """
        return generate_sm2()

    def public_members(self, private: bytes) -> dict[str, str]:
        """See :class:`Suite`, and :meth:`generate`."""
        x, y = Sm2PrivateKey(private).point()
        return {"crv": "SM2", "kty": "EC", "x": encoded(x), "y": encoded(y)}

    def signer(self, private: bytes) -> Sign:
        """See :class:`Suite`, and :meth:`generate`."""
        return Sm2PrivateKey(private).sign

    def verifier(self, members: Mapping[str, str]) -> Verify:
        """See :class:`Suite`."""
        _require(members, crv="SM2", kty="EC")
        return Sm2PublicKey(_decode(members["x"]), _decode(members["y"])).verifies


SUITES: Final[Mapping[str, Suite]] = {suite.algorithm: suite for suite in (Ed25519Suite(), P256Suite(), Sm2Suite())}
"""By algorithm; a key of an algorithm that is not here is refused."""


def thumbprint(members: Mapping[str, str]) -> str:
    """The RFC 7638 thumbprint (SHA-256, base64url) of a JWK's required members."""
    return encoded(sha256(canonical_bytes(dict(members))))


def _require(members: Mapping[str, str], **expected: str) -> None:
    for name, value in expected.items():
        if members[name] != value:
            raise ValueError(f"{name} is not {value}")


def encoded(data: bytes) -> str:
    """Base64url without padding."""
    return encoded_bytes(data).decode("ascii")


def encoded_bytes(data: bytes) -> bytes:
    """Base64url without padding, as it stands in a file.

    Two characters are replaced where they stand: the library looks each character up, which takes as long again.
    """
    return b2a_base64(data, newline=False).rstrip(b"=").replace(b"+", b"-").replace(b"/", b"_")


def _decode(text: str) -> bytes:
    data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if len(data) != _COORDINATE_BYTES or encoded(data) != text:
        raise ValueError("not 32 bytes in base64url")
    return data
