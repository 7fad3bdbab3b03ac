"""Manifests: signed, chained, and true of the batch and of every file that is kept."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from clearing.verification.context import Context
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.numerals import in_capitals
from clearing.verification.seals import chained
from clearing.verification.signatures import MANIFEST, BadSignatureError, decoded, signed_over
from clearing.verification.snapshot import Row, Snapshot
from tenants.kernel.canonical import canonical_bytes, plain
from tenants.kernel.money import Money

FIRST: Final = "0" * 64
UNLISTED: Final = {"manifest.json": "application/json", "pain.001.xml.jws": "application/jose"}
"""Files that the manifest does not list, with their types: itself, and the signature that it repeats."""
_TOTALS: Final = """
select count(*) as count, coalesce(sum(claim_count), 0)::bigint as items, coalesce(sum(amount_fen), 0)::bigint as fen
  from instruction where tenant = %s and batch_id = %s
"""


def manifest_chain_differences(snapshot: Snapshot, context: Context) -> Iterator[Difference]:
    """Manifests are numbered from one, without gaps; and the instructions add up to each batch."""
    instructed = [batch for batch in context.batches.values() if batch.manifest_no is not None]
    yield from chained(snapshot, "manifest", instructed, "manifest_no", (None, "manifest_sha256"))
    for batch in context.batches.values():
        if batch.released_at is not None:
            snapshot.tally["released batches"] += 1
            sums = snapshot.rows(_TOTALS, batch.tenant, batch.id)[0]
            wanted = (0, 0) if batch.form == "home_region" else (batch.item_count, batch.total_fen)
            if (sums.items, sums.fen) != wanted:
                expected, found = (wanted[0], str(Money(wanted[1]))), (sums.items, str(Money(sums.fen)))
                yield differs("instruction.sums", f"instruction/{batch.tenant}/{batch.batch_no}", expected, found)


def read_manifest(data: bytes) -> dict[str, Any] | None:
    """The manifest, with the key id of its first signature as ``kid``; ``None`` where it is none."""
    try:
        said = orjson.loads(data)
        if canonical_bytes(said) != data:
            return None
        header = orjson.loads(decoded(said["signatures"][0]["protected"]))
        return {**said, "kid": header["kid"], "files": [dict(each) for each in said["files"]]}
    except (ValueError, KeyError, TypeError, IndexError, BadSignatureError):
        return None


def manifest_differences(
    place: str,
    batch: Row,
    manifest: Mapping[str, Any],
    files: Mapping[str, Row],
    releases: list[str],
    context: Context,
) -> Iterator[Difference]:
    """What is wrong with one manifest; ``releases`` are the signatures of those who released the batch."""
    where = f"{place}/manifest.json"
    signed = canonical_bytes({name: value for name, value in manifest.items() if name not in {"signatures", "kid"}})
    digest = hashlib.sha256(signed).hexdigest()
    if digest != batch.manifest_sha256:
        yield differs(
            "manifest.hash", f"batch/{batch.tenant}/{batch.batch_no}/manifest_sha256", digest, batch.manifest_sha256
        )
    for entry in manifest["signatures"]:
        try:
            key = signed_over(entry, signed, MANIFEST, context.keys)
            refusal = key.refusal(batch.tenant, batch.instructed_at)
        except BadSignatureError as fault:
            refusal = str(fault)
        if refusal is not None:
            yield differs("manifest.signature", where, "a signature of the tenant's payout key", refusal)
    yield from _content(where, batch, manifest, context)
    yield from _releases(where, batch, manifest, releases)
    yield from _debtor(batch, manifest, context)
    yield from _listed(place, manifest, files)


def _content(where: str, batch: Row, manifest: Mapping[str, Any], context: Context) -> Iterator[Difference]:
    before = [
        each.manifest_sha256
        for each in context.batches.values()
        if each.tenant == batch.tenant and each.manifest_no == batch.manifest_no - 1
    ]
    seal = manifest.get("seal", {})
    signature = (seal.get("signatures") or [{}])[0]
    expected = {
        "manifest_no": batch.manifest_no,
        "tenant": batch.tenant,
        "batch": batch.batch_no,
        "batch_id": str(batch.id),
        "batch_root": batch.merkle_root,
        "created_at": plain(batch.instructed_at),
        "item_count": batch.item_count,
        "total": str(Money(batch.total_fen)),
        "total_in_words": in_capitals(batch.total_fen),
        "currency": "CNY",
        "previous_manifest_sha256": before[0] if before else FIRST,
    }
    for name, value in expected.items():
        if manifest.get(name) != value:
            yield differs("manifest.content", f"{where}/{name}", value, manifest.get(name))
    token = f"{signature.get('protected')}.{seal.get('payload')}.{signature.get('signature')}"
    if token != batch.seal_jws:
        yield differs("manifest.content", f"{where}/seal", "the seal of the batch", "another")


def _releases(where: str, batch: Row, manifest: Mapping[str, Any], releases: list[str]) -> Iterator[Difference]:
    """The manifest carries the releasers' signatures that are kept, all of them and in their order."""
    carried = []
    for record in manifest.get("releases", []):
        signature = (record.get("signatures") or [{}])[0]
        carried.append(f"{signature.get('protected')}.{record.get('payload')}.{signature.get('signature')}")
    if carried != releases:
        yield differs("manifest.content", f"{where}/releases", f"the {len(releases)} of {batch.batch_no}", "others")


_AGENT: Final = ("name", "bank_name", "cnaps")


def _debtor(batch: Row, manifest: Mapping[str, Any], context: Context) -> Iterator[Difference]:
    """The account that was paid from is the tenant's, where that was not changed since."""
    if batch.form == "agent":
        agent, said = context.agreements[batch.agreement_id], manifest["debtor"]
        wanted = {f"agent_{name}": said[f"account_{name}" if name == "name" else name] for name in _AGENT}
        yield from compared("manifest.debtor", f"agreement/{agent.tenant}/{agent.id}", wanted, agent)
        return
    account = context.payout_accounts.get(batch.tenant)
    if account is None or account.set_at > batch.instructed_at:
        return
    said = manifest["debtor"]
    expected = {name: said[name] for name in ("account_name", "bank_name", "cnaps")}
    yield from compared("manifest.debtor", f"payout_account/{batch.tenant}", expected, account)


def _listed(place: str, manifest: Mapping[str, Any], files: Mapping[str, Row]) -> Iterator[Difference]:
    listed = {each["name"]: each for each in manifest["files"]}
    for name in listed.keys() ^ (files.keys() - UNLISTED.keys()):
        yield differs("manifest.files", f"{place}/{name}", name in listed, name in files)
    for name, media_type in UNLISTED.items():
        if name not in files:
            yield differs("file.missing", f"{place}/{name}", "one row", None)
        elif files[name].media_type != media_type:
            yield differs("manifest.files", f"{place}/{name}/media_type", media_type, files[name].media_type)
    for name, each in listed.items():
        if name in files:
            said = {
                "media_type": each["media_type"],
                "size_bytes": each["size"],
                "sha256": each["sha256"],
                "sm3": each["sm3"],
            }
            yield from compared("manifest.files", f"{place}/{name}", said, files[name])
