"""The service's secrets, kept in files outside the database."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Secrets:
    """The key-encryption key, and the registry keys by version, the newest first."""

    kek: bytes
    registry: tuple[tuple[int, bytes], ...]


def load_secrets(folder: Path) -> Secrets:
    """Read ``kek`` and ``registry-key`` (32 raw bytes each) from the folder.

    Raises:
        ValueError: a file has another length.
        OSError: a file cannot be read.
    """
    return Secrets(_key(folder / "kek"), ((1, _key(folder / "registry-key")),))


def _key(path: Path) -> bytes:
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise ValueError(f"{path} must hold exactly {KEY_BYTES} bytes")
    return key
