"""The service's secrets, kept in files outside the database."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

KEY_BYTES: Final = 32
REGISTRY_KEY: Final = "registry-key"
"""The file of the registry's first key; the file of version ``n`` is ``registry-key.n``."""
_LATER: Final = re.compile(r"registry-key\.([1-9][0-9]{0,3})")


@dataclass(frozen=True, slots=True)
class Secrets:
    """The key-encryption key, and the registry keys by version, the newest first.

    ``folder`` is where a registry key that came later is looked for; ``None`` where the secrets came from no folder.
    """

    kek: bytes
    registry: tuple[tuple[int, bytes], ...]
    folder: Path | None = None


def load_secrets(folder: Path) -> Secrets:
    """Read ``kek`` and the registry's keys (32 raw bytes each) from the folder.

    Raises:
        ValueError: a file has another length.
        OSError: a file cannot be read.
    """
    versions = sorted({1, *_later_versions(folder)}, reverse=True)
    keys = tuple((version, registry_key(folder, version)) for version in versions)
    return Secrets(_key(folder / "kek"), keys, folder)


def registry_key(folder: Path, version: int) -> bytes:
    """The registry's key of this version.

    Raises:
        ValueError: the file has another length.
        OSError: it cannot be read.
    """
    return _key(registry_key_path(folder, version))


def registry_key_path(folder: Path, version: int) -> Path:
    """Where the registry's key of this version lies."""
    return folder / (REGISTRY_KEY if version == 1 else f"{REGISTRY_KEY}.{version}")


def _later_versions(folder: Path) -> Iterator[int]:
    for path in folder.glob(f"{REGISTRY_KEY}.*"):
        named = _LATER.fullmatch(path.name)
        if named is not None and int(named[1]) > 1:
            yield int(named[1])


def _key(path: Path) -> bytes:
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise ValueError(f"{path} must hold exactly {KEY_BYTES} bytes")
    return key
