"""Matching that was taken back, or fell due again: replayed from the chains of both sides, in ledger and row."""

from collections.abc import Iterator
from typing import Any, Final
from uuid import NAMESPACE_OID, UUID, uuid5

from clearing.verification.amounts import fen_of
from clearing.verification.context import Context
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.entries import Entry
from clearing.verification.snapshot import Row
from tenants.kernel.canonical import plain

_TAKEN_BACK: Final = "matching.taken_back"
_DUE_AGAIN: Final = "matching.due_again"
_FREED: Final = "matching.freed"
_REASONS: Final = {
    _TAKEN_BACK: "matching taken back", _DUE_AGAIN: "matching due again", _FREED: "matching freed",
}  # fmt: skip


def changes_of(row: Row, context: Context) -> list[Entry]:
    """What the province's chain tells of the matching, but its payment."""
    subject = uuid5(NAMESPACE_OID, f"matching/{row.tenant}/{row.claim_id}")
    return [each for each in context.settings.get((row.tenant, subject), ()) if each.action in _REASONS]


def ended_by(changes: list[Entry]) -> Entry | None:
    """The change that ended the last obligation, where nothing is owed; that waiting matching was freed ended none."""
    return next((each for each in reversed(changes) if each.action != _FREED), None)


def replaced(row: Row, changes: list[Entry]) -> dict[tuple[str, UUID], Entry]:
    """The linked tenant's obligations that ended with a change, each with the change that ended it first."""
    found: dict[tuple[str, UUID], Entry] = {}
    for entry in changes:
        old = entry.details.get("obligation")
        if old is not None and entry.details.get("as") != "recover" and entry.action != _FREED:
            found.setdefault((row.linked, UUID(old)), entry)
    return found


def back_differences(
    place: str, row: Row, changes: list[Entry], transfers: list[Row], context: Context
) -> Iterator[Difference]:
    """A row, ledger or chain that tells something else than the province's chain."""
    amounts = {"waiting": 0, "freed": 0, "recover": 0}
    expected, account = [], f"{row.scheme}/{row.quota_year}/{row.division}"
    for entry in changes:
        said, fen = entry.details, fen_of(entry.details["amount"])
        amounts[said["as"]] += -fen if entry.action == _DUE_AGAIN else fen
        if said["as"] == "recover":
            continue
        if entry.action == _FREED:
            amounts["waiting"] -= fen
            expected.append((entry, (f"matching-waiting/{account}", "matching/"), fen))
            continue
        sides = (f"matching-payable/{account}", "matching-waiting/" if said["as"] == "waiting" else "matching/")
        expected.append((entry, sides if entry.action == _TAKEN_BACK else sides[::-1], fen))
    columns: dict[str, Any] = {f"{name}_fen": fen for name, fen in amounts.items()}
    columns["changed_by"] = changes[-1].actor if changes else None
    yield from compared("matching.back", place, columns, row)
    if (row.changed_at is None) != (not changes) or (changes and not changes[-1].witnesses(row.changed_at)):
        yield differs("matching.back", f"{place}/changed_at", changes and changes[-1].at, row.changed_at)
    yield from _moved(row, expected, transfers)
    if row.linked is not None:
        told = context.settings.get((row.linked, uuid5(NAMESPACE_OID, f"matching/{row.tenant}/{row.claim_id}")), ())
        theirs = [(each.action, dict(each.details)) for each in told if each.action in _REASONS]
        if theirs != [(each.action, dict(each.details)) for each in changes]:
            yield differs("matching.back", place, [each.action for each in changes], f"{row.linked}: {theirs}")
        last = next((each.details["instead"] for each in reversed(changes) if each.details["instead"]), None)
        if last is not None and last != plain(row.obligation_id):
            yield differs("matching.back", f"{place}/obligation_id", last, row.obligation_id)


def _moved(row: Row, expected: list[tuple[Entry, tuple[str, str], int]], transfers: list[Row]) -> Iterator[Difference]:
    """Each change moved its amount in the province's books, at its time."""
    for (entry, sides, fen), found in zip(expected, transfers, strict=False):
        right = (
            found.amount_fen == fen and found.kind == "posted" and found.reason == _REASONS[entry.action]
            and found.debit.startswith(sides[0]) and found.credit.startswith(sides[1]) and entry.witnesses(found.at)
        )  # fmt: skip
        if not right:
            where = f"ledger_transfer/{row.tenant}/{found.id}"
            yield differs(
                "matching.back", where, (*sides, fen, entry.at), (found.debit, found.credit, found.amount_fen)
            )
    if len(expected) != len(transfers):
        where = f"ledger_transfer/{row.tenant}/{transfers[-1].id if transfers else row.claim_id}"
        yield differs("matching.back", where, len(expected), len(transfers))
