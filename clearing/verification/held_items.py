"""Items without a claim of their own that an objection took out of their batch: held and resumed as the chain tells."""

from collections.abc import Iterator
from itertools import zip_longest
from typing import Final

from clearing.verification.context import Context
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.dossiers import Dossier
from clearing.verification.entries import Entry
from clearing.verification.snapshot import Row

OBJECTED: Final = "item.objection"
RESUMED: Final = "item.resumed"


def held_differences(dossier: Dossier, obligation: Row, context: Context) -> Iterator[Difference]:
    """What is wrong with the obligation's objections, their resolutions, and its being held."""
    objected = [entry for entry in dossier.entries if entry.action == OBJECTED]
    resumed = [entry for entry in dossier.entries if entry.action == RESUMED]
    place = f"objection/{obligation.tenant}/{obligation.id}"
    rows, resolutions = dossier["objection"], dossier["objection_resolution"]
    if len(rows) != len(objected):
        yield differs("objection.count", place, len(objected), len(rows))
    for row, entry in zip(rows, objected, strict=False):
        yield from _objection(f"{place}/{row.id}", row, entry, context)
    for row, entry in zip_longest(resolutions, resumed):
        where = f"objection_resolution/{obligation.tenant}/{obligation.id}"
        if row is None or entry is None:
            yield differs("objection.resolved", where, entry and entry.at, row and row.resolved_at)
            continue
        said = {
            "objection_id": entry.details.get("objection"), "reason": entry.reason, "resolved_by": entry.actor,
        }  # fmt: skip
        found = {
            "objection_id": str(row.objection_id), "reason": row.reason, "resolved_by": row.resolved_by,
        }  # fmt: skip
        if said != found or not entry.witnesses(row.resolved_at):
            yield differs("objection.resolved", where, (said, entry.at), (found, row.resolved_at))
    last = objected[-1] if len(objected) > len(resumed) else None
    if (last is None) != (obligation.held_at is None) or (last is not None and not last.witnesses(obligation.held_at)):
        where = f"obligation/{obligation.tenant}/{obligation.id}/held_at"
        yield differs("objection.held", where, last and last.at, obligation.held_at)


def taken_out(dossier: Dossier, item: Row) -> bool:
    """Whether an objection of the chain took the item out of its batch, at that instant, for that reason."""
    return any(
        entry.action == OBJECTED and entry.witnesses(item.removed_at) and entry.reason == item.removed_reason
        for entry in dossier.entries
    )


def _objection(place: str, row: Row, entry: Entry, context: Context) -> Iterator[Difference]:
    batch = context.batches.get((row.tenant, row.batch_id))
    yield from compared("objection.witness", place, {"made_by": entry.actor, "reason": entry.reason}, row)
    if str(row.id) != entry.details.get("objection"):
        yield differs("objection.witness", f"{place}/id", entry.details.get("objection"), row.id)
    if not entry.witnesses(row.made_at):
        yield differs("objection.witness", f"{place}/made_at", entry.at, row.made_at)
    if batch is None or batch.batch_no != entry.details.get("batch_no"):
        yield differs("objection.witness", f"{place}/batch_id", entry.details.get("batch_no"), row.batch_id)
    if row.contact_sealed is not None and context.secrets is not None:
        sealed = bytes(row.contact_sealed)
        if context.secrets.field_value(sealed, "objection", "contact_sealed", row.tenant, str(row.id)) is None:
            yield differs("objection.contact", f"{place}/contact_sealed", "a contact that opens", "unreadable")
