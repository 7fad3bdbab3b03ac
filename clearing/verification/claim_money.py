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
    "claim.red_letter": "red-lettered",
}
"""The reason for which an act that does not approve ends or reverses a transfer."""

APPROVING: Final = ("claim approved", "award lowered")

Flow = tuple[str, str, int]
"""Debit, credit and fen."""


def money_differences(dossier: Dossier, claim: Row, result: Json | None, context: Context) -> Iterator[Difference]:
    """Where the ledger holds something else for the claim than its state, award and batch say."""
    place = place_of("ledger_transfer", dossier.tenant, claim.claim_no)
    pending, standing = sorted(_flow(row) for row in _live(dossier) if row.kind == "pending"), standing_flows(dossier)
    terms = context.policies.get((dossier.tenant, claim.policy_version or ""))
    taken = _taken(claim, result, claim.scheme if terms is None else terms.cap)
    reserved = sorted(taken) if claim.state in RESERVED else []
    owed = sorted((taken if claim.state in OWED else []) + in_transit(dossier, claim, context))
    if pending != reserved:
        yield differs("claim.reserved", place, shown_flows(reserved), shown_flows(pending))
    if standing != owed:
        yield differs("claim.owed", place, shown_flows(owed), shown_flows(standing))
    for row in dossier["ledger_transfer"]:
        yield from witnessed(dossier, row, context)


def standing_flows(dossier: Dossier) -> list[Flow]:
    """What was posted and not taken back."""
    return sorted(_flow(row) for row in _live(dossier) if row.kind in {"post", "posted"} and row.reverses is None)


def _live(dossier: Dossier) -> list[Row]:
    transfers = dossier["ledger_transfer"]
    ended = {row.pending_id for row in transfers} | {row.reverses for row in transfers}
    return [row for row in transfers if row.id not in ended]


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


def in_transit(dossier: Dossier, claim: Row, context: Context) -> list[Flow]:
    """Where the money of a released batch went: to the bank, to the home region, or to and through an agent.

    The bank's word takes it on from there.
    """
    year = f"{claim.scheme}/{claim.quota_year}"
    came = {row.outcome for row in dossier["instruction_outcome"]}
    flows: list[Flow] = []
    for item in dossier["batch_item"]:
        batch = _released(dossier, item, context)
        if item.removed_at is not None or batch is None:
            continue
        paid_by = {"home_region": f"clearing/{year}/{batch.counterparty}", "agent": f"agent/{year}/{batch.batch_no}"}
        through = paid_by.get(batch.form, f"in-transit/{year}")
        flows.append((f"obligations/{year}", through, item.amount_fen))
        if batch.form == "agent" and batch.instructed_at is not None:
            flows.append((through, f"in-transit/{year}", item.amount_fen))
        if came & {"returned", "rejected"}:
            flows.append((f"in-transit/{year}", f"returned/{year}", item.amount_fen))
        elif "paid" in came:
            flows.append((f"in-transit/{year}", f"paid/{year}", item.amount_fen))
    return flows


def _released(dossier: Dossier, item: Row, context: Context) -> Row | None:
    batch = context.batches.get((dossier.tenant, item.batch_id))
    return None if batch is None or batch.released_at is None else batch


_STEPS_OF_BATCHES: Final = (
    ("agent/", "instructed_at", "the instructing of its batch"),
    ("obligations/", "released_at", "the release of its batch"),
)


def witnessed(dossier: Dossier, row: Row, context: Context) -> Iterator[Difference]:
    """Each transfer was made when an act of the claim was, for the reason of that act and for the award it left."""
    step = next((step for step in _STEPS_OF_BATCHES if row.debit.startswith(step[0]) and row.reverses is None), None)
    if step is not None:
        _, column, said = step
        batches = [_released(dossier, item, context) for item in dossier["batch_item"]]
        if not any(b is not None and (getattr(b, column), b.batch_no) == (row.at, row.reason) for b in batches):
            yield differs("transfer.witness", place_of_transfer(row), said, (row.at, row.reason))
        return
    if row.debit.startswith(("in-transit/", "paid/")):
        came = {(outcome.at, outcome.outcome) for outcome in dossier["instruction_outcome"]}
        if (row.at, row.reason) not in came or (row.reverses is not None) != row.debit.startswith("paid/"):
            yield differs(
                "transfer.witness", place_of_transfer(row), "an outcome of its instruction", (row.at, row.reason)
            )
        return
    acts = [entry for entry in dossier.entries if entry.witnesses(row.at)]
    if not acts:
        yield differs("transfer.witness", f"{place_of_transfer(row)}/at", "the time of one of its acts", row.at)
        return
    expected = {reason for entry in acts for reason in _reasons(row, entry)}
    if row.reason not in expected:
        yield differs("transfer.reason", f"{place_of_transfer(row)}/reason", expected, row.reason)
    if row.kind == "pending" and row.reason != "matching":
        awards = {dossier.awards[entry.seq] for entry in acts}
        if row.amount_fen not in awards:
            yield differs("transfer.award", f"{place_of_transfer(row)}/amount_fen", awards, row.amount_fen)


def place_of_transfer(row: Row) -> str:
    """Where a transfer is."""
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


def shown_flows(flows: list[Flow]) -> str:
    """Flows as a person reads them in a report."""
    return "; ".join(f"{debit} → {credit} {Money(fen)}" for debit, credit, fen in flows) or "nothing"
