"""Obligations that are no claim of the tenant's own: their places in batches, and what the ledger holds for them."""

from collections.abc import Iterator

from clearing.verification.context import Context
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.dossiers import Dossier
from clearing.verification.snapshot import Row
from tenants.kernel.money import Money

Flow = tuple[str, str, int]


def derived_differences(dossier: Dossier, row: Row, context: Context) -> Iterator[Difference]:
    """What is wrong with the obligation's items and transfers; what it says is checked with what it comes from."""
    place = f"obligation/{row.tenant}/{row.id}"
    if row.kind is None:
        yield differs("stray.row", place, "a claim", "obligation")
        return
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
        elif batch.state != "cancelled":
            yield differs("item.removed", f"{where}/removed_at", "a cancelled batch", batch.state)
    if len(live) > 1:
        yield differs("item.once", f"batch_item/{row.tenant}/{row.id}", 1, len(live))
    if row.batch_id != (live[0].id if live else None):
        yield differs("obligation.batch", f"{place}/batch_id", live[0].id if live else None, row.batch_id)
    yield from _money(dossier, row, live)


def _money(dossier: Dossier, row: Row, live: list[Row]) -> Iterator[Difference]:
    year = f"{row.scheme}/{row.quota_year}"
    expected: list[Flow] = [(origin_account(row), f"obligations/{year}", row.amount_fen)]
    released = [batch for batch in live if batch.released_at is not None]
    expected += [(f"obligations/{year}", f"in-transit/{year}", row.amount_fen) for _ in released]
    transfers = dossier["ledger_transfer"]
    found = [(each.debit, each.credit, each.amount_fen) for each in transfers]
    if sorted(found) != sorted(expected):
        yield differs("obligation.money", f"ledger_transfer/{row.tenant}/{row.id}", sorted(expected), sorted(found))
    for each in transfers:
        if each.debit == f"obligations/{year}" and not any(
            (batch.released_at, batch.batch_no) == (each.at, each.reason) for batch in released
        ):
            place = f"ledger_transfer/{each.tenant}/{each.id}"
            yield differs("transfer.witness", place, "the release of its batch", (each.at, each.reason))
        if each.kind != "posted":
            yield differs("obligation.money", f"ledger_transfer/{each.tenant}/{each.id}/kind", "posted", each.kind)


def origin_account(row: Row) -> str:
    """Where the money for an obligation of the kind comes from."""
    year = f"{row.scheme}/{row.quota_year}"
    return {"home_region": f"clearing/{year}/{row.funder}"}.get(row.kind, "")
