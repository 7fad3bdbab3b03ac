"""What people call the codes that stand as values in policy documents."""

from collections.abc import Mapping
from typing import Final

from tenants.kernel.errors import Text

CODES: Final[Mapping[str, Text]] = {
    "common_use": Text("通用", "common use"),
    "cross_redemption": Text("通兑", "cross-redemption"),
    "center": Text("中心审核", "the centre's review"),
    "authority": Text("主管部门审批", "the authority's approval"),
    "city": Text("市科技局初审", "the city bureau's review"),
    "province": Text("省科技厅审核", "the provincial department's review"),
    "university": Text("高等学校", "university"),
    "institute": Text("科研院所", "research institute"),
    "public_institution": Text("事业单位", "public institution"),
    "state_owned": Text("国有企业", "state-owned enterprise"),
    "new_rd_institution": Text("新型研发机构", "new-type R&D institution"),
    "public_platform": Text("科技公共服务平台", "public technology platform"),
    "company": Text("其他企业", "other company"),
    "contract": Text("合同", "contract"),
    "service_report": Text("服务报告", "service report"),
    "invoice_image": Text("发票影像", "invoice image"),
    "receipt_image": Text("回单影像", "receipt image"),
    "rd_evidence": Text("研发活动佐证", "evidence of R&D"),
    "provider_qualification": Text("服务机构资质", "provider's qualification"),
    "incubation_proof": Text("在孵证明", "proof of incubation"),
    "talent_selection_proof": Text("人才入选证明", "proof of selection as talent"),
    "talent_relation_proof": Text("人才关系证明", "proof of the talent's relation"),
    "commitment_letter": Text("承诺书", "letter of commitment"),
    "business_licence": Text("营业执照", "business licence"),
    "legal_representative_id": Text("法定代表人证件", "legal representative's identity card"),
    "registry_number_of_year": Text("当年入库登记编号", "registration number of the year"),
    "registry_number": Text("登记编号或文件编号", "number of the registration or document"),
    "certificate": Text("有效期内的证书", "certificate in force"),
    "certificate_or_number": Text("证书或编号", "certificate or number"),
    "documents": Text("证明材料", "documents"),
    "residence": Text("入驻地", "residence"),
    "jinchuang_valley": Text("晋创谷", "Jinchuang Valley"),
    "required": Text("须已入库", "must be in the directory"),
    "or_proof": Text("已入库或附证明", "in the directory, or proven"),
    "direct_equity": Text("直接股权关系", "direct equity"),
    "same_legal_representative": Text("同一法定代表人", "the same legal representative"),
    "common_shareholder": Text("同一股东", "a common shareholder"),
    "control": Text("隶属或控制关系", "subordination or control"),
    "invoice_date": Text("开票日", "the invoice's date"),
    "policy_date": Text("政策日", "the policy date"),
    "down": Text("分以下舍去", "down to the fen"),
    "partial": Text("按余额核定（兑完为止）", "award what is left"),
    "waitlist": Text("列入候补", "wait for money"),
    "reject": Text("不予支持", "no support"),
    "pro_rata": Text("按比例分配", "divided in proportion"),
    "monthly": Text("按月", "monthly"),
    "batch": Text("按批次", "batch by batch"),
    "unset": Text("未定", "unset"),
    "national": Text("全国互斥", "one nationwide group"),
}
"""Modes, stages, kinds of providers and documents, proofs, and ways to count: each value that is no number or name."""


def code_words(code: str) -> Text:
    """What people call the code; what is none, such as a name or the code of a service, as it is."""
    return CODES.get(code, Text(code, code))
