"""The keys that claims are kept with: the sealer of their account numbers and the registry's blind-index keys."""

import hashlib
import hmac
from dataclasses import dataclass

from clearing.claims.fingerprint import RegistryKey, digest
from tenants.kernel.sealing import KeyEncryptionKey, Sealer
from tenants.kernel.secrets import Secrets

CONTENT_PURPOSE = b"clearing/claim-content/v1\x00"


@dataclass(frozen=True, slots=True)
class Vault:
    """What intake needs of the service's secrets; the registry's keys stand newest first."""

    sealer: Sealer
    registry: tuple[RegistryKey, ...]

    def digests(self, kind: str, text: str) -> tuple[tuple[int, bytes], ...]:
        """The digests of one identity under every active key version."""
        return tuple((key.version, digest(key, kind, text)) for key in self.registry)

    def enterprise(self, uscc: str) -> bytes:
        """What stands for an enterprise in the registry."""
        return digest(self.registry[0], "enterprise", uscc)

    def content_mac(self, content: bytes) -> bytes:
        """A keyed digest of a submission: it holds account numbers, which a plain digest would let one guess."""
        return hmac.new(self.registry[0].secret, CONTENT_PURPOSE + content, hashlib.sha256).digest()


def open_vault(secrets: Secrets) -> Vault:
    """The vault over the service's secrets."""
    return Vault(
        Sealer([KeyEncryptionKey(1, secrets.kek)]),
        tuple(RegistryKey(version, secret) for version, secret in secrets.registry),
    )
