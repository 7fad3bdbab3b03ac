"""Opens what is sealed at rest, by the documented formats, with the key-encryption key from the secrets folder.

Field: version 1, key version, nonce (12), AES-256-GCM ciphertext and tag; the associated data are header, table,
column, tenant and row, each after its length in four bytes. Signing key: version 1, nonce, ciphertext and tag; the
associated data are the canonical bytes of key id, purpose and tenant.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tenants.kernel.canonical import canonical_bytes

KEY_BYTES: Final = 32
_KEY_VERSION: Final = 1
_NONCE_BYTES: Final = 12
_HEADER: Final = bytes((1, _KEY_VERSION))


class SecretsError(Exception):
    """The secrets folder does not hold what is needed; the message names the file."""


@dataclass(frozen=True)
class OpenedSecrets:
    """The secrets that verification needs: they are read, used and never shown."""

    kek: bytes = field(repr=False)
    registry_key: bytes = field(repr=False)
    later_registry_keys: Mapping[int, bytes] = field(default_factory=dict, repr=False)
    """The keys of the registry's versions after the first."""

    @classmethod
    def read(cls, folder: Path) -> "OpenedSecrets":
        """The secrets in the folder.

        Raises:
            SecretsError: a file is absent or of another length.
        """
        later = {
            int(path.suffix[1:]): _secret(path)
            for path in folder.glob("registry-key.*")
            if path.suffix[1:].isascii() and path.suffix[1:].isdecimal()
        }
        return cls(_secret(folder / "kek"), _secret(folder / "registry-key"), later)

    @cached_property
    def _tenant_ciphers(self) -> dict[str, AESGCM]:
        return {}

    @cached_property
    def _wrapping_cipher(self) -> AESGCM:
        return AESGCM(_derived(self.kek, b"clearing/signing-key-wrapping/v1"))

    def field_value(self, sealed: bytes, table: str, column: str, tenant: str, row: str) -> bytes | None:
        """What was sealed at this place; ``None`` where it does not open."""
        if sealed[:2] != _HEADER:
            return None
        cipher = self._tenant_ciphers.get(tenant)
        if cipher is None:
            cipher = AESGCM(_derived(self.kek, b"clearing/field-encryption/v1\x00" + tenant.encode()))
            self._tenant_ciphers[tenant] = cipher
        parts = (_HEADER, table.encode(), column.encode(), tenant.encode(), row.encode())
        return _opened(cipher, sealed[2:], b"".join(len(part).to_bytes(4, "big") + part for part in parts))

    def private_key(self, sealed: bytes, tenant: str, purpose: str, kid: str) -> bytes | None:
        """The PKCS#8 bytes of a sealed signing key; ``None`` where it does not open."""
        if sealed[:1] != b"\x01":
            return None
        place = canonical_bytes({"kid": kid, "purpose": purpose, "tenant": tenant})
        return _opened(self._wrapping_cipher, sealed[1:], place)

    def registry_digest(self, kind: str, text: str, version: int = 1) -> bytes:
        """What the blind registry stores for an identity under this version of its key.

        Raises:
            SecretsError: the folder has no file of one of the keys up to this version.
        """
        digest = hmac.digest(self.registry_key, f"clearing/registry/v1\0{kind}\0{text}".encode(), "sha256")[:16]
        for later in range(2, version + 1):
            digest = self.registry_layer(kind, digest, later)
        return digest

    def opens_version(self, version: int) -> bool:
        """Whether every key up to this version is there."""
        return all(each in self.later_registry_keys for each in range(2, version + 1))

    def registry_layer(self, kind: str, digest: bytes, version: int) -> bytes:
        """What a digest of the version before becomes under this one.

        Raises:
            SecretsError: the folder has no file of this key.
        """
        key = self.later_registry_keys.get(version)
        if key is None:
            raise SecretsError(f"registry-key.{version}: absent")
        return hmac.digest(key, f"clearing/registry/rekeyed/v1\0{kind}\0".encode() + digest, "sha256")[:16]

    def content_mac(self, content: bytes) -> bytes:
        """The keyed digest of a submission's content."""
        return hmac.digest(self.registry_key, b"clearing/claim-content/v1\0" + content, "sha256")


def _opened(cipher: AESGCM, sealed: bytes, associated: bytes) -> bytes | None:
    try:
        return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], associated)
    except (InvalidTag, ValueError):
        return None


def _derived(secret: bytes, purpose: bytes) -> bytes:
    """HKDF-SHA-256 (RFC 5869) without salt, one block: extract, then expand."""
    extracted = hmac.digest(bytes(KEY_BYTES), secret, "sha256")
    return hmac.digest(extracted, purpose + b"\x01", "sha256")


def _secret(path: Path) -> bytes:
    try:
        secret = path.read_bytes()
    except OSError as error:
        raise SecretsError(f"{path}: {error.strerror}") from error
    if len(secret) != KEY_BYTES:
        raise SecretsError(f"{path}: not {KEY_BYTES} bytes")
    return secret
