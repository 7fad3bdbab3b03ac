"""Field encryption at rest: AES-256-GCM under one data key per tenant, bound to the place of the field.

A tenant's data key is derived from the key-encryption key by HKDF-SHA-256 (RFC 5869), so that nothing but the
key-encryption keys has to be kept, and none of them ever stands in the database.

A sealed value is: format version (1 byte), version of the key-encryption key (1 byte), nonce (12 bytes), ciphertext
with its tag (16 bytes). Version bytes, table, column, tenant and row are authenticated, so that a value moved to
another row, column or tenant does not open.
"""

import os
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES: Final = 32
MAX_KEY_VERSION: Final = 255
MASK: Final = "****"
MASK_SHOWS: Final = 4
MASK_FROM: Final = 8
"""Shorter numbers are hidden whole: four of their characters would be half of them or more."""

_FORMAT: Final = 1
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_HEADER_BYTES: Final = 2
_CONTENT_FROM: Final = _HEADER_BYTES + _NONCE_BYTES
_PURPOSE: Final = b"clearing/field-encryption/v1"


class SealError(Exception):
    """The value cannot be sealed or opened; never carries the value itself."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sealed value stands; it opens nowhere else."""

    table: str
    column: str
    tenant: str
    row: str

    def associated_data(self, header: bytes) -> bytes:
        """The authenticated bytes: each part with its length before it, so that no two places read alike."""
        return _beginning(header, self.table, self.column, self.tenant) + _with_length(self.row.encode())


@lru_cache(maxsize=256)  # the same for every row of a column
def _beginning(header: bytes, table: str, column: str, tenant: str) -> bytes:
    parts = (header, *(part.encode() for part in (table, column, tenant)))
    return b"".join(map(_with_length, parts))


def _with_length(part: bytes) -> bytes:
    return len(part).to_bytes(4) + part


@dataclass(frozen=True, slots=True)
class KeyEncryptionKey:
    """One version of the key-encryption key; the secret is kept out of every printed form."""

    version: int
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not 1 <= self.version <= MAX_KEY_VERSION:
            raise SealError(f"a key version lies between 1 and {MAX_KEY_VERSION}")
        if len(self.secret) != KEY_BYTES:
            raise SealError(f"a key-encryption key has {KEY_BYTES} bytes")


class Sealer:
    """Seals under the newest key-encryption key, opens under every one it was given."""

    def __init__(self, keys: Iterable[KeyEncryptionKey]) -> None:
        self._keys = {key.version: key for key in keys}
        if not self._keys:
            raise SealError("there is no key-encryption key")
        self._newest = max(self._keys)
        self._ciphers: dict[tuple[int, str], AESGCM] = {}

    def __reduce__(self) -> tuple[type["Sealer"], tuple[list[KeyEncryptionKey]]]:
        """Handed to a process of one's own, and nowhere else: it carries the keys."""
        return Sealer, (list(self._keys.values()),)

    def seal(self, plaintext: str, place: Place) -> bytes:
        """The sealed form of ``plaintext``, different each time."""
        return self.seal_bytes(plaintext.encode(), place)

    def seal_bytes(self, content: bytes, place: Place) -> bytes:
        """The sealed form of bytes that are no text."""
        header = bytes((_FORMAT, self._newest))
        nonce = os.urandom(_NONCE_BYTES)
        cipher = self._cipher(self._newest, place.tenant)
        return header + nonce + cipher.encrypt(nonce, content, place.associated_data(header))

    def unseal(self, sealed: bytes, place: Place) -> str:
        """The text that was sealed at this place.

        Raises:
            SealError: see :meth:`unseal_bytes`.
        """
        return self.unseal_bytes(sealed, place).decode()

    def opener(self, table: str, column: str, tenant: str) -> Callable[[str, bytes], str]:
        """What opens one column's texts of a tenant, each given by its row and its sealed form, as :meth:`unseal` does.

        For many of them: what they have in common is worked out once.
        """
        known: dict[bytes, tuple[AESGCM, bytes]] = {}

        def open_(row: str, sealed: bytes) -> str:
            header = sealed[:_HEADER_BYTES]
            common = known.get(header)
            if common is None or len(sealed) < _CONTENT_FROM + _TAG_BYTES:
                text = self.unseal(sealed, Place(table, column, tenant, row))
                known[header] = (self._cipher(header[1], tenant), _beginning(header, table, column, tenant))
                return text
            cipher, beginning = common
            nonce, content = sealed[_HEADER_BYTES:_CONTENT_FROM], sealed[_CONTENT_FROM:]
            try:
                return cipher.decrypt(nonce, content, beginning + _with_length(row.encode())).decode()
            except InvalidTag:
                raise _changed(table, column) from None

        return open_

    def unseal_bytes(self, sealed: bytes, place: Place) -> bytes:
        """What was sealed at this place.

        Raises:
            SealError: it was changed, sealed at another place or under another key, or is no sealed value at all.
        """
        if len(sealed) < _CONTENT_FROM + _TAG_BYTES or sealed[0] != _FORMAT:
            raise SealError(f"{place.table}.{place.column}: not a sealed value of a known format")
        header, nonce = sealed[:_HEADER_BYTES], sealed[_HEADER_BYTES:_CONTENT_FROM]
        cipher = self._cipher(sealed[1], place.tenant)
        try:
            return cipher.decrypt(nonce, sealed[_CONTENT_FROM:], place.associated_data(header))
        except InvalidTag:
            raise _changed(place.table, place.column) from None

    def _cipher(self, version: int, tenant: str) -> AESGCM:
        cipher = self._ciphers.get((version, tenant))
        if cipher is None:
            key = self._keys.get(version)
            if key is None:
                raise SealError(f"key-encryption key version {version} is not loaded")
            info = _PURPOSE + b"\x00" + tenant.encode()
            data_key = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(key.secret)
            cipher = self._ciphers[version, tenant] = AESGCM(data_key)
        return cipher


def _changed(table: str, column: str) -> SealError:
    return SealError(f"{table}.{column}: changed, moved or sealed under another key")


def mask_account(number: str) -> str:
    """An account number as people may see it: ``****`` and its last four letters or digits."""
    characters = number
    if not (number.isascii() and number.isalnum()):
        characters = "".join([each for each in unicodedata.normalize("NFKC", number) if each.isalnum()])
    return MASK + characters[-MASK_SHOWS:] if len(characters) >= MASK_FROM else MASK
