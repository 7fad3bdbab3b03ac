"""The registry's keys by version, and the digests under the versions that are written now (I24).

The registry keeps no plain number, and of a support record nothing keeps one: a new key cannot be laid over the old
numbers again. It is laid over the old digests. Under version 1 a digest is the HMAC of the canonical text; under
version ``n`` it is the HMAC, by the key of ``n``, of the digest under ``n - 1``. So the rows of a new version follow
from those of the one before and the new key alone, whoever holds only an older key can tell nothing from the rows of
the newer, and no key file is ever thrown away: each is a layer under those after it.

Which versions are written stands in ``registry_key_version``. Every transaction asks for them before it computes its
keys, and the database refuses it where they changed in between (``RACED``): it then begins again. A process that has
not got the file of a version reads it when it first meets the version.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import structlog
from sqlalchemy import Connection

from clearing.claims.fingerprint import DIGEST_BYTES, RegistryKey, digest, digests
from tenants.kernel.errors import RETRY_AFTER_SECONDS, Unavailable
from tenants.kernel.secrets import registry_key
from tenants.kernel.statements import Query, read

KEY_MISSING: Final = "registry.key_missing"
"""The problem where this process has no file with a key."""
RACED: Final = "registry_key_version_written"
"""The constraint that a change of the written versions breaks."""
ENTERPRISE: Final = "enterprise"
"""The kind of the digest that stands for an enterprise."""
_REKEYED: Final = b"clearing/registry/rekeyed/v1\x00"
_FIRST: Final = (1,)
"""The versions that are written until the key is rotated."""
_CHECK: Final = "clearing/registry/check"

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Versions:
    """The digests of identities under the versions that are written, the oldest first."""

    versions: tuple[int, ...]
    _keys: tuple[RegistryKey, ...] = field(repr=False)

    def digests(self, kind: str, text: str) -> tuple[tuple[int, bytes], ...]:
        """The digests of one identity, each with its version."""
        latest = digest(self._keys[0], kind, text)
        if self.versions == _FIRST:
            return ((1, latest),)
        found = []
        for key in self._keys:
            if key.version > 1:
                latest = rekeyed(key, kind, latest)
            if key.version in self.versions:
                found.append((key.version, latest))
        return tuple(found)

    def columns(self, kinds: Sequence[str], texts: Sequence[str]) -> list[tuple[int, list[bytes]]]:
        """The digests of many identities, those of each version in a column of their own."""
        latest, found = digests(self._keys[0], kinds, texts), list[tuple[int, list[bytes]]]()
        for key in self._keys:
            if key.version > 1:
                latest = [rekeyed(key, kind, earlier) for kind, earlier in zip(kinds, latest, strict=True)]
            if key.version in self.versions:
                found.append((key.version, latest))
        return found

    def enterprise(self, uscc: str) -> Mapping[int, bytes]:
        """What stands for an enterprise in the registry, by version."""
        return dict(self.digests(ENTERPRISE, uscc))


def rekeyed(key: RegistryKey, kind: str, earlier: bytes) -> bytes:
    """The digest under this key of what has the digest ``earlier`` under the version before."""
    return hmac.digest(key.secret, _REKEYED + kind.encode() + b"\x00" + earlier, "sha256")[:DIGEST_BYTES]


class Keyring:
    """The keys that this process has; one that it lacks is read from the secrets' folder."""

    def __init__(self, secrets: Mapping[int, bytes], folder: Path | None) -> None:
        self._secrets = dict(secrets)
        self._folder = folder
        self._known: dict[tuple[int, ...], Versions] = {}

    def under(self, versions: Sequence[int]) -> Versions:
        """The digests under these versions.

        Raises:
            Unavailable: this process has no file with one of the keys.
        """
        wanted = tuple(sorted(versions))
        known = self._known.get(wanted)
        if known is None:
            layers = tuple(RegistryKey(version, self.secret(version)) for version in range(1, max(wanted) + 1))
            known = self._known[wanted] = Versions(wanted, layers)
        return known

    def secret(self, version: int) -> bytes:
        """The key of this version.

        Raises:
            Unavailable: this process has no file with it.
        """
        found = self._secrets.get(version)
        if found is None:
            found = self._secrets[version] = self._read(version)
        return found

    def check_value(self, version: int) -> bytes:
        """What the keys up to this version make of a fixed text."""
        return self.under((version,)).digests(ENTERPRISE, _CHECK)[0][1]

    def _read(self, version: int) -> bytes:
        try:
            if self._folder is not None:
                return registry_key(self._folder, version)
        except (OSError, ValueError) as error:
            _log.error("registry_key_unreadable", version=version, error=str(error))
        raise Unavailable(
            KEY_MISSING,
            "查重登记的密钥正在更换，本机尚未取得新密钥，未保存任何内容，请稍后重试。",
            "The registry's key is being changed and is not on this machine yet; nothing was stored. Please try again.",
            retry_after_seconds=RETRY_AFTER_SECONDS,
        )


def written_versions() -> Query[tuple[int, ...]]:
    """Which versions every new holding is written under, the oldest first."""
    return Query(_WRITTEN, (), _versions)


def written(connection: Connection, keyring: Keyring) -> Versions:
    """The digests under the versions that are written now.

    Raises:
        Unavailable: this process has no file with one of the keys.
    """
    versions: tuple[int, ...] = read(connection, written_versions())
    return keyring.under(versions)


_WRITTEN: Final = "select version from registry_key_version where state in ('filling', 'current') order by version"


def _versions(rows: Sequence[Any]) -> tuple[int, ...]:
    return tuple(row[0] for row in rows)
