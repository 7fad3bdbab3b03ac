"""Jiangsu's policy of 2024 written out by hand: the measure of what one assessment must cost at least.

It judges the same claims by the same conditions and answers the same figures, but only for this one policy: no
citation, no trace, nothing configurable.
"""

from datetime import date, timedelta, timezone
from typing import NamedTuple

from clearing.claims.facts import Facts
from clearing.claims.fingerprint import invoice_identities
from connectors.submission import Submission

_NORTH = ("3203", "3207", "3208", "3209", "3213")
_ITEMS = frozenset({"A1.1", "A1.2", "A1.3", "B1.1", "B1.2", "B1.3", "B2.1", "B2.2", "B3.1", "B4.1"})
_EXCLUDED = frozenset(
    {"statutory_certification", "law_enforcement_testing", "compulsory_testing", "commercial_inspection"}
    | {"commercial_filming", "medical_service", "telecom_billing", "bulk_inspection"}
)
_DIRECT = frozenset(
    {"university", "institute", "public_institution", "state_owned", "new_rd_institution", "public_platform"}
)
_PDF = frozenset({"application/pdf"})
_IMAGES = frozenset({"application/pdf", "image/jpeg", "image/png"})
_FORMS = {
    "contract": (_PDF, 52_428_800),
    "service_report": (_PDF, 52_428_800),
    "invoice_image": (_IMAGES, 5_242_880),
    "receipt_image": (_IMAGES, 52_428_800),
    "rd_evidence": (_PDF, 52_428_800),
    "provider_qualification": (_PDF, 52_428_800),
}
_SHANGHAI = timezone(timedelta(hours=8))


class ByHand(NamedTuple):
    """What the claim gets, in fen, and what is wrong with it: reject, correct or hold."""

    state: str
    base_fen: int
    computed_fen: int
    award_fen: int
    cut: dict[str, int]
    matching_fen: int


