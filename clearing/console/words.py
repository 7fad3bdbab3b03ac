"""Words for codes: states, roles, stages, actions; each as people say it, in the page's language."""

from collections.abc import Mapping
from typing import Final

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from clearing.console.deed_words import DEED_KINDS
from clearing.console.desk_words import DESK_DONE, DESK_KINDS

Words = Mapping[str, LazyString]

STATES: Final[Words] = {
    "rejected": _l("已驳回"),
    "needs_correction": _l("待补正"),
    "on_hold": _l("已挂起"),
    "in_review": _l("审核中"),
    "approved": _l("已通过"),
    "batched": _l("已入批"),
    "in_publicity": _l("公示中"),
    "payable": _l("待拨付"),
    "instructed": _l("已签发指令"),
    "paid": _l("已结束"),
    "returned": _l("银行退回"),
    "withdrawn": _l("已撤回"),
    "clawed_back": _l("已追回"),
}
"""The states of a claim, in the order of its life."""

BATCH_STATES: Final[Words] = {
    "cut": _l("已切批"),
    "in_publicity": _l("公示中"),
    "sealed": _l("已封存"),
    "released": _l("已放行"),
    "instructed": _l("已签发指令"),
    "settled": _l("已结算"),
    "closed": _l("已关闭"),
    "cancelled": _l("已撤销"),
}
BATCH_STEPS: Final[Words] = {
    "publish": _l("公示"),
    "seal": _l("封存"),
    "release": _l("放行"),
    "cancel": _l("撤销"),
    "close": _l("关闭批次"),
}
DOING: Final[Words] = {
    "seal": _l("逐笔核对并封存"),
    "release": _l("生成拨付指令"),
    "ledger": _l("记账"),
    "root": _l("核对封存的明细"),
    "files": _l("签名并写入文件"),
    "verify": _l("核验文件"),
    "store": _l("保存文件"),
}
"""What a long step over a batch is doing; see ``settlement.batches.progress``."""
MODES: Final[Words] = {
    "common_use": _l("通用（兑付给企业）"),
    "cross_redemption": _l("通兑（兑付给服务机构）"),
}
ROLES: Final[Words] = {
    "center_reviewer": _l("中心审核员"),
    "authority_approver": _l("主管部门审批人"),
    "tenant_admin": _l("区域管理员"),
    "policy_approver": _l("政策审批人"),
    "finance_maker": _l("财务经办"),
    "finance_releaser": _l("财务放行"),
    "clearing_operator": _l("清算运维"),
    "auditor": _l("审计员"),
}
STAGES: Final[Words] = {
    "center": _l("中心审核"),
    "authority": _l("主管部门审批"),
    "city": _l("市科技局初审"),
    "province": _l("省科技厅审核"),
}
OUTCOMES: Final[Words] = {
    "approve": _l("通过"),
    "reject": _l("驳回"),
    "correct": _l("退回补正"),
    "clear": _l("解除挂起"),
    "withdrawn": _l("因撤回而结束"),
    "superseded": _l("因驳回而结束"),
}
VERDICTS: Final[Words] = {
    "pass": _l("符合"),
    "info": _l("计算"),
    "correct": _l("需补正"),
    "hold": _l("需人工核对"),
    "reject": _l("不予支持"),
}
RESERVATION_STATES: Final[Words] = {
    "requested": _l("待确认"),
    "confirmed": _l("已确认"),
    "used": _l("已使用"),
    "cancelled": _l("已取消"),
    "expired": _l("已过期"),
}
STANDING_STATES: Final[Words] = {
    "applied": _l("待审核"),
    "admitted": _l("有效"),
    "announced": _l("公示中"),
    "expired": _l("已过期"),
    "refused": _l("未通过"),
    "withdrawn": _l("已撤销"),
    "exited": _l("已退出"),
    "proposed": _l("待批准"),
    "superseded": _l("已被取代"),
}
QUALIFICATION_STATES: Final[Words] = {
    code: STANDING_STATES[code] for code in ("applied", "admitted", "refused", "withdrawn")
}
ADMISSION_STATES: Final[Words] = {code: STANDING_STATES[code] for code in ("applied", "admitted", "refused", "exited")}
"""The states as they are stored: what is announced or expired is admitted."""
LINKAGE_STATES: Final[Words] = {
    "proposed": _l("待核准"),
    "approved": _l("已核准"),
    "rejected": _l("已退回"),
}
PROPOSED: Final[Words] = {
    "account": _l("新账号"),
    "roles": _l("增加角色"),
    "reset": _l("新的密码与验证器"),
}
PROPOSAL_STATES: Final[Words] = {
    "proposed": _l("待批准"),
    "approved": _l("已批准"),
    "rejected": _l("已退回"),
}
DISTRICT_STATES: Final[Words] = {
    "bound": _l("有效"),
    "ended": _l("已解除"),
}
GROUNDS: Final[Words] = {
    "fraud": _l("弄虚作假"),
    "complaints": _l("投诉较多"),
    "other": _l("其他"),
}
PROVIDER_KINDS: Final[Words] = {
    "university": _l("高等学校"),
    "institute": _l("科研院所"),
    "public_institution": _l("事业单位"),
    "state_owned": _l("国有企业"),
    "new_rd_institution": _l("新型研发机构"),
    "public_platform": _l("科技公共服务平台"),
    "company": _l("其他企业"),
}
POLICY_STATES: Final[Words] = {
    "draft": _l("草稿"),
    "submitted": _l("已提交"),
    "approved": _l("已批准"),
    "rejected": _l("未批准"),
}
CHANGES: Final[Words] = {
    "added": _l("新增"),
    "removed": _l("删去"),
    "changed": _l("改变"),
    "cited": _l("依据改变"),
}
"""What happens to a value between two versions of a policy."""
DOCUMENTS: Final[Words] = {
    "contract": _l("合同"),
    "service_report": _l("服务报告"),
    "invoice_image": _l("发票影像"),
    "receipt_image": _l("回单影像"),
    "rd_evidence": _l("研发活动佐证"),
    "provider_qualification": _l("服务机构资质"),
    "incubation_proof": _l("在孵证明"),
    "talent_selection_proof": _l("人才入选证明"),
    "talent_relation_proof": _l("人才关系证明"),
    "commitment_letter": _l("承诺书"),
    "business_licence": _l("营业执照"),
    "legal_representative_id": _l("法定代表人证件"),
    "duplicate_explanation": _l("重复情况说明"),
    "other": _l("其他"),
}
CUTS: Final[Words] = {
    "annual_cap": _l("年度上限"),
    "claim_cap": _l("单笔上限"),
    "reservation": _l("已确认额度"),
    "budget": _l("年度预算"),
    "review": _l("审核调低"),
}
GROUPS: Final[Words] = {
    "policy": _l("政策"),
    "sanction": _l("惩戒"),
    "enterprise": _l("企业"),
    "provider": _l("服务机构"),
    "exclusion": _l("不支持范围"),
    "service": _l("服务项目"),
    "evidence": _l("佐证材料"),
    "totals": _l("金额勾稽"),
    "window": _l("申报年度"),
    "duplicate": _l("重复核查"),
    "reservation": _l("额度确认"),
    "award": _l("金额计算"),
    "matching": _l("联动配套"),
}
"""What the rules of an assessment look at, by the beginning of their names."""
DONE: Final[Words] = {
    "approve": _l("已通过，进入下一环节。"),
    "reject": _l("已驳回。"),
    "correct": _l("已退回补正。"),
    "hold-clear": _l("已解除挂起。"),
    "hold-reject": _l("已核对并驳回。"),
    "objection": _l("已受理异议，该笔申请已移出批次并挂起。"),
    "cut": _l("批次已切出。"),
    "publish": _l("公示已发布。"),
    "seal": _l("批次已封存，明细不再变化。"),
    "release": _l("批次已放行，正在签发拨付指令。"),
    "cancel": _l("批次已撤销，其中的申请进入下一批次。"),
    "close": _l("批次已关闭。"),
    "password": _l("密码已修改。"),
    "sessions": _l("其他会话已结束。"),
    "reservation-confirmed": _l("额度已确认。"),
    "reservation-cancelled": _l("额度已取消，占用已释放。"),
    "budget": _l("预算已设置。"),
    "account": _l("付款账户已更换，用于之后的批次。"),
    "clock": _l("演示时钟已向前拨。"),
    "decided": _l("已决定。"),
    "imported": _l("已导入。"),
    "trust-proposed": _l("名单已提出，由另一人批准。"),
    "trust-decided": _l("名单已决定。"),
    "policy-drafted": _l("草稿已保存。"),
    "policy-submitted": _l("已提交审批，由另一人批准或退回。"),
    "policy-approved": _l("已批准，自施行日起用于核定。"),
    "policy-rejected": _l("已退回起草人。"),
    "roles-taken": _l("角色已收回。"),
    "account-revoked": _l("账号已吊销，其会话已结束。"),
    "account-unlocked": _l("登录锁定已解除。"),
    "account-proposed": _l("已提出，由另一位管理员或运维人员批准。"),
    "proposal-approved": _l("已批准，角色即时生效。"),
    "proposal-rejected": _l("提议已退回。"),
    "enrolled": _l("账号已启用，密码与验证器已设置。"),
    "linkage-proposed": _l("联动承诺已提出，由省级另一人核准。"),
    "linkage-approved": _l("联动承诺已核准，自起始日起用于核定。"),
    "linkage-rejected": _l("联动承诺已退回。"),
    "district-bound": _l("属地已设定，该审核人此后只看到该区划的申请。"),
    "district-ended": _l("属地已解除。"),
    "signed-out": _l("您已退出登录。"),
    **DESK_DONE,
}
"""What was done, as the next page says it."""

KINDS: Final[Mapping[str, Words]] = {
    "state": STATES,
    "batch_state": BATCH_STATES,
    "doing": DOING,
    "step": BATCH_STEPS,
    "mode": MODES,
    "role": ROLES,
    "stage": STAGES,
    "outcome": OUTCOMES,
    "verdict": VERDICTS,
    "reservation": RESERVATION_STATES,
    "policy_state": POLICY_STATES,
    "change": CHANGES,
    "standing": STANDING_STATES,
    "linkage": LINKAGE_STATES,
    "district": DISTRICT_STATES,
    "proposed": PROPOSED,
    "proposal": PROPOSAL_STATES,
    "ground": GROUNDS,
    "provider_kind": PROVIDER_KINDS,
    "document": DOCUMENTS,
    "cut": CUTS,
    "group": GROUPS,
    **DEED_KINDS,
    **DESK_KINDS,
}


def word(kind: str, code: str | None) -> str:
    """The word for the code; the code itself where a newer part of the service made one without a word."""
    if not code:
        return ""
    found = KINDS[kind].get(code)
    return code if found is None else str(found)
