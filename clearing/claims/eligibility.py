"""Whether a claim over an intended contract would be rejected for its parties: the claim's own rules, in advance.

What can still be mended or shown with the claim (a proof, a certificate) is no reason to refuse quota.
"""

from collections.abc import Callable
from typing import Final

from clearing.claims.facts import Facts
from clearing.claims.fingerprint import canonical_contract_number
from clearing.claims.rules import parties, provider
from clearing.claims.rules.finding import REJECT, print_finding
from clearing.claims.rules.quota_years import Standing, Windowed
from clearing.claims.rules.sheet import Rule, Sheet
from clearing.claims.surroundings import Surroundings, standing_query
from connectors.submission import Declarations, Payee, RelatedParty, ReservationRequest, Submission
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.rate import Rate
from tenants.kernel.statements import read
from tenants.policy import Policy

RULES: Final[tuple[Callable[[Policy], Rule], ...]] = (
    parties.sanction,
    parties.region,
    parties.enterprise_type,
    parties.revenue,
    parties.qualification,
    provider.provider_region,
    provider.provider_admission,
)
PLACES: Final = {
    "sanction": "",
    "enterprise.region": "/enterprise/division",
    "enterprise.type": "/enterprise/types",
    "enterprise.revenue": "/enterprise/prior_year_revenue",
    "enterprise.qualification": "/enterprise",
    "provider.region": "/provider/division",
    "provider.admission": "/provider",
}
"""Where in the request each rule looks."""


def refuse_ineligible(work: Work, policy: Policy, request: ReservationRequest, year: int) -> None:
    """Refuse quota for a contract whose claim the rules would reject today.

    Raises:
        Invalid: ``reservation.ineligible``, with each rule's code and reason.
    """
    claim = _claim_of(request)
    on = shanghai_day(request.requested_at)
    linked, records = read(work.connection, standing_query(policy.tenant, [claim], [year]))
    around = Surroundings(linked, records, {}, {})
    facts = Facts(
        contract_number=canonical_contract_number(claim.contract.number),
        enterprise=around.enterprise(claim.enterprise.uscc, claim.scheme, year, on),
        provider=around.provider(claim.provider.uscc, claim.scheme, on),
    )
    sheet = Sheet(
        claim=claim,
        facts=facts,
        policy_on=on,
        zone=policy.zone(claim.enterprise.division, claim.enterprise.resident_of),
        windowed=Windowed(year, Standing.OPEN, 0, 0, 0, ()),
    )
    findings = [finding for rule in RULES for finding in rule(policy)(sheet)]
    faults = tuple(
        FieldError(PLACES[ruling.rule], ruling.rule, print_finding((ruling, values)).message)
        for ruling, values in findings
        if ruling.verdict == REJECT
    )
    if faults:
        raise Invalid(
            "reservation.ineligible",
            "该合同的兑付申请将不予支持，不能确认额度。",
            "A claim over this contract would be rejected, so no quota is set aside.",
            errors=faults,
        )


def _claim_of(request: ReservationRequest) -> Submission:
    """The claim as far as the request tells it: parties and contract; nothing is performed, invoiced or paid yet."""
    return Submission(
        external_id=request.external_id,
        tenant=request.tenant,
        scheme=request.scheme,
        mode=request.mode,
        submitted_at=request.requested_at,
        enterprise=request.enterprise,
        provider=request.provider,
        contract=request.contract,
        services=(),
        invoices=(),
        receipts=(),
        documents=(),
        declarations=Declarations(
            RelatedParty(
                direct_equity=False, same_legal_representative=False, common_shareholder_percent=Rate(0), control=False
            ),
            statutory_testing=False,
            publicly_funded=False,
            subcontracted=False,
            rd_related=True,
        ),
        payee=Payee("", "", "", ""),
    )
