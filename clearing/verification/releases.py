"""Releasers' signatures: each over its batch's seal, by the key of a person who released it, as many as were needed."""

import hashlib
from collections.abc import Iterator
from typing import Any, Final

import orjson

from clearing.verification.context import Context
from clearing.verification.difference import Difference, differs
from clearing.verification.signatures import RELEASE, BadSignatureError, encoded, opened
from clearing.verification.snapshot import Row, Snapshot
from tenants.kernel.canonical import canonical_bytes, plain
from tenants.kernel.money import Money

_SIGNATURES: Final = """
select tenant, batch_id, number, needed, released_by, released_at, jws
  from release_signature order by tenant, batch_id, number
"""
_FIRSTS: Final = "select tenant, batch_id, released_by, released_at from first_release"


def release_differences(snapshot: Snapshot, context: Context) -> Iterator[Difference]:
    """What is wrong with the signatures of all releases."""
    firsts = {(row.tenant, row.batch_id): row for row in snapshot.rows(_FIRSTS)}
    signed: dict[tuple[str, Any], list[Row]] = {}
    for row in snapshot.counted("release signatures", snapshot.stream(_SIGNATURES)):
        signed.setdefault((row.tenant, row.batch_id), []).append(row)
    for subject in signed.keys() - context.batches.keys():
        yield differs("release.stray", f"release_signature/{subject[0]}/{subject[1]}", "a batch", None)
    for subject, batch in context.batches.items():
        rows, first = signed.get(subject, []), firsts.get(subject)
        yield from _people(batch, first, rows)
        for row in rows:
            yield from _record(f"release_signature/{batch.tenant}/{batch.batch_no}/{row.number}", batch, row, context)


def _people(batch: Row, first: Row | None, rows: list[Row]) -> Iterator[Difference]:
    """Those who signed are those who released, at that time and in that order; none of them made the batch (I19)."""
    releases = [] if first is None else [(first.released_by, first.released_at)]
    needed = len(releases) + 1
    if batch.released_at is not None:
        releases.append((batch.released_by, batch.released_at))
    expected = [(number, needed, *release) for number, release in enumerate(releases, start=1)]
    found = [(row.number, row.needed, row.released_by, row.released_at) for row in rows]
    place = f"release_signature/{batch.tenant}/{batch.batch_no}"
    if expected != found:
        yield differs("release.people", place, expected, found)
    people = [row.released_by for row in rows]
    if len(set(people)) < len(people) or {batch.cut_by, batch.published_by, batch.sealed_by} & set(people):
        yield differs("release.people", place, "other people than its makers, each once", people)


def _record(place: str, batch: Row, row: Row, context: Context) -> Iterator[Difference]:
    try:
        payload, key = opened(row.jws, RELEASE, context.keys)
        said: dict[str, Any] = orjson.loads(payload)
    except (BadSignatureError, ValueError) as fault:
        yield differs("release.signature", f"{place}/jws", "a signature of the releaser's key", str(fault))
        return
    holder = encoded(hashlib.sha256(canonical_bytes({"person": row.released_by, "tenant": row.tenant})).digest())
    refusal = key.refusal(row.tenant, row.released_at)
    if refusal is not None or said.get("kid") != key.kid or key.holder != holder:
        yield differs("release.signature", f"{place}/jws", holder, refusal or key.holder)
    expected = {
        "tenant": batch.tenant, "batch": batch.batch_no, "batch_id": plain(batch.id), "seal_no": batch.seal_no,
        "seal_sha256": batch.seal_sha256, "merkle_root": batch.merkle_root, "count": batch.item_count,
        "total": str(Money(batch.total_fen)), "previous_seal": batch.previous_seal,
    }  # fmt: skip
    for name, value in expected.items():
        if said.get(name) != value:
            yield differs("release.record", f"{place}/jws/{name}", value, said.get(name))
    stored = {name: said.get(name) for name in ("number", "needed", "released_by", "released_at")}
    found = {name: plain(getattr(row, name)) for name in stored}
    if stored != found:
        yield differs("release.record", place, stored, found)
