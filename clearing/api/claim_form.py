"""What is answered of a claim: what the service adds to the submission, whose own members stand beside it."""

from marshmallow import Schema, fields

from clearing.api.described import instant, text


class FindingSchema(Schema):
    """What a rule found, in the language that was asked for."""

    rule = text("规则 / rule", examples=["duplicate.cross_scheme"])
    verdict = text("结论 / verdict", enum=["info", "hold", "correct", "reject"])
    cite = text("依据条款 / clause")
    message = text("说明 / in words")


class MatchingShareSchema(Schema):
    """What a linked region adds of its own."""

    linked_region = text("联动地区 / linked region", nullable=True)
    amount = text("配套金额（元） / yuan")


class ClaimAssessmentSchema(Schema):
    """The verdict of the rules with its figures, in yuan."""

    policy_version = text("政策版本 / policy version", nullable=True)
    quota_year = fields.Integer(metadata={"description": "额度年度 / quota year"})
    zone = text("分区 / part of the region", nullable=True)
    enterprise_type = text("企业类型 / kind of enterprise", nullable=True)
    base = text("核定基数（元） / base in yuan")
    rate = text("比例 / rate", nullable=True)
    computed = text("测算金额（元） / as computed, in yuan")
    award = text("核定金额（元） / award in yuan")
    deferred = text("转入以后年度（元） / deferred to later years, in yuan")
    waitlisted = fields.Boolean(metadata={"description": "是否排队等待预算 / whether it waits for budget"})
    cut = fields.Dict(metadata={"description": "各上限核减的金额 / what each limit took off"})
    matching = fields.Nested(MatchingShareSchema)
    findings = fields.List(fields.Nested(FindingSchema))


class ClaimHoldSchema(Schema):
    """Why a claim waits."""

    id = fields.UUID()
    code = text("原因代码 / code")
    place = text("位置 / where")
    message = text("说明 / in words")
    state = text("状态 / state", enum=["open", "resolved"])
    opened_at = instant("挂起时刻 / when it was opened")
    other_side = fields.List(
        fields.Dict(),
        metadata={"description": "另一方：平台、月份、编号 / the other side: platform, month, reference"},
    )
    resolved_at = fields.String(
        allow_none=True, metadata={"description": "处理时刻 / when it was resolved", "format": "date-time"}
    )
    outcome = text("处理结果 / outcome", nullable=True)
    reason = text("处理理由 / reason", nullable=True)


class ClaimAnswerSchema(Schema):
    """A claim (兑付申请) as it stands: the members of the submission, and these."""

    id = fields.UUID()
    claim_no = text("申请编号 / number for people", examples=["CL-JS-2024-000001"])
    external_id = text("平台的编号 / the platform's own id")
    platform = text("平台 / platform")
    tenant = text("区域 / tenant")
    scheme = text("券种 / scheme")
    mode = text("通用或通兑 / who is paid")
    revision = fields.Integer(metadata={"description": "第几次提交 / number of the submission"})
    state = text("状态 / state", examples=["in_review", "needs_correction", "approved", "paid"])
    assessment = fields.Nested(ClaimAssessmentSchema)
    holds = fields.List(fields.Nested(ClaimHoldSchema))
    next_stage = text("下一审核环节 / next stage of review", nullable=True)
    correction_due_on = text("补正期限 / last day of a correction", format="date", nullable=True)
    submitted_at = instant("提交时刻 / when it was submitted")
    received_at = instant("收到时刻 / when it was received")
    changed_at = instant("最近变化 / when it last changed")


class ClaimPageSchema(Schema):
    """A page of claims."""

    items = fields.List(fields.Nested(ClaimAnswerSchema))
    next_cursor = text("下一页游标，末页为 null / cursor of the next page; null on the last", nullable=True)
