"""The signed instructions of a batch, each by itself and all together: order, ids, sums, sealed items."""

from array import array
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from settlement.offline.difference import Findings, Place
from settlement.offline.evidence import Keys
from settlement.offline.listing import JSONL, Manifest
from settlement.offline.payouts import checked_payouts, payout_lines
from settlement.offline.roots import Leaves
from tenants.kernel.canonical import canonical_bytes
from tenants.kernel.money import Money

_LOW_BITS: Final = 2**64 - 1
_FROM_PAYLOAD: Final = ("account_number", "bank_name", "batch", "cnaps", "payee", "tenant")
_FROM_ITEM: Final = ("amount", "claim", "position")
"""The members of a sealed item: the leaf of the batch's Merkle tree."""


def check_payouts(path: Path, manifest: Manifest, keys: Keys, findings: Findings) -> None:
    """Note what is wrong with the signed instructions, and whether they are the sealed batch."""
    leaves, numbers, count, fen, last = Leaves(), array("Q"), 0, 0, 0
    for payout in checked_payouts(path, keys, manifest.shared):
        count += 1
        place = Place(JSONL, payout.number, payout.instruction_id)
        for fault in payout.faults:
            findings.add(place, *fault)
        if payout.payload is None:
            continue
        first = _note_items(payout.payload, leaves)
        if first <= last:
            findings.add(place, "line.moved", "不按明细顺序排列。", "It is out of the order of its items.")
        last = first
        fen += Money.parse(payout.payload["amount"]).fen
        numbers.append(UUID(payout.payload["instruction_id"]).int & _LOW_BITS)
    place = Place(JSONL)
    findings.expect(place, "count", manifest.content["count"], count)
    findings.expect(place, "total", manifest.content["total"], str(Money(fen)))
    findings.expect(place, "item_count", manifest.content["item_count"], len(leaves))
    findings.expect(place, "batch_root", manifest.content["batch_root"], leaves.root().hex())
    if (position := leaves.repeated()) is not None:
        findings.add(place, "items.repeated", f"明细 {position} 出现两次。", f"Item {position} is paid twice.")
    if any(one == other for one, other in pairwise(sorted(numbers))):
        _name_repeated(path, findings)


def _note_items(payload: Mapping[str, Any], leaves: Leaves) -> int:
    """Note the sealed items that the instruction pays; the first one's position."""
    for item in payload["items"]:
        leaf = {name: payload[name] for name in _FROM_PAYLOAD} | {name: item[name] for name in _FROM_ITEM}
        leaves.add(item["position"], canonical_bytes(leaf))
    return int(payload["items"][0]["position"])


def _name_repeated(path: Path, findings: Findings) -> None:
    seen: dict[str, int] = {}
    for line in payout_lines(path):
        if line.record is None:
            continue
        instruction_id = line.record["instruction_id"]
        if (first := seen.setdefault(instruction_id, line.number)) != line.number:
            findings.add(
                Place(JSONL, line.number, instruction_id),
                "line.repeated",
                f"与第 {first} 行重复。",
                f"It repeats line {first}.",
            )
