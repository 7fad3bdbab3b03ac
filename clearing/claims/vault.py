"""The keys that claims are kept with: the sealer of their account numbers and the registry's blind-index keys."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from clearing.claims.keyring import Keyring, Versions
from tenants.kernel.keyed_digest import keyed_digest, keyed_digests
from tenants.kernel.sealing import KeyEncryptionKey, Sealer
from tenants.kernel.secrets import Secrets

CONTENT_PURPOSE = b"clearing/claim-content/v1\x00"


@dataclass(frozen=True, slots=True)
class Vault:
    """What intake needs of the service's secrets."""

    sealer: Sealer
    keyring: Keyring

    def under(self, versions: Sequence[int]) -> Versions:
        """The registry's digests under these versions of its key, as ``keyring.written_versions`` reads them.

        Raises:
            Unavailable: this process has no file with one of the keys.
        """
        return self.keyring.under(versions)

    def content_mac(self, content: bytes) -> bytes:
        """See :func:`content_mac`."""
        return content_mac(self.keyring, content)


def content_mac(keyring: Keyring, content: bytes) -> bytes:
    """A keyed digest of a submission: it holds account numbers, which a plain digest would let one guess.

    Always under the registry's first key: these digests stand in the audit chain, which is never written again.
    """
    return keyed_digest(keyring.secret(1), CONTENT_PURPOSE + content)


def content_macs(keyring: Keyring, contents: Iterable[bytes]) -> list[bytes]:
    """The same of many submissions."""
    return keyed_digests(keyring.secret(1), [CONTENT_PURPOSE + content for content in contents])


def open_vault(secrets: Secrets) -> Vault:
    """The vault over the service's secrets."""
    return Vault(Sealer([KeyEncryptionKey(1, secrets.kek)]), Keyring(dict(secrets.registry), secrets.folder))
