"""What the ledger holds for one claim: reserved while it is undecided, owed once it is approved, else nothing."""

from collections.abc import Iterator
from typing import Final

from clearing.verification.awards import Json
from clearing.verification.context import Context
from clearing.verification.difference import Difference, differs
from clearing.verification.dossiers import Dossier, place_of
from clearing.verification.entries import Entry
from clearing.verification.snapshot import Row
from tenants.kernel.money import Money

RESERVED: Final = frozenset({"on_hold", "in_review"})
OWED: Final = frozenset({"approved"})

PENDING: Final = {"quota": "quota", "budget": "award", "matching": "matching"}
"""The reason of a pending transfer, by the kind of its debit account."""
ENDING: Final = {
    "claim.review.approve": "award lowered",
    "claim.review.correct": "sent back for correction",
    "claim.review.reject": "rejected at {stage}",
    "hold.reject": "hold rejected",
    "claim.withdrawn": "withdrawn",
    "claim.objection": "objection",
    "claim.frozen": "frozen",
}
"""The reason for which an act that does not approve ends or reverses a transfer."""

APPROVING: Final = ("claim approved", "award lowered")

Flow = tuple[str, str, int]
"""Debit, credit and fen."""


def money_differences(dossier: Dossier, claim: Row, result: Json | None, context: Context) -> Iterator[Difference]:
    """Where the ledger holds something else for the claim than its state, award and batch say."""
    place = place_of("ledger_transfer", dossier.tenant, claim.claim_no)
    transfers = dossier["ledger_transfer"]
    ended = {row.pending_id for row in transfers} | {row.reverses for row in transfers}
    live = [row for row in transfers if row.id not in ended]
    pending = sorted(_flow(row) for row in live if row.kind == "pending")
    standing = sorted(_flow(row) for row in live if row.kind in {"post", "posted"} and row.reverses is None)
    terms = context.policies.get((dossier.tenant, claim.policy_version or ""))
    taken = _taken(claim, result, claim.scheme if terms is None else terms.cap)
    reserved = sorted(taken) if claim.state in RESERVED else []
    owed = sorted((taken if claim.state in OWED else []) + _in_transit(dossier, claim, context))
    if pending != reserved:
        yield differs("claim.reserved", place, _shown(reserved), _shown(pending))
    if standing != owed:
        yield differs("claim.owed", place, _shown(owed), _shown(standing))
    for row in transfers:
        yield from _witnessed(dossier, row, context)


def _taken(claim: Row, result: Json | None, cap: str) -> list[Flow]:
    """What an award and its matching take, and from where."""
    year, capped = f"{claim.scheme}/{claim.quota_year}", f"{cap}/{claim.quota_year}"
    flows = [
        (f"quota/{capped}/{claim.enterprise_uscc}", f"quota-used/{capped}", claim.award_fen),
        (f"budget/{year}", f"obligations/{year}", claim.award_fen),
    ]
    linked = None if result is None or result["matching"] is None else result["matching"]["linked_region"]
    if linked is not None:
        debit = f"matching/{year}/{linked}/{claim.enterprise_uscc}"
        flows.append((debit, f"matching-payable/{year}/{linked}", claim.matching_fen))
    return [flow for flow in flows if flow[2]]


def _in_transit(dossier: Dossier, claim: Row, context: Context) -> list[Flow]:
    year = f"{claim.scheme}/{claim.quota_year}"
    return [
        (f"obligations/{year}", f"in-transit/{year}", item.amount_fen)
        for item in dossier["batch_item"]
        if item.removed_at is None and _released(dossier, item, context) is not None
    ]


def _released(dossier: Dossier, item: Row, context: Context) -> Row | None:
    batch = context.batches.get((dossier.tenant, item.batch_id))
    return None if batch is None or batch.released_at is None else batch


def _witnessed(dossier: Dossier, row: Row, context: Context) -> Iterator[Difference]:
    """Each transfer was made when an act of the claim was, for the reason of that act and for the award it left."""
    if row.debit.startswith("obligations/") and row.reverses is None:
        batches = [_released(dossier, item, context) for item in dossier["batch_item"]]
        if not any(b is not None and (b.released_at, b.batch_no) == (row.at, row.reason) for b in batches):
            yield differs("transfer.witness", _place(row), "the release of its batch", (row.at, row.reason))
        return
    acts = [entry for entry in dossier.entries if entry.witnesses(row.at)]
    if not acts:
        yield differs("transfer.witness", f"{_place(row)}/at", "the time of one of its acts", row.at)
        return
    expected = {reason for entry in acts for reason in _reasons(row, entry)}
    if row.reason not in expected:
        yield differs("transfer.reason", f"{_place(row)}/reason", expected, row.reason)
    if row.kind == "pending" and row.reason != "matching":
        awards = {dossier.awards[entry.seq] for entry in acts}
        if row.amount_fen not in awards:
            yield differs("transfer.award", f"{_place(row)}/amount_fen", awards, row.amount_fen)


def _place(row: Row) -> str:
    return f"ledger_transfer/{row.tenant}/{row.id}"


def _reasons(row: Row, entry: Entry) -> tuple[str, ...]:
    """Why an act makes such a transfer."""
    if row.kind == "pending":
        return (PENDING.get(row.debit.partition("/")[0], ""),)
    if entry.to_state == "approved":
        return APPROVING
    return (ENDING.get(entry.action, "").format(stage=entry.details.get("about")),)


def _flow(row: Row) -> Flow:
    return row.debit, row.credit, row.amount_fen


def _shown(flows: list[Flow]) -> str:
    return "; ".join(f"{debit} → {credit} {Money(fen)}" for debit, credit, fen in flows) or "nothing"
