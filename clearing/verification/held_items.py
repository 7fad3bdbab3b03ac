"""Items without a claim of their own that an objection took out of their batch: held, resumed, upheld by the chain."""

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any, Final

from clearing.verification.context import Context
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.dossiers import Dossier
from clearing.verification.entries import Entry
from clearing.verification.snapshot import Row
from tenants.kernel.canonical import plain
from tenants.kernel.money import Money

OBJECTED: Final = "item.objection"
UPHELD: Final = "item.upheld"
REFUSED: Final = "item.upholding_refused"
PROPOSED: Final = "item.upholding_proposed"
LET_GO: Final = frozenset({"item.resumed", "item.ended", UPHELD})
"""Acts that decide on an objection: the item is paid, ended for another reason, or the objection was right."""


def held_differences(dossier: Dossier, obligation: Row, context: Context) -> Iterator[Difference]:
    """What is wrong with the obligation's objections, their resolutions, and its being held."""
    objected = [entry for entry in dossier.entries if entry.action == OBJECTED]
    resumed = [entry for entry in dossier.entries if entry.action in LET_GO]
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
            "upholding_id": entry.details.get("upholding"),
        }  # fmt: skip
        found = {
            "objection_id": str(row.objection_id), "reason": row.reason, "resolved_by": row.resolved_by,
            "upholding_id": plain(row.upholding_id),
        }  # fmt: skip
        if said != found or not entry.witnesses(row.resolved_at):
            yield differs("objection.resolved", where, (said, entry.at), (found, row.resolved_at))
    last = objected[-1] if len(objected) > len(resumed) else None
    if (last is None) != (obligation.held_at is None) or (last is not None and not last.witnesses(obligation.held_at)):
        where = f"obligation/{obligation.tenant}/{obligation.id}/held_at"
        yield differs("objection.held", where, last and last.at, obligation.held_at)
    yield from _findings(dossier)


def upheld_at(dossier: Dossier) -> Row | None:
    """The decision that ended the obligation by upholding an objection to it."""
    return next((row for row in dossier["objection_upholding_decision"] if row.outcome == "approve"), None)


def _findings(dossier: Dossier) -> Iterator[Difference]:
    """What one person found and another decided, each as the chain tells, by two people."""
    place = f"objection_upholding/{dossier.tenant}/{dossier.subject_id}"
    proposed = [entry for entry in dossier.entries if entry.action == PROPOSED]
    decided = [entry for entry in dossier.entries if entry.action in {UPHELD, REFUSED}]
    for row, entry in zip_longest(dossier["objection_upholding"], proposed):
        if row is None or entry is None or not entry.witnesses(row.proposed_at):
            yield differs("objection.finding", place, entry and entry.at, row and row.proposed_at)
            continue
        expected = {
            "id": entry.details.get("upholding"), "objection_id": entry.details.get("objection"),
            "outcome": entry.details.get("outcome"), "keeps_fen": entry.details.get("keeps"),
            "reason": entry.reason, "proposed_by": entry.actor,
        }  # fmt: skip
        found = {
            "id": str(row.id), "objection_id": str(row.objection_id), "outcome": row.outcome,
            "keeps_fen": str(Money(row.keeps_fen)), "reason": row.reason, "proposed_by": row.proposed_by,
        }  # fmt: skip
        yield from _unlike(place, expected, found)
    place = f"objection_upholding_decision/{dossier.tenant}/{dossier.subject_id}"
    by = {str(row.id): row.proposed_by for row in dossier["objection_upholding"]}
    for row, entry in zip_longest(dossier["objection_upholding_decision"], decided):
        if row is None or entry is None or not entry.witnesses(row.decided_at):
            yield differs("objection.finding", place, entry and entry.at, row and row.decided_at)
            continue
        expected = {
            "upholding_id": entry.details.get("upholding"), "objection_id": entry.details.get("objection"),
            "proposed_by": by.get(str(row.upholding_id)), "reason": entry.details.get("said"),
            "outcome": "approve" if entry.action == UPHELD else "refuse",
            "instead_id": entry.details.get("instead"), "decided_by": entry.actor,
        }  # fmt: skip
        found = {
            "upholding_id": str(row.upholding_id), "objection_id": str(row.objection_id),
            "proposed_by": row.proposed_by, "reason": row.reason, "outcome": row.outcome,
            "instead_id": plain(row.instead_id), "decided_by": row.decided_by,
        }  # fmt: skip
        yield from _unlike(place, expected, found)
        if row.decided_by == row.proposed_by:
            yield differs("objection.four_eyes", f"{place}/decided_by", "another person", row.decided_by)


def _unlike(place: str, expected: dict[str, Any], found: dict[str, Any]) -> Iterator[Difference]:
    for name, wanted in expected.items():
        if found[name] != wanted:
            yield differs("objection.finding", f"{place}/{name}", wanted, found[name])


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
