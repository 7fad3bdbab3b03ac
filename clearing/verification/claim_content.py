"""A claim's revisions: what was submitted is what the audit chain has the keyed digest of, and what the row repeats."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson

from clearing.verification.claim_history import SUBMITTED
from clearing.verification.context import Context
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.dossiers import Dossier, place_of
from clearing.verification.entries import Entry
from clearing.verification.identities import Spending, spendings_of
from clearing.verification.snapshot import Row
from clearing.verification.unsealing import OpenedSecrets

MASK: Final = "****"
_SHOWN: Final = 4
_SHOWN_FROM: Final = 8

_ABSENT: Final = re.compile(rb',"[^"\\]+":(?:null|\[\])(?=[,}])')
_ABSENT_FIRST: Final = re.compile(rb'(?<=\{)"[^"\\]+":(?:null|\[\]),?')
"""Members without a value, behind another or first in their object; within a text every quote has a backslash before
it, so that nothing that a text says looks like a member."""

Submission = dict[str, Any]


def read_json(text: str) -> dict[str, Any] | None:
    """The object that the text spells in canonical form; ``None`` where it is none."""
    try:
        said = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    canonical = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
    return said if isinstance(said, dict) and canonical == text.encode() else None


@dataclass(slots=True)
class Revision:
    """One revision as far as it could be read: the submission, and its account numbers where they could be opened."""

    submission: Submission | None = None
    account_number: str | None = None
    payers: list[str | None] | None = None
    spendings: list[Spending] = field(default_factory=list)


class Content:
    """The revisions of one claim, once they were looked at."""

    def __init__(self) -> None:
        self.revisions: list[Revision] = []

    @property
    def last(self) -> Revision:
        """The revision that holds now."""
        return self.revisions[-1] if self.revisions else Revision()

    def differences(self, dossier: Dossier, claim: Row, context: Context) -> Iterator[Difference]:
        """What is wrong with the revisions, and where the row says otherwise than the last."""
        entries = [entry for entry in dossier.entries if entry.action in SUBMITTED]
        revisions = dossier["claim_revision"]
        place = place_of("claim_revision", dossier.tenant, claim.claim_no)
        numbers = [row.revision for row in revisions]
        if numbers != list(range(1, len(entries) + 1)):
            yield differs("claim.revisions", place, f"1 to {len(entries)}", numbers)
        for row, entry in zip(revisions, entries, strict=False):
            yield from self._revision(f"{place}/{row.revision}", row, entry, claim, context)
        if self.last.submission is not None:
            yield from _row_differences(place_of("claim", dossier.tenant, claim.claim_no), self.last.submission, claim)
        if entries and entries[-1].details.get("content") != bytes(claim.content_mac).hex():
            expected = entries[-1].details.get("content")
            yield differs(
                "claim.content", f"claim/{dossier.tenant}/{claim.claim_no}/content_mac", expected, claim.content_mac
            )

    def _revision(self, place: str, row: Row, entry: Entry, claim: Row, context: Context) -> Iterator[Difference]:
        revision = Revision(read_json(row.submission))
        self.revisions.append(revision)
        if revision.submission is None:
            yield differs("claim.submission", f"{place}/submission", "canonical JSON", "another text")
            return
        if entry.details.get("revision") != row.revision:
            yield differs("claim.revisions", f"{place}/revision", entry.details.get("revision"), row.revision)
        if not entry.witnesses(row.received_at):
            yield differs("claim.witness", f"{place}/received_at", entry.at, row.received_at)
        client = context.clients.get(row.client_id)
        if client is None or (client.person or client.client_id) != entry.actor or client.platform != claim.platform:
            yield differs(
                "claim.client", f"{place}/client_id", f"a client of {claim.platform}: {entry.actor}", row.client_id
            )
        if context.secrets is not None:
            yield from _sealed(place, row, entry, revision, revision.submission, context.secrets)
        revision.spendings = spendings_of(revision.submission, revision.payers)


def _sealed(
    place: str, row: Row, entry: Entry, revision: Revision, submission: Submission, secrets: OpenedSecrets
) -> Iterator[Difference]:
    opened = secrets.field_value(
        bytes(row.sealed), "claim_revision", "sealed", row.tenant, f"{row.claim_id}/{row.revision}"
    )
    numbers = None if opened is None else read_json(opened.decode())
    if numbers is None or len(numbers.get("payers", ())) != len(submission.get("receipts", ())):
        yield differs("claim.sealed", f"{place}/sealed", "the account numbers of the revision", "unreadable")
        return
    revision.account_number, revision.payers = str(numbers["payee"]), numbers["payers"]
    if not _is_masked(submission, numbers):
        yield differs("claim.masked", f"{place}/submission", "account numbers as their last four digits", "others")
    mac = secrets.content_mac(_content(submission, numbers)).hex()
    if mac != entry.details.get("content"):
        yield differs("claim.content", f"{place}/submission", entry.details.get("content"), mac)


def _row_differences(place: str, submission: Submission, claim: Row) -> Iterator[Difference]:
    enterprise, provider = submission["enterprise"], submission["provider"]
    expected = {
        "tenant": submission["tenant"],
        "external_id": submission["external_id"],
        "scheme": submission["scheme"],
        "mode": submission["mode"],
        "submitted_at": datetime.fromisoformat(submission["submitted_at"]),
        "enterprise_uscc": enterprise["uscc"],
        "enterprise_name": enterprise["name"],
        "division": enterprise["division"],
        "provider_uscc": provider["uscc"],
        "provider_name": provider["name"],
    }
    yield from compared("claim.row", place, expected, claim)
    if claim.reservation_id is not None and str(claim.reservation_id) != submission["reservation_id"]:
        yield differs("claim.row", f"{place}/reservation_id", submission["reservation_id"], claim.reservation_id)


def _content(submission: Submission, numbers: dict[str, Any]) -> bytes:
    """What "the same content" means: the submission with its account numbers in clear, without what is absent."""
    receipts = [
        {**receipt, "payer_account": payer}
        for receipt, payer in zip(submission["receipts"], numbers["payers"], strict=True)
    ]
    payee = {**submission["payee"], "account_number": numbers["payee"]}
    whole = orjson.dumps({**submission, "receipts": receipts, "payee": payee}, option=orjson.OPT_SORT_KEYS)
    return _ABSENT_FIRST.sub(b"", _ABSENT.sub(b"", whole))


def _is_masked(submission: Submission, numbers: dict[str, Any]) -> bool:
    shown = [submission["payee"]["account_number"], *(each["payer_account"] for each in submission["receipts"])]
    clear = [numbers["payee"], *numbers["payers"]]
    return shown == [None if number is None else mask(number) for number in clear]


def mask(number: str) -> str:
    """An account number as people see it."""
    characters = [character for character in unicodedata.normalize("NFKC", number) if character.isalnum()]
    return MASK + "".join(characters[-_SHOWN:]) if len(characters) >= _SHOWN_FROM else MASK