def assess_by_hand(claim: Submission, facts: Facts) -> ByHand:  # noqa: C901, PLR0912, PLR0915 - written out on purpose
    """The verdict and the figures."""
    reject = correct = hold = False
    today = claim.submitted_at.astimezone(_SHANGHAI).date()
    enterprise, provider, said = claim.enterprise, claim.provider, claim.declarations
    north = enterprise.division.startswith(_NORTH)
    if claim.mode != "common_use" or not enterprise.division.startswith("32"):
        reject = True
    for through_on in (facts.enterprise.sanctioned_through, facts.provider.sanctioned_through):
        if through_on is not None and through_on >= today:
            reject = True

    known = [kind for kind in ("tech_sme", "high_tech", "incubated", "talent") if kind in enterprise.types]
    kinds = {document.kind for document in claim.documents}
    proven = []
    for kind in known:
        proof = enterprise.type_proofs.get(kind)
        if kind == "tech_sme":
            number = proof.number if proof is not None and proof.number is not None else ""
            holds = len(number) == 18 and number.startswith(str(today.year)) and number.isascii()
        elif kind == "high_tech":
            issued = proof.issued_on if proof is not None else None
            holds = issued is not None and issued <= today < date(issued.year + 3, issued.month, issued.day)
        elif kind == "incubated":
            holds = "incubation_proof" in kinds
        else:
            holds = "talent_selection_proof" in kinds and "talent_relation_proof" in kinds
        if holds:
            proven.append(kind)
    if not known:
        reject = True
    elif not proven:
        correct = True
    if enterprise.prior_year_revenue is None:
        correct = True
    elif enterprise.prior_year_revenue.fen > 40_000_000_000:
        reject = True

    recorded = facts.provider.on_platform
    on_platform = provider.on_platform if recorded is None else recorded
    signed_on = claim.contract.signed_on
    direct = provider.kind in _DIRECT
    if facts.provider.admitted is False:
        reject = True
    elif recorded and not provider.on_platform:
        correct = True
    if not direct:
        founded = provider.established_on
        if founded is None:
            correct = True
        elif date(founded.year + 2, founded.month, founded.day) > signed_on:
            reject = True
    services_fen = 0
    for line in claim.services:
        if line.item in _ITEMS:
            services_fen += line.amount.fen
        if line.item in _EXCLUDED:
            reject = True
        if line.item[0] == "B":
            ends = [each.valid_through for each in provider.qualifications if each.kind in ("CMA", "CNAS")]
            if ends and max(ends) < line.completed_on:
                reject = True
            elif not ends and not direct:
                correct = True
        if not signed_on <= line.completed_on <= today:
            correct = True
    if not any(line.item in _ITEMS for line in claim.services):
        reject = True
    related = said.related_party
    if related.direct_equity or related.same_legal_representative or related.common_shareholder_percent >= 50:
        reject = True
    if said.statutory_testing or said.publicly_funded or said.subcontracted or not said.rd_related:
        reject = True

    counts = dict.fromkeys(_FORMS, 0)
    for document in claim.documents:
        form = _FORMS.get(document.kind)
        if form is not None:
            counts[document.kind] += 1
            if document.media_type not in form[0] or not 0 < document.size_bytes <= form[1]:
                correct = True
            if len(document.sha256) != 64:
                correct = True
    if counts["contract"] != 1 or counts["rd_evidence"] != 1:
        correct = True
    if not counts["service_report"] or not counts["invoice_image"] or not counts["receipt_image"]:
        correct = True
    if not on_platform and not counts["provider_qualification"]:
        correct = True
    if not claim.invoices or not claim.receipts:
        correct = True

    invoices_fen = receipts_fen = 0
    for invoice in claim.invoices:
        invoices_fen += invoice.claimed.fen
        number = invoice.number
        if not (len(number) == 20 and number.isdecimal() and number.isascii()) and not invoice_identities(invoice):
            correct = True
        if invoice.issued_on > today:
            correct = True
    for receipt in claim.receipts:
        receipts_fen += receipt.claimed.fen
        if not signed_on <= receipt.paid_on <= today:
            correct = True
    if receipts_fen != invoices_fen:
        correct = True

    earlier_fen = 0
    for key in facts.keys:
        own = [use for use in key.uses if use.same_enterprise]
        excess = key.taken.fen + key.claimed.fen - key.counted.fen
        crossed = any(not use.same_programme for use in own)
        if key.kind == "contract":
            earlier_fen += key.taken.fen
            reject = reject or crossed
        elif key.kind == "document":
            hold = hold or bool(key.uses)
        else:
            if crossed:
                reject = True
            elif key.kind == "receipt":
                correct = correct or ((bool(own) or not key.uses) and excess > 0)
            elif own:
                if excess > 0:
                    reject = True
                elif claim.duplicate_explanation or "duplicate_explanation" in kinds:
                    hold = True
                else:
                    correct = True
            elif not key.uses and excess > 0:
                reject = True
            if len(own) < len(key.uses) or key.amount_conflict:
                hold = True
    if invoices_fen + earlier_fen > claim.contract.amount.fen:
        correct = True

    base_fen = min(services_fen, invoices_fen)
    computed_fen = award_fen = base_fen * (35 if north else 25) // 100
    cut = {}
    if not computed_fen:
        reject = True
    left_fen = max((14_000_000 if north else 10_000_000) - facts.quota_taken.fen, 0)
    if award_fen > left_fen:
        cut["annual_cap"] = award_fen - left_fen
        award_fen = left_fen
        if not left_fen:
            reject = True
    if facts.budget_left is not None and award_fen > facts.budget_left.fen:
        cut["budget"] = award_fen
        award_fen = 0
        hold = True
    matching_fen = 0
    if facts.linked_region is not None and any(kind in facts.linked_region.types for kind in proven):
        if north:
            matching_fen = min(award_fen * 3 // 7, max(6_000_000 - facts.matching_taken.fen, 0))
        else:
            matching_fen = min(award_fen, max(10_000_000 - facts.matching_taken.fen, 0))
    if reject:
        return ByHand("rejected", base_fen, computed_fen, 0, cut, 0)
    state = "needs_correction" if correct else "on_hold" if hold else "in_review"
    if state == "in_review" and facts.provider.trust_listed:
        state = "approved"
    return ByHand(state, base_fen, computed_fen, award_fen, cut, matching_fen)
