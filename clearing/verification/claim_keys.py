"""A live claim's keys: every identity of its spending is held in the registry with its fen, and nothing else is."""

from collections.abc import Iterator
from operator import attrgetter
from typing import Any, Final

from clearing.verification.awards import GRANTING
from clearing.verification.claim_award import SHANGHAI
from clearing.verification.claim_content import Revision
from clearing.verification.claim_history import OVERDUE, RED_LETTER
from clearing.verification.context import Context
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.dossiers import Dossier, place_of
from clearing.verification.identities import Spending
from clearing.verification.snapshot import Row

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
    if context.secrets is not None:
        columns["enterprise_digest"] = context.secrets.registry_digest("enterprise", claim.enterprise_uscc)
    wanted = tuple(columns.values())
    values = attrgetter(*columns)
    for row in holdings:
        if values(row) != wanted:
            yield from compared("registry.holding", _place(row, claim), columns, row)
        if row.status not in STATUSES:
            yield differs("registry.holding", f"{_place(row, claim)}/status", STATUSES, row.status)
    if context.secrets is not None and revision.submission is not None and revision.payers is not None:
        digest = context.secrets.registry_digest
        used = {digest(each.kind, text): each for each in revision.spendings for text in each.texts}
        yield from _held(used, holdings, claim)


def _held(used: dict[bytes, Spending], holdings: list[Row], claim: Row) -> Iterator[Difference]:
    held = set()
    for row in holdings:
        digest = bytes(row.digest)
        held.add(digest)
        spending = used.get(digest)
        if spending is None:
            yield differs("registry.not_used", _place(row, claim), "no such identity in the claim", row.kind)
        elif (row.kind, row.claimed_fen, row.stated_fen) != (spending.kind, spending.claimed_fen, spending.stated_fen):
            columns = {"kind": spending.kind, "claimed_fen": spending.claimed_fen, "stated_fen": spending.stated_fen}
            yield from compared("registry.holding", _place(row, claim), columns, row)
    for digest in used.keys() - held:
        place = f"{place_of('registry_holding', claim.tenant, claim.claim_no)}/{digest.hex()}"
        yield differs("registry.not_held", place, used[digest].kind, None)


def _place(row: Row, claim: Row) -> str:
    return f"{place_of('registry_holding', claim.tenant, claim.claim_no)}/{bytes(row.digest).hex()}"
