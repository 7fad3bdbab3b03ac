"""The matching that follows from a lower award, whoever lowers it: a reviewer, or who asks part of it back."""

from typing import Any, cast

from clearing.claims.records import ClaimRow, view_claim
from clearing.claims.stored import read_stored_facts
from tenants.kernel.database import Work
from tenants.kernel.money import Money
from tenants.kernel.rate import Rate
from tenants.policy import Policy


def lowered_matching(work: Work, policy: Policy, row: ClaimRow, award: Money) -> Money:
    """The matching of a lowered award: the linked region's ratio of it, never more than was computed before."""
    enterprise = cast("dict[str, Any]", view_claim(work.connection, row.id).submission["enterprise"])
    zone = policy.zone(row.division, enterprise["resident_of"])
    if zone.provincial_to_local is None:
        return Money(row.matching_fen)
    facts = work.connection.exec_driver_sql(
        "select facts from assessment where tenant = %s and claim_id = %s order by seq desc limit 1",
        (row.tenant, row.id),
    ).scalar_one()
    linked = read_stored_facts(facts).linked_region
    own = None if linked is None else linked.terms
    share = Rate(1) / zone.provincial_to_local.value if own is None else own.share
    return min(Money(row.matching_fen), award.share(share))
