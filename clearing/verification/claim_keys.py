"""A live claim's keys: every identity of its spending is held in the registry with its fen, and nothing else is."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from clearing.verification.awards import GRANTING
from clearing.verification.claim_award import SHANGHAI
from clearing.verification.claim_content import Revision
from clearing.verification.claim_history import OVERDUE
from clearing.verification.context import Context
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.dossiers import Dossier, place_of
from clearing.verification.identities import Use, uses_of
from clearing.verification.snapshot import Row

DECIDED: Final = frozenset({"in_review", "approved"})
"""States in which no fen is contended for any more."""
GROUP_WITHOUT_POLICY: Final = "national"


def key_differences(dossier: Dossier, claim: Row, revision: Revision, context: Context) -> Iterator[Difference]:
    """Holdings that the claim should have and has not, has and should not, or has otherwise."""
    holdings = dossier["registry_holding"]
    live = claim.state in GRANTING or (claim.state == "needs_correction" and dossier.entries[-1].action != OVERDUE)
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
    for row in holdings:
        yield from compared("registry.holding", _place(row, claim), columns, row)
    if context.secrets is not None and revision.submission is not None and revision.payers is not None:
        expected = uses_of(revision.submission, revision.payers, context.secrets.registry_digest)
        yield from _held(expected, holdings, claim)


def _held(expected: dict[bytes, Use], holdings: list[Row], claim: Row) -> Iterator[Difference]:
    found = {bytes(row.digest): row for row in holdings}
    for digest in expected.keys() - found.keys():
        place = f"{place_of('registry_holding', claim.tenant, claim.claim_no)}/{digest.hex()}"
        yield differs("registry.not_held", place, expected[digest].kind, None)
    for digest, row in found.items():
        use = expected.get(digest)
        if use is None:
            yield differs("registry.not_used", _place(row, claim), "no such identity in the claim", row.kind)
            continue
        columns = {"kind": use.kind, "claimed_fen": use.claimed_fen, "stated_fen": use.stated_fen}
        yield from compared("registry.holding", _place(row, claim), columns, row)


def _place(row: Row, claim: Row) -> str:
    return f"{place_of('registry_holding', claim.tenant, claim.claim_no)}/{bytes(row.digest).hex()}"


def month_of(at: datetime) -> str:
    """The month in Asia/Shanghai, as the registry keeps it."""
    return f"{at.astimezone(SHANGHAI):%Y-%m}"
