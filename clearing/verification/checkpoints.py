"""Signed checkpoints of the chains, kept outside the database; their key set lies beside them, or the secrets hold it.

A line of ``<tenant>.jsonl`` is ``{"jws": …}``: a compact JWS over ``{tenant, seq, hash, at}``.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key

from clearing.verification.difference import Difference, differs
from clearing.verification.signatures import CHECKPOINT, BadSignatureError, VerifyingKey, key_of_jwk, opened

KEY_SET: Final = "jwks.json"
PRIVATE_KEY: Final = "checkpoint-key"
"""Of the secrets folder: where it can be read, its public half alone is believed, not what lies beside the files."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One entry that was once signed as its tenant's newest; ``place`` is its line in its file."""

    place: str
    seq: int
    hash: bytes
    at: datetime


def read_checkpoints(folder: Path, secrets_folder: Path | None) -> tuple[dict[str, list[Checkpoint]], list[Difference]]:
    """The checkpoints by tenant, and what is wrong with the files themselves."""
    found: dict[str, list[Checkpoint]] = defaultdict(list)
    wrong: list[Difference] = []
    paths = sorted(folder.glob("*.jsonl"))
    keys = _keys(folder / KEY_SET, secrets_folder, wrong) if paths else {}
    for path in paths:
        for number, line in _lines(path):
            place = f"checkpoints/{path.name}/{number}"
            try:
                tenant, checkpoint = _checkpoint(place, line, keys)
            except (BadSignatureError, ValueError, KeyError, TypeError) as fault:
                wrong.append(differs("checkpoint.signature", place, "a signed checkpoint", str(fault)))
                continue
            if tenant != path.stem:
                wrong.append(differs("checkpoint.signature", place, path.stem, tenant))
            elif found[path.stem] and found[path.stem][-1].seq >= checkpoint.seq:
                wrong.append(differs("checkpoint.order", place, "a later entry", checkpoint.seq))
            else:
                found[path.stem].append(checkpoint)
    return found, wrong


def _checkpoint(place: str, line: bytes, keys: Mapping[str, VerifyingKey]) -> tuple[str, Checkpoint]:
    """The tenant of a line and what was signed for it."""
    said = orjson.loads(opened(orjson.loads(line)["jws"], CHECKPOINT, keys)[0])
    at = datetime.fromisoformat(said["at"])
    return said["tenant"], Checkpoint(place, int(said["seq"]), bytes.fromhex(said["hash"]), at)


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The whole lines with their numbers; a last one without its end was cut short by a crash and says nothing."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.endswith(b"\n"):
                yield number, line


def _keys(path: Path, secrets_folder: Path | None, wrong: list[Difference]) -> Mapping[str, VerifyingKey]:
    keys = {}
    try:
        for jwk in orjson.loads(path.read_bytes())["keys"]:
            key = key_of_jwk(jwk, None)
            keys[key.kid] = key
    except (OSError, ValueError, KeyError, TypeError, BadSignatureError) as fault:
        wrong.append(differs("checkpoint.keys", f"checkpoints/{path.name}", "a key set", str(fault)))
        return {}
    private = None if secrets_folder is None else secrets_folder / PRIVATE_KEY
    if private is None or not private.exists():
        return keys
    own = _public_half(private.read_bytes())
    strange = [kid for kid, key in keys.items() if key.raw != own]
    wrong += [
        differs("checkpoint.keys", f"checkpoints/{path.name}/{kid}", "the service's own key", kid) for kid in strange
    ]
    return {kid: key for kid, key in keys.items() if kid not in strange}


def _public_half(private: bytes) -> bytes | None:
    try:
        key = load_der_private_key(private, password=None)
    except ValueError:
        return None
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw) if isinstance(key, Ed25519PrivateKey) else None
