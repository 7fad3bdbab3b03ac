"""Service items (服务事项), exclusions (不支持范围) and evidence (佐证材料): the lists a policy draws up."""

from dataclasses import dataclass
from typing import Final

from tenants.kernel.errors import Text


@dataclass(frozen=True, slots=True)
class ServiceItem:
    """One line of a scheme's catalogue.

    ``qualifications``: the provider needs one of these kinds, valid on the day of completion; empty: none.
    ``registered_instrument``: the instrument must stand in the platform's register, which reviewers look up, since
    no fact of it travels in the claim.
    """

    code: str
    zh: str
    en: str
    cite: str
    qualifications: tuple[str, ...] = ()
    registered_instrument: bool = False


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A ground on which a scheme never pays; its finding is ``exclusion.<code>``.

    ``declared``: the enterprise's declaration of the same name is a ground (``statutory_testing``,
    ``publicly_funded``, ``subcontracted``; ``not_rd_related`` is the denial of ``rd_related``).
    ``items``: service items that are a ground wherever they stand in a claim.
    """

    code: str
    zh: str
    en: str
    cite: str
    declared: bool = False
    items: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EvidenceNeed:
    """How many documents of a kind a claim needs, and of which form; ``max_bytes`` counts bytes, not characters.

    ``offline_only``: asked for only where the order did not go through the platform (线下订单).
    """

    kind: str
    at_least: int
    cite: str
    at_most: int | None = None
    media_types: tuple[str, ...] = ()
    max_bytes: int | None = None
    offline_only: bool = False


DECLARED_EXCLUSIONS: Final = frozenset({"statutory_testing", "publicly_funded", "subcontracted", "not_rd_related"})
"""Exclusions for which a claim carries a declaration."""

DOCUMENT_KINDS: Final = {
    "contract": Text("服务合同", "contract"),
    "service_report": Text("服务结果报告", "service report"),
    "invoice_image": Text("发票影像", "invoice image"),
    "receipt_image": Text("银行回单", "bank receipt"),
    "rd_evidence": Text("研发活动证明", "R&D evidence"),
    "provider_qualification": Text("服务单位资质证明", "proof of the provider's qualification"),
    "incubation_proof": Text("在孵证明", "proof of incubation"),
    "talent_selection_proof": Text("人才入选证明", "proof of the talent's selection"),
    "talent_relation_proof": Text("人才与企业关系证明", "proof of the talent's relation to the enterprise"),
    "commitment_letter": Text("无关联关系承诺书", "commitment of no relation"),
    "business_licence": Text("营业执照副本", "business licence"),
    "legal_representative_id": Text("法定代表人身份证", "legal representative's identity card"),
    "duplicate_explanation": Text("发票重复说明", "explanation of a repeated invoice"),
    "other": Text("其他材料", "other material"),
}
"""The kinds of document a claim may carry, as people call them."""

PROVIDER_KINDS: Final = frozenset(
    {
        "university",
        "institute",
        "public_institution",
        "state_owned",
        "new_rd_institution",
        "public_platform",
        "company",
    }
)
"""What a provider may be."""
