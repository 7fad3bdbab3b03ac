"""Seals: each signed record says what the batch's row says, its root is the items', and the seals make a chain."""

import hashlib
from collections.abc import Iterator
from typing import Any, Final

import orjson

from clearing.verification.context import Context
from clearing.verification.difference import Difference, differs
from clearing.verification.merkle import tree_hash
from clearing.verification.signatures import SEAL, BadSignatureError, opened
from clearing.verification.snapshot import Row, Snapshot
from clearing.verification.unsealing import OpenedSecrets
from tenants.kernel.canonical import canonical_bytes, plain
from tenants.kernel.money import Money

FIRST: Final = "0" * 64
_SERIES: Final = "select tenant, latest from number_series where series = %s and year = 0"

ITEMS: Final = """
select row_number() over (order by i.line) as position, i.claim_id, i.amount_fen, o.claim_no, o.account_name,
       o.account_sealed, o.bank_name, o.cnaps, o.payee_digest, o.quota_year
  from batch_item i join obligation o on o.tenant = i.tenant and o.id = i.claim_id
 where i.tenant = %s and i.batch_id = %s and i.removed_at is null
"""


def seal_differences(snapshot: Snapshot, context: Context) -> Iterator[Difference]:
    """What is wrong with the seals of all batches."""
    sealed = [batch for batch in context.batches.values() if batch.seal_no is not None]
    yield from chained(snapshot, "seal", sealed, "seal_no", ("previous_seal", "seal_sha256"))
    for batch in sealed:
        snapshot.tally["seals"] += 1
        place = f"batch/{batch.tenant}/{batch.batch_no}"
        yield from _record(place, batch, context)
        if context.secrets is not None:
            root = tree_hash(_leaves(snapshot, batch, context.secrets))
            if root != batch.merkle_root:
                yield differs("seal.root", f"{place}/merkle_root", root, batch.merkle_root)


def chained(
    snapshot: Snapshot, series: str, batches: list[Row], number: str, columns: tuple[str | None, str]
) -> Iterator[Difference]:
    """Numbers from one without gaps, each naming the hash of the one before where a column says it."""
    previous_column, hash_column = columns
    latest = {row.tenant: row.latest for row in snapshot.rows(_SERIES, series)}
    last: dict[str, tuple[int, str]] = {}
    for batch in sorted(batches, key=lambda each: (each.tenant, getattr(each, number))):
        before, digest = last.get(batch.tenant, (0, FIRST))
        place = f"batch/{batch.tenant}/{batch.batch_no}"
        if getattr(batch, number) != before + 1:
            yield differs(f"{series}.number", f"{place}/{number}", before + 1, getattr(batch, number))
        if previous_column is not None and getattr(batch, previous_column) != digest:
            yield differs(f"{series}.chain", f"{place}/{previous_column}", digest, getattr(batch, previous_column))
        last[batch.tenant] = (getattr(batch, number), getattr(batch, hash_column))
    for tenant in latest.keys() | last.keys():
        counted, stored = last.get(tenant, (0, FIRST))[0], latest.get(tenant, 0)
        if counted != stored:
            yield differs(f"{series}.number", f"number_series/{tenant}/{series}/0/latest", counted, stored)


def _record(place: str, batch: Row, context: Context) -> Iterator[Difference]:
    digest = hashlib.sha256(batch.seal_jws.encode()).hexdigest()
    if digest != batch.seal_sha256:
        yield differs("seal.hash", f"{place}/seal_sha256", digest, batch.seal_sha256)
    try:
        payload, key = opened(batch.seal_jws, SEAL, context.keys)
        said: dict[str, Any] = orjson.loads(payload)
    except (BadSignatureError, ValueError) as fault:
        yield differs("seal.signature", f"{place}/seal_jws", "a seal of the tenant's payout key", str(fault))
        return
    refusal = key.refusal(batch.tenant, batch.sealed_at)
    if refusal is not None or said.get("kid") != key.kid:
        yield differs("seal.signature", f"{place}/seal_jws", said.get("kid"), refusal or key.kid)
    expected = {
        "tenant": said.get("tenant"),
        "batch_no": said.get("batch"),
        "id": said.get("batch_id"),
        "total_fen": said.get("total"),
        "item_count": said.get("count"),
        **{
            name: said.get(name)
            for name in (
                "seal_no", "scheme", "mode", "kind", "cut_off_at", "published_on", "publicity_through_on",
                "calendar_version", "merkle_root", "previous_seal", "sealed_by", "sealed_at",
            )
        },
    }  # fmt: skip
    for column, wanted in expected.items():
        found = plain(Money(batch.total_fen) if column == "total_fen" else getattr(batch, column))
        if wanted != found:
            yield differs("seal.record", f"{place}/{column}", wanted, found)


def _leaves(snapshot: Snapshot, batch: Row, secrets: OpenedSecrets) -> Iterator[bytes]:
    for item in snapshot.stream(f"{ITEMS} order by position", batch.tenant, batch.id):
        number = secrets.field_value(
            bytes(item.account_sealed), "obligation", "account_sealed", batch.tenant, str(item.claim_id)
        )
        yield canonical_bytes(
            {
                "account_number": None if number is None else number.decode(),
                "amount": str(Money(item.amount_fen)),
                "bank_name": item.bank_name,
                "batch": batch.batch_no,
                "claim": item.claim_no,
                "cnaps": item.cnaps,
                "payee": item.account_name,
                "position": item.position,
                "tenant": batch.tenant,
            }
        )
