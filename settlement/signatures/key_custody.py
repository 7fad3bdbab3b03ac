"""Private signing keys at rest: made, sealed under the key-encryption key, opened for use."""

import os
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from settlement.signatures.signing import PublicKey, Purpose, SigningKey
from settlement.signatures.suites import SUITES, Suite
from settlement.signatures.token import Token
from tenants.kernel.canonical import canonical_bytes

KEK_BYTES: Final = 32

_FORMAT: Final = b"\x01"
_NONCE_BYTES: Final = 12
_WRAPPING: Final = b"clearing/signing-key-wrapping/v1"
"""Keeps the wrapping key apart from every other key that is derived from the same key-encryption key."""


class CustodyError(Exception):
    """The sealed key does not open: changed, another tenant's, purpose's or key's, or another key-encryption key."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made: its public half to publish, its private half sealed to store."""

    public: PublicKey
    private_sealed: bytes


@dataclass(frozen=True, slots=True)
class NewTokenKey:
    """A key just made in a token: its public half to publish, and where its private half is (RFC 7512)."""

    public: PublicKey
    token_uri: str


def make_key(
    tenant: str,
    purpose: Purpose,
    active_from: datetime,
    kek: bytes,
    suite: Suite | None = None,
    holder: str | None = None,
) -> NewKey:
    """A new signing key, Ed25519 unless another suite is given; ``holder`` as in :class:`PublicKey`.

    Raises:
        ValueError: the key-encryption key is not of ``KEK_BYTES``.
    """
    chosen = suite or SUITES["Ed25519"]
    private = chosen.generate()
    members = chosen.public_members(private)
    public = PublicKey(tenant, purpose, chosen.algorithm, members, active_from, None, chosen.verifier(members), holder)
    return NewKey(public, seal_private(private, tenant, purpose, public.kid, kek))


def make_token_key(
    tenant: str, purpose: Purpose, active_from: datetime, token: Token, holder: str | None = None
) -> NewTokenKey:
    """A new signing key in a token; its private half never leaves it.

    Raises:
        Unavailable: ``token.away``.
    """
    made = token.make(f"clearing/{tenant}/{purpose.value}")
    verify = SUITES[made.algorithm].verifier(made.members)
    public = PublicKey(tenant, purpose, made.algorithm, made.members, active_from, None, verify, holder)
    return NewTokenKey(public, made.uri)


def token_key(uri: str, public: PublicKey, token: Token) -> SigningKey:
    """The key in the token, ready to sign.

    Raises:
        Unavailable: ``token.away``; also when it signs.
    """
    sign = token.signer(uri, public.algorithm)
    return SigningKey(public.tenant, public.purpose, public.algorithm, public.kid, sign)


def seal_private(private: bytes, tenant: str, purpose: Purpose, kid: str, kek: bytes) -> bytes:
    """The private key under AES-256-GCM: format (1 byte), nonce (12), ciphertext and tag.

    Raises:
        ValueError: the key-encryption key is not of ``KEK_BYTES``.
    """
    nonce = os.urandom(_NONCE_BYTES)
    return _FORMAT + nonce + _cipher(kek).encrypt(nonce, private, _place(tenant, purpose, kid))


def open_key(sealed: bytes, public: PublicKey, kek: bytes) -> SigningKey:
    """The key, ready to sign.

    Raises:
        CustodyError: it does not open, or is not the private half of ``public``.
        ValueError: the key-encryption key is not of ``KEK_BYTES``.
    """
    nonce, ciphertext = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
    if sealed[:1] != _FORMAT or len(nonce) != _NONCE_BYTES:
        raise CustodyError("not a sealed key of a known format")
    try:
        private = _cipher(kek).decrypt(nonce, ciphertext, _place(public.tenant, public.purpose, public.kid))
    except InvalidTag:
        raise CustodyError(f"key {public.kid} does not open") from None
    key = SigningKey.load(public.tenant, public.purpose, public.algorithm, private)
    if key.kid != public.kid:
        raise CustodyError(f"key {public.kid} is another key inside")
    return key


def _cipher(kek: bytes) -> AESGCM:
    if len(kek) != KEK_BYTES:
        raise ValueError(f"a key-encryption key has {KEK_BYTES} bytes")
    return AESGCM(HKDF(algorithm=SHA256(), length=KEK_BYTES, salt=None, info=_WRAPPING).derive(kek))


def _place(tenant: str, purpose: Purpose, kid: str) -> bytes:
    return canonical_bytes({"kid": kid, "purpose": purpose.value, "tenant": tenant})
