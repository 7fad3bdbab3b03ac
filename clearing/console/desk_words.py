"""Words for the codes of cases, clearing, connectors and banks; see :mod:`clearing.console.words`."""

from collections.abc import Mapping
from typing import Final

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

Words = Mapping[str, LazyString]

CASE_KINDS: Final[Words] = {
    "hold": _l("后到的申请挂起"),
    "collision": _l("与他处支持相撞"),
    "red_letter": _l("拨付后发票冲红"),
    "similar": _l("与在先申请高度相似"),
}
CASE_STATES: Final[Words] = {
    "open": _l("待处理"),
    "assigned": _l("处理中"),
    "resolved": _l("已处理"),
}
CASE_CODES: Final[Words] = {
    "duplicate.amount_conflict": _l("同一发票金额不一致"),
    "duplicate.collision": _l("他处已支持同一支出"),
    "duplicate.document_reuse": _l("同一份材料重复使用"),
    "duplicate.foreign_invoice": _l("他人使用过的发票"),
    "duplicate.foreign_receipt": _l("他人使用过的回单"),
    "duplicate.invoice_reuse": _l("同一发票再次使用"),
    "duplicate.red_letter": _l("发票已冲红"),
    "duplicate.similar": _l("与在先申请高度相似"),
    "duplicate.suspected": _l("审核员认为疑似重复"),
}
CASE_OUTCOMES: Final[Words] = {
    "distinct": _l("是两笔不同的支出，双方继续"),
    "later_stands": _l("后到的一方成立，在先的一方放弃"),
    "earlier_stands": _l("在先的一方成立，后到的一方放弃"),
    "ended": _l("随申请结束"),
}
CASE_SIDES: Final[Words] = {
    "later": _l("后到的一方"),
    "earlier": _l("在先的一方"),
}
SUBJECTS: Final[Words] = {
    "claim": _l("兑付申请"),
    "support": _l("他处支持记录"),
}
PAIR_STATES: Final[Words] = {
    "open": _l("待处理"),
    "dismissed": _l("不是重复"),
    "confirmed": _l("确认重复"),
    "ended": _l("随申请结束"),
}
PAIR_EFFECTS: Final[Words] = {
    "hold": _l("申请已挂起"),
    "case": _l("申请已封存，仅作核查"),
}
CYCLE_STATES: Final[Words] = {
    "open": _l("开启中"),
    "closed": _l("已关闭，待确认"),
    "confirmed": _l("已确认，待结清"),
    "settled": _l("已结清"),
}
CYCLE_VIEWS: Final[Words] = {
    "gross": _l("总额"),
    "bilateral": _l("双边轧差"),
    "multilateral": _l("多边轧差"),
}
ORDER_KINDS: Final[Words] = {
    "payment": _l("直接付款"),
    "pay_in": _l("缴入清算专户"),
    "pay_out": _l("由清算专户付出"),
}
ORDER_STATES: Final[Words] = {
    "ordered": _l("已签发"),
    "prepared": _l("已备好，待发送"),
    "sent": _l("已送达"),
    "unknown": _l("结果不明，正在查询"),
    "accepted": _l("银行已受理"),
    "rejected": _l("被拒"),
    "paid": _l("已付"),
    "received": _l("已付，收款方已入账"),
    "returned": _l("退汇"),
    "replaced": _l("已重新下达"),
    "cancelled": _l("已取消，转入下一窗口"),
}
REMEDIES: Final[Words] = {
    "replace": _l("重新下达"),
    "cancel": _l("取消并转入下一窗口"),
}
REMEDY_OUTCOMES: Final[Words] = {
    "approve": _l("同意"),
    "refuse": _l("不同意"),
}
AGREEMENT_FORMS: Final[Words] = {
    "direct": _l("出资区域直接兑付"),
    "agent": _l("由结算代理兑付"),
    "home_region": _l("由对方区域垫付"),
}
AGREEMENT_STATES: Final[Words] = {
    "proposed": _l("待双方同意"),
    "approved": _l("已生效"),
    "refused": _l("未同意"),
}
LINE_CLASSES: Final[Words] = {
    "matched": _l("相符"),
    "differs": _l("不符"),
    "unknown": _l("不认识"),
    "duplicate": _l("重复"),
    "returned": _l("退汇"),
}
LINE_KINDS: Final[Words] = {
    "status": _l("状态"),
    "debit": _l("付出"),
    "credit": _l("收入"),
}
LINE_FIELDS: Final[Words] = {
    "amount": _l("金额"),
    "payee": _l("收款人"),
    "account_number": _l("收款账号"),
    "state": _l("结果"),
}
OUTCOMES_OF_PAYMENTS: Final[Words] = {
    "paid": _l("已到账"),
    "returned": _l("退汇"),
    "rejected": _l("被拒"),
    "open": _l("未有结果"),
    "reissued": _l("已重新拨付"),
}
SENDINGS: Final[Words] = {
    "prepared": _l("已备好，待发送"),
    "sent": _l("已送达"),
    "unknown": _l("结果不明，正在查询"),
    "accepted": _l("银行已受理"),
    "rejected": _l("银行已拒绝"),
}
CALLS: Final[Words] = {
    "submit": _l("发送"),
    "inquiry": _l("查询"),
}
ANSWERS: Final[Words] = {
    "accepted": _l("受理"),
    "rejected": _l("拒绝"),
    "delivered": _l("已送达"),
    "pending": _l("处理中"),
    "absent": _l("未收到"),
    "silent": _l("没有答复"),
}
CONNECTOR_STATES: Final[Words] = {
    "fine": _l("正常"),
    "silent": _l("尚无联系"),
    "trouble": _l("需要处理"),
}
MESSAGE_STATES: Final[Words] = {
    "waiting": _l("待推送"),
    "delivered": _l("已送达"),
    "given_up": _l("已放弃"),
}
OUTLET_STATES: Final[Words] = {
    "live": _l("正常"),
    "failing": _l("出错，正在重试"),
    "open": _l("多次出错，放慢重试"),
    "disabled": _l("已停用"),
}
LETTER_STATES: Final[Words] = {
    "open": _l("待处理"),
    "taken": _l("已接收"),
    "dismissed": _l("已搁置"),
}
OUTLET_KINDS: Final[Words] = {
    "claims": _l("兑付申请"),
    "reservations": _l("额度申请"),
    "support_records": _l("他处支持记录"),
}
BATCH_KINDS: Final[Words] = {
    "reissue": _l("退回后重新拨付"),
    "matching": _l("联动配套"),
    "incentive": _l("服务机构奖励"),
    "home_region": _l("为对方区域垫付"),
}
MATCHING_VIEWS: Final[Words] = {
    "open": _l("应付未付"),
    "overdue": _l("逾期未付"),
    "paid": _l("已付"),
    "waiting": _l("暂缓（等待重新拨付）"),
    "to_recover": _l("待收回"),
    "all": _l("全部"),
}
FINDINGS: Final[Words] = {
    "withdrawn": _l("撤销，不再拨付"),
    "lowered": _l("核减后拨付"),
    "returned": _l("退回，更正账户"),
}
EXPLANATIONS: Final[Words] = {
    "assign": _l("属于某条指令"),
    "carry": _l("按实付金额结转清算指令的差额"),
    "reversed": _l("收付相互抵销"),
    "unrelated": _l("与本系统的拨付无关"),
}
MONTH_STATES: Final[Words] = {
    "running": _l("进行中"),
    "ended": _l("待月结"),
    "closed": _l("已月结"),
}
MONTH_TABLES: Final[Words] = {
    "accounts": _l("账户"),
    "transfers": _l("分录"),
    "batches": _l("批次"),
    "payments": _l("到账与退回"),
    "differences": _l("差异"),
}
OPEN_ITEMS: Final[Words] = {
    "batches": _l("未关闭的批次"),
    "instructions": _l("银行未答复的指令"),
    "returned": _l("退回未重新拨付"),
    "suspense": _l("待查款项"),
}
DESK_KINDS: Final[Mapping[str, Words]] = {
    "case_kind": CASE_KINDS,
    "case_state": CASE_STATES,
    "case_code": CASE_CODES,
    "case_outcome": CASE_OUTCOMES,
    "case_side": CASE_SIDES,
    "subject": SUBJECTS,
    "pair_state": PAIR_STATES,
    "pair_effect": PAIR_EFFECTS,
    "batch_kind": BATCH_KINDS,
    "explanation": EXPLANATIONS,
    "month": MONTH_STATES,
    "month_table": MONTH_TABLES,
    "open_item": OPEN_ITEMS,
    "connector": CONNECTOR_STATES,
    "outlet": OUTLET_STATES,
    "outlet_kind": OUTLET_KINDS,
    "letter": LETTER_STATES,
    "message": MESSAGE_STATES,
    "line_class": LINE_CLASSES,
    "line_kind": LINE_KINDS,
    "line_field": LINE_FIELDS,
    "payment": OUTCOMES_OF_PAYMENTS,
    "sending": SENDINGS,
    "call": CALLS,
    "answer": ANSWERS,
    "cycle_state": CYCLE_STATES,
    "cycle_view": CYCLE_VIEWS,
    "order_kind": ORDER_KINDS,
    "order_state": ORDER_STATES,
    "remedy": REMEDIES,
    "remedy_outcome": REMEDY_OUTCOMES,
    "agreement_form": AGREEMENT_FORMS,
    "agreement_state": AGREEMENT_STATES,
    "finding": FINDINGS,
    "matching_view": MATCHING_VIEWS,
}
DESK_DONE: Final[Words] = {
    "item-held": _l("已受理异议，该笔已移出批次并暂停。"),
    "item-resumed": _l("已作出处理，该笔进入下一批次。"),
    "matching-paid": _l("已登记支付。"),
    "matching-recovered": _l("已登记收回，两地账目同时更新。"),
    "upholding-proposed": _l("认定已提出，须由另一人决定。"),
    "upholding-approve": _l("异议成立，该笔已按认定处理。"),
    "upholding-refuse": _l("未同意认定，该笔仍暂停。"),
    "remedy-proposed": _l("已提出处理方案，等待另一人决定。"),
    "remedy-decided": _l("已就处理方案作出决定。"),
    "case-taken": _l("已由您处理。"),
    "case-given-back": _l("已交还，等待他人处理。"),
    "case-held": _l("本方申请已暂停，等待处理。"),
    "case-resolved": _l("疑似重复已处理，双方同时生效。"),
    "pair-dismissed": _l("已判定不是重复，不会再次提示。"),
    "pair-confirmed": _l("已确认重复。"),
    "cycle-opened": _l("清算窗口已开启。"),
    "cycle-closed": _l("窗口已关闭，头寸已固定，请各区域确认。"),
    "cycle-confirmed": _l("头寸已确认。"),
    "cycle-settled": _l("周期已结清。"),
    "agreement-proposed": _l("协议已提出，须双方同意后生效。"),
    "agreement-approved": _l("已同意该协议。"),
    "agreement-refused": _l("已拒绝该协议。"),
    "pay-in-confirmed": _l("已确认缴存到账，批次可以送交银行。"),
    "bank-ordered": _l("拨付文件已送交银行通道，结果会显示在下面。"),
    "statement-imported": _l("银行文件已导入，下面是需要查看的差异。"),
    "statement-known": _l("这份文件以前导入过，没有任何变化。"),
    "correction-proposed": _l("新账户已提出，须由另一人复核。"),
    "correction-approve": _l("新账户已复核通过，冷静期满后可以重新拨付。"),
    "correction-refuse": _l("新账户未通过复核。"),
    "reissued": _l("已重新列入应付，进入下一批次。"),
    "release-first": _l("第一人已放行；金额超过限额，须由第二人再放行。"),
    "release-held": _l("批次超过敞口限额，须由协议指定的批准人解除暂停后再放行。"),
    "batch-stated": _l("已出具新的结算单。"),
    "explained": _l("说明已提出，须由另一人复核后入账。"),
    "explanation-approve": _l("说明已复核并入账。"),
    "explanation-refuse": _l("说明未通过复核。"),
    "month-closed": _l("已月结，本月数字不再变化。"),
    "outlet-asked": _l("该出口会立即再次拉取。"),
    "outlet-disabled": _l("该出口已停用，不再拉取。"),
    "letters-taken": _l("记录已接收。"),
    "letters-left": _l("已重试；仍有记录不能接收，问题见下表。"),
    "letter-dismissed": _l("该记录已搁置。"),
    "job-retried": _l("任务会立即再次尝试。"),
    "key-added": _l("公钥已登记，旧公钥在吊销之前仍然有效。"),
    "key-revoked": _l("密钥已吊销，此后的签名一律拒绝。"),
    "key-rotated": _l("新密钥已启用，以前的签名仍可核验。"),
    "resent": _l("这些事件会按原编号重新推送。"),
    "nothing-resent": _l("该序号之后没有已结束的事件，没有重新推送。"),
    "hold-lifted": _l("该批次的敞口暂停已解除，可以放行。"),
}
"""What was done, as the next page says it."""
