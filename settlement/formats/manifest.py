"""``manifest.json``: what belongs to a batch, its totals, and the hash of the manifest before it, signed.

The signatures stand in a list beside what they sign (the ``signatures`` of a general JWS, RFC 7515 section 7.2.1,
its payload the canonical bytes of all other members), so that another person's can be added without changing the
hash that the next manifest names.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.hashes import SM3, Hash

from settlement.formats.amount_in_words import amount_in_words
from settlement.formats.payout_batch import PayoutBatch
from settlement.payouts.instruction import CURRENCY
from settlement.signatures.signing import MANIFEST, SigningKey, signature_entry
from tenants.instance import SANDBOX
from tenants.kernel.canonical import Json, canonical_bytes
from tenants.kernel.clock import print_instant

FORMAT: Final = "clearing-manifest/2"
FIRST_PREVIOUS: Final = "0" * 64
"""What stands for the previous manifest's hash in a tenant's first."""

_CHUNK_BYTES: Final = 2**20


@dataclass(frozen=True, slots=True)
class ListedFile:
    """One file of the batch. ``details`` say how to read it: ``columns``, ``encoding``, ``schema``, ``jws``."""

    name: str
    media_type: str
    size_bytes: int
    sha256: str
    sm3: str
    details: Mapping[str, Json] = field(default_factory=dict)

    def payload(self) -> dict[str, Json]:
        """The file as the manifest lists it."""
        return {
            **self.details,
            "name": self.name,
            "media_type": self.media_type,
            "size": self.size_bytes,
            "sha256": self.sha256,
            "sm3": self.sm3,
        }


@dataclass(frozen=True, slots=True)
class Chain:
    """Where the manifest stands: the batch's seal and its releases (compact JWS), the manifest before it, its number.

    ``previous``: the :func:`manifest_hash` of the tenant's manifest before this one, ``FIRST_PREVIOUS`` for none;
    ``number`` counts the tenant's manifests from 1.
    """

    seal: str
    releases: tuple[str, ...]
    previous: str
    number: int


def listed(path: Path, media_type: str, details: Mapping[str, Json]) -> ListedFile:
    """The file as it lies on the disk, read once: its size, SHA-256 and SM3 (GB/T 32905)."""
    size, first, second = 0, sha256(), Hash(SM3())
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            size += len(chunk)
            first.update(chunk)
            second.update(chunk)
    return ListedFile(path.name, media_type, size, first.hexdigest(), second.finalize().hex(), details)


def manifest(batch: PayoutBatch, files: Sequence[ListedFile], chain: Chain, *keys: SigningKey) -> bytes:
    """The canonical bytes of the manifest, signed by each key; seal and releases are shown as general JWS."""
    payload: dict[str, Json] = {
        "format": FORMAT,
        "manifest_no": chain.number,
        "tenant": batch.tenant,
        "batch": batch.batch,
        "batch_id": str(batch.batch_id),
        "batch_root": batch.batch_root,
        "created_at": print_instant(batch.created_at),
        "debtor": dict(batch.debtor.payload()),
        "execution_on": batch.execution_on.isoformat(),
        "currency": CURRENCY,
        "count": batch.count,
        "item_count": batch.item_count,
        "total": str(batch.total),
        "total_in_words": amount_in_words(batch.total),
        "files": [file.payload() for file in files],
        "previous_manifest_sha256": chain.previous,
        "seal": _general(chain.seal),
        "releases": [_general(token) for token in chain.releases],
    }
    if batch.sandbox:
        payload["environment"] = SANDBOX
    signed = canonical_bytes(payload)
    return canonical_bytes({**payload, "signatures": [signature_entry(key, MANIFEST, signed) for key in keys]})


def with_signature(data: bytes, key: SigningKey) -> bytes:
    """The manifest with one more signature; its hash stays what it was."""
    content = json.loads(data)
    return canonical_bytes(
        {**content, "signatures": [*content["signatures"], signature_entry(key, MANIFEST, _signed_part(content))]}
    )


def manifest_hash(data: bytes) -> str:
    """SHA-256, in hexadecimal digits, of the manifest's canonical bytes without its signatures."""
    return sha256(_signed_part(json.loads(data))).hexdigest()


def _signed_part(content: Mapping[str, Any]) -> bytes:
    return canonical_bytes({name: value for name, value in content.items() if name != "signatures"})


def _general(token: str) -> dict[str, Json]:
    protected, payload, signature = token.split(".")
    return {"payload": payload, "signatures": [{"protected": protected, "signature": signature}]}
