"""The stages of review that a claim passes: the scheme's chain, or the short one of a provider on the trust list."""

from typing import Final

from clearing.claims.records import ClaimRow
from tenants.kernel.database import Work
from tenants.policy import Policy

PROVIDER: Final = "provider"
"""The stage that is the provider's own confirmation (服务机构确认), given through its platform, never by a reviewer."""


def chain_of(work: Work, policy: Policy, row: ClaimRow) -> tuple[str, ...]:
    """The claim's stages, first stage first.

    A listed provider's claim that its last assessment let pass takes the short chain; one that was held since, by an
    objection or a duplicate, is reviewed like any other.
    """
    if not (policy.review.trust_list.value and policy.trusted_chain):
        return policy.review_chain
    passed = work.connection.exec_driver_sql(
        "select (a.facts::json #>> '{provider,trust_listed}')::boolean and a.result::json ->> 'state' = 'in_review' "
        "and not exists (select 1 from hold h where h.tenant = a.tenant and h.claim_id = a.claim_id "
        "and h.opened_at >= a.at) from assessment a where a.tenant = %s and a.claim_id = %s "
        "order by a.seq desc limit 1",
        (row.tenant, row.id),
    ).scalar_one()
    return policy.trusted_chain if passed else policy.review_chain
