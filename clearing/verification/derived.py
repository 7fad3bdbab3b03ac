"""Obligations that are no claim of the tenant's own: their places in batches, and what the ledger holds for them."""

from collections.abc import Iterator
from typing import Final

from clearing.verification.claim_money import in_transit, place_of_transfer, shown_flows, standing_flows, witnessed
from clearing.verification.context import Context
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.dossiers import Dossier
from clearing.verification.held_items import held_differences, taken_out, upheld_at
from clearing.verification.snapshot import Row
from tenants.kernel.money import Money

TAKEN_BACK: Final = "matching taken back"
"""Why a linked region's obligation ended, or left its batch."""
UPHELD: Final = "objection upheld"
"""Why the transfers of an item were taken back whose objection was right."""


def derived_differences(dossier: Dossier, row: Row, context: Context) -> Iterator[Difference]:
    """What is wrong with the obligation's items and transfers; what it says is checked with what it comes from."""
    place = f"obligation/{row.tenant}/{row.id}"
    if row.kind is None:
        yield differs("stray.row", place, "a claim", "obligation")
        return
    yield from compared("obligation.row", place, {"applied_at": None}, row)
    live = []
    for item in dossier["batch_item"]:
        where = f"batch_item/{item.tenant}/{item.batch_id}/{item.line}"
        batch = context.batches.get((item.tenant, item.batch_id))
        if batch is None:
            yield differs("item.batch", where, "a batch", None)
            continue
        expected = {"scheme": row.scheme, "mode": row.mode, "kind": row.kind, "form": None}
        yield from compared("item.batch", f"batch/{item.tenant}/{batch.batch_no}", expected, batch)
        if item.amount_fen != row.amount_fen:
            yield differs("item.amount", f"{where}/amount_fen", Money(row.amount_fen), Money(item.amount_fen))
        if (item.removed_at is None) != (item.removed_reason is None):
            yield differs("item.removed", f"{where}/removed_reason", item.removed_at, item.removed_reason)
        if item.removed_at is None:
            live.append(batch)
        elif (
            batch.state != "cancelled"
            and not taken_out(dossier, item)
            and (item.removed_at, item.removed_reason) != (row.released_at, TAKEN_BACK)
        ):
            yield differs("item.removed", f"{where}/removed_at", "a cancelled batch", batch.state)
    if len(live) > 1:
        yield differs("item.once", f"batch_item/{row.tenant}/{row.id}", 1, len(live))
    if row.batch_id != (live[0].id if live else None):
        yield differs("obligation.batch", f"{place}/batch_id", live[0].id if live else None, row.batch_id)
    yield from held_differences(dossier, row, context)
    yield from _money(dossier, row, context)


def _money(dossier: Dossier, row: Row, context: Context) -> Iterator[Difference]:
    """What it comes from, and from there on what becomes of every payment."""
    first = (origin_account(row), f"obligations/{row.scheme}/{row.quota_year}", row.amount_fen)
    upheld = upheld_at(dossier)
    if row.kind == "incentive" and row.released_at != (upheld and upheld.decided_at):
        place = f"obligation/{row.tenant}/{row.id}/released_at"
        yield differs("obligation.money", place, upheld and upheld.decided_at, row.released_at)
    reason = UPHELD if row.kind == "incentive" else TAKEN_BACK
    taken_back = row.kind in {"matching", "incentive"} and row.released_at is not None
    expected = [] if taken_back else sorted([first, *in_transit(dossier, row, context)])
    found = standing_flows(dossier)
    if found != expected:
        place = f"ledger_transfer/{row.tenant}/{row.id}"
        yield differs("obligation.money", place, shown_flows(expected), shown_flows(found))
    for each in dossier["ledger_transfer"]:
        if taken_back and each.reverses is not None:
            if (each.at, each.reason) != (row.released_at, reason):
                yield differs("obligation.money", f"{place_of_transfer(each)}/at", row.released_at, each.at)
        elif (each.debit, each.credit, each.amount_fen) != first:
            yield from witnessed(dossier, each, context)
        elif each.at != row.approved_at or each.kind != "posted":
            yield differs("obligation.money", f"{place_of_transfer(each)}/at", row.approved_at, (each.at, each.kind))


def origin_account(row: Row) -> str:
    """Where the money for an obligation of the kind comes from."""
    year = f"{row.scheme}/{row.quota_year}"
    accounts = {
        "home_region": f"clearing/{year}/{row.funder}",
        "matching": f"matching-expense/{year}",
        "incentive": f"budget/{year}",
    }
    return accounts.get(row.kind, "")
