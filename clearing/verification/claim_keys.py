"""A live claim's keys: every identity of its spending is held in the registry with its fen, and nothing else is."""

from collections.abc import Iterator
from itertools import pairwise
from operator import attrgetter
from typing import Any, Final

from clearing.verification.awards import GRANTING
from clearing.verification.claim_content import Revision
from clearing.verification.claim_history import OVERDUE, RED_LETTER
from clearing.verification.context import Context
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.dossiers import Dossier, place_of
from clearing.verification.entries import SHANGHAI
from clearing.verification.snapshot import Row
from clearing.verification.unsealing import OpenedSecrets

STATUSES: Final = frozenset({"taken", "contending"})
DECIDED: Final = frozenset({"in_review", "approved"})
"""States in which no fen is contended for any more."""
FREED: Final = frozenset({OVERDUE, RED_LETTER})
"""Acts after which a claim that is to be corrected holds no key."""
GROUP_WITHOUT_POLICY: Final = "national"


def key_differences(dossier: Dossier, claim: Row, revision: Revision, context: Context) -> Iterator[Difference]:
    """Holdings that the claim should have and has not, has and should not, or has otherwise."""
    holdings = dossier["registry_holding"]
    live = claim.state in GRANTING or (claim.state == "needs_correction" and dossier.entries[-1].action not in FREED)
    asked_back = dossier.only("asked_back")
    if asked_back is not None and asked_back.amount_fen == claim.award_fen:
        live = False  # asked back whole: its spending was, in the end, not subsidised
    if not live:
        for row in holdings:
            yield differs("registry.dead", _place(row, claim), f"no holding in {claim.state}", row.status)
        return
    terms = context.policies.get((dossier.tenant, claim.policy_version or ""))
    columns: dict[str, Any] = {
        "exclusion_group": GROUP_WITHOUT_POLICY if terms is None else terms.exclusion_group,
        "holder_kind": "claim",
        "scheme": claim.scheme,
        "platform": claim.platform,
        "month": f"{claim.submitted_at.astimezone(SHANGHAI):%Y-%m}",
    }
    if claim.state in DECIDED:
        columns["status"] = "taken"
    wanted = tuple(columns.values())
    values = attrgetter(*columns)
    for row in holdings:
        if values(row) != wanted:
            yield from compared("registry.holding", _place(row, claim), columns, row)
        if row.status not in STATUSES:
            yield differs("registry.holding", f"{_place(row, claim)}/status", STATUSES, row.status)
    yield from version_differences(holdings, f"registry_holding/{claim.tenant}/{claim.claim_no}", context)
    yield from _keyed(holdings, claim, revision, context)


def _keyed(holdings: list[Row], claim: Row, revision: Revision, context: Context) -> Iterator[Difference]:
    """What is wrong with digests, where the secrets are given."""
    if context.secrets is None:
        return
    yield from _enterprise(context.secrets, holdings, claim)
    if revision.submission is not None and revision.payers is not None:
        for version, state in context.key_versions.items():
            if state != "retired" and context.secrets.opens_version(version):
                yield from _held(context.secrets, revision, holdings, claim, version, state)


def version_differences(holdings: list[Row], place: str, context: Context) -> Iterator[Difference]:
    """Holdings that are not the same under every version of the registry's key that is complete (I24)."""
    current = [version for version, state in context.key_versions.items() if state == "current"]
    by_version = {version: [row for row in holdings if row.key_version == version] for version in context.key_versions}
    for version, state in context.key_versions.items():
        if state == "retired" and by_version[version]:
            yield differs("registry.retired", place, f"none under version {version}", len(by_version[version]))
    for older, newer in pairwise(sorted(current)):
        first, second = (sorted(_said(row) for row in by_version[version]) for version in (older, newer))
        if first != second:
            yield differs("registry.versions", f"{place}/{newer}", first, second)
        if context.secrets is not None and newer == older + 1 and context.secrets.opens_version(newer):
            expected = {context.secrets.registry_layer(row.kind, bytes(row.digest), newer) for row in by_version[older]}
            found = {bytes(row.digest) for row in by_version[newer]}
            for digest in expected ^ found:
                yield differs("registry.versions", f"{place}/{digest.hex()}", digest in expected, digest in found)


def _said(row: Row) -> tuple[object, ...]:
    return (row.kind, row.exclusion_group, row.status, row.claimed_fen, row.stated_fen or 0, row.month)


def _enterprise(secrets: OpenedSecrets, holdings: list[Row], claim: Row) -> Iterator[Difference]:
    for row in holdings:
        if row.key_version is None or not secrets.opens_version(row.key_version):
            continue  # said of the version itself
        expected = secrets.registry_digest("enterprise", claim.enterprise_uscc, row.key_version)
        if bytes(row.enterprise_digest) != expected:
            yield from compared("registry.holding", _place(row, claim), {"enterprise_digest": expected}, row)


def _held(
    secrets: OpenedSecrets, revision: Revision, holdings: list[Row], claim: Row, version: int, state: str
) -> Iterator[Difference]:
    """What is held under one version; while it is filled or dropped, some of it may be missing."""
    used = {
        secrets.registry_digest(each.kind, text, version): each for each in revision.spendings for text in each.texts
    }
    held = set()
    for row in holdings:
        if row.key_version != version:
            continue
        digest = bytes(row.digest)
        held.add(digest)
        spending = used.get(digest)
        if spending is None:
            yield differs("registry.not_used", _place(row, claim), "no such identity in the claim", row.kind)
        elif (row.kind, row.claimed_fen, row.stated_fen) != (spending.kind, spending.claimed_fen, spending.stated_fen):
            columns = {"kind": spending.kind, "claimed_fen": spending.claimed_fen, "stated_fen": spending.stated_fen}
            yield from compared("registry.holding", _place(row, claim), columns, row)
    for digest in used.keys() - held if state == "current" else ():
        place = f"{place_of('registry_holding', claim.tenant, claim.claim_no)}/{digest.hex()}"
        yield differs("registry.not_held", place, used[digest].kind, None)


def _place(row: Row, claim: Row) -> str:
    return f"{place_of('registry_holding', claim.tenant, claim.claim_no)}/{bytes(row.digest).hex()}"
