"""What the outbox tells platforms: one notice for each act, in the words of the act (I14, I23)."""

from collections.abc import Iterator, Mapping
from typing import Any

from clearing.verification.claim_history import SUBMITTED, leaves_the_row
from clearing.verification.difference import Difference, differs
from clearing.verification.dossiers import Dossier
from clearing.verification.entries import Entry
from clearing.verification.snapshot import Row
from tenants.kernel.canonical import canonical_bytes
from tenants.kernel.money import Money

Notice = tuple[str, str | None, str, Entry]
"""Kind, platform, payload and the entry that it tells of."""


def claim_notices(dossier: Dossier, claim: Row) -> list[Notice]:
    """The notices that the claim's acts have to have made."""
    awards, notices, revision = dossier.awards, [], 0
    for entry in dossier.entries:
        revision += entry.action in SUBMITTED
        if leaves_the_row(entry):
            continue
        payload = {
            "claim_id": str(dossier.subject_id),
            "claim_no": claim.claim_no,
            "external_id": claim.external_id,
            "tenant": dossier.tenant,
            "revision": revision,
            "state": entry.to_state,
            "award": str(Money(awards[entry.seq] or 0)),
        }
        notices.append(_notice(f"claim.{entry.to_state}", claim.platform, payload, entry))
    return notices


def reservation_notices(dossier: Dossier, reservation: Row) -> list[Notice]:
    """The notices that the reservation's acts have to have made."""
    return [_notice(entry.action, reservation.platform, entry.details, entry) for entry in dossier.entries]


def notice_differences(dossier: Dossier, expected: list[Notice]) -> Iterator[Difference]:
    """Notices that are missing, too many, or say something else; each in its order."""
    rows = dossier["outbox"]
    if len(rows) != len(expected):
        place = f"outbox/{dossier.tenant}/{dossier.subject_id}"
        yield differs("outbox.count", place, [kind for kind, *_ in expected], [row.kind for row in rows])
    for row, (kind, platform, payload, entry) in zip(rows, expected, strict=False):
        place = f"outbox/{dossier.tenant}/{row.id}"
        for column, wanted in (("kind", kind), ("platform", platform), ("payload", payload)):
            if getattr(row, column) != wanted:
                yield differs("outbox.notice", f"{place}/{column}", wanted, getattr(row, column))
        if not entry.witnesses(row.created_at):
            yield differs("outbox.notice", f"{place}/created_at", entry.at, row.created_at)


def _notice(kind: str, platform: str, payload: Mapping[str, Any], entry: Entry) -> Notice:
    return kind, platform, canonical_bytes(dict(payload)).decode(), entry
