"""What settlement needs of the running service: its secrets, and whether it only demonstrates."""

import hashlib
import hmac
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from settlement.instruction import Account
from tenants.kernel.canonical import canonical_bytes
from tenants.kernel.sealing import KEY_BYTES, KeyEncryptionKey, Sealer
from tenants.kernel.secrets import Secrets

KEK_VERSION: Final = 1
_DIGESTS: Final = b"clearing/settlement-digests/v1"
"""Keeps the key of the digests apart from every other key derived from the key-encryption key."""


@dataclass(frozen=True)
class Office:
    """The secrets at hand while batches are worked on; ``demonstration`` lets demonstration accounts pay."""

    secrets: Secrets
    demonstration: bool

    @cached_property
    def sealer(self) -> Sealer:
        """Seals account numbers, contacts and files at rest."""
        return Sealer([KeyEncryptionKey(KEK_VERSION, self.secrets.kek)])

    @cached_property
    def _digest_key(self) -> bytes:
        return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=_DIGESTS).derive(self.secrets.kek)

    def account_digest(self, tenant: str, account: Account) -> bytes:
        """Equal for equal accounts of one tenant; keyed, since account numbers could be guessed from a plain one."""
        return self.digest("account", tenant, canonical_bytes(account.payload()))

    def digest(self, purpose: str, tenant: str, value: bytes) -> bytes:
        """A keyed digest (HMAC-SHA-256, 32 bytes) of a value that is not to be stored in clear."""
        return hmac.new(self._digest_key, f"{purpose}\n{tenant}\n".encode() + value, hashlib.sha256).digest()
