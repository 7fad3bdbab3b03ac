"""Every figure of the published sources, each in a test named after its clause: the policy says it, and cites it."""
# ruff: noqa: E501 - one clause a line

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from typing import Any, Final

import pytest

from clearing.claims.assessment import assess, target_quota_year
from clearing.claims.facts import LinkedRegion
from clearing.claims.rules.parties import years_later
from tenants.kernel.money import Money
from tenants.kernel.rate import Rate
from tenants.kernel.workdays import official_calendar, publicity_through
from tenants.policy import Policy, Term
from tenants.policy_checks import window_of
from tenants.policy_document import load_shipped
from tests.claims.claims_of_cases import NORTH, SHANXI, SOUTH, facts_of

SHANGHAI: Final = timezone(timedelta(hours=8))
PILOTS: Final = ("qingpu", "wujiang", "jiashan", "maanshan")
SHIPPED: Final = {each.policy.tenant: each.policy for each in load_shipped()}
JIANGSU, SHANXI_POLICY, DELTA = SHIPPED["jiangsu"], SHIPPED["shanxi-hainan"], SHIPPED["wujiang"]
NORTHERN, OTHER = JIANGSU.zone("320312", ()), JIANGSU.zone("320115", ())
VALLEY, OUTSIDE = SHANXI_POLICY.zone("140802", ("jinchuang_valley",)), SHANXI_POLICY.zone("140802", ())
REWARD: Final[Any] = JIANGSU.reward
MEGABYTE: Final = 1024 * 1024


def yuan(text: str) -> Money:
    return Money.parse(text)


def evidence(policy: Policy, kind: str) -> Any:
    return next(need for need in policy.evidence if need.kind == kind)


Said = Term[Any] | None
TERMS: Final[list[tuple[str, Said, Any, str]]] = [
    ("苏科统发〔2021〕1号 五、1 最高不超过5%", REWARD.rate, Rate(5, 100), "苏科统发〔2021〕1号"),
    ("苏科统发〔2021〕1号 五、1 不超过50万元", REWARD.cap, yuan("500000"), "苏科统发〔2021〕1号"),
    ("苏科统发〔2021〕1号 附件2 1 不低于1:1", OTHER.provincial_to_local, Rate(1), "苏科规范〔2024〕2号"),
    ("苏科统发〔2021〕1号 附件2 1 兑付之后的3个月内", JIANGSU.payout.matching_due_months, 3, "苏科统发〔2021〕1号"),
    ("苏科规范〔2024〕2号 支持方式 支持额度 苏北35%", NORTHERN.rate, Rate(35, 100), "苏科规范〔2024〕2号"),
    ("苏科规范〔2024〕2号 支持方式 支持额度 苏中苏南25%", OTHER.rate, Rate(25, 100), "苏科规范〔2024〕2号"),
    ("苏科规范〔2024〕2号 支持方式 支持额度 苏北14万元", NORTHERN.annual_cap, yuan("140000"), "苏科规范〔2024〕2号"),
    ("苏科规范〔2024〕2号 支持方式 支持额度 苏中苏南10万元", OTHER.annual_cap, yuan("100000"), "苏科规范〔2024〕2号"),
    ("苏科规范〔2024〕2号 支持对象 4亿元以下", JIANGSU.enterprise.revenue_ceiling, yuan("400000000"), "苏科规范〔2024〕2号"),
    ("苏科规范〔2024〕2号 联动支持 苏北7:3，省最高14万元", NORTHERN.provincial_to_local, Rate(7, 3), "苏科规范〔2024〕2号"),
    ("苏科规范〔2024〕2号 联动支持 苏南苏中1:1，省最高10万元", OTHER.provincial_to_local, Rate(1), "苏科规范〔2024〕2号"),
    ("苏科规范〔2024〕2号 联动支持 苏北6万元", NORTHERN.matching_cap, yuan("60000"), "苏科规范〔2024〕2号"),
    ("苏科规范〔2024〕2号 联动支持 苏南苏中10万元", OTHER.matching_cap, yuan("100000"), "苏科规范〔2024〕2号"),
    ("苏科规范〔2024〕2号 不支持范围2 持股达50%", JIANGSU.related_party.shareholder_percent, Rate(50), "苏科规范〔2024〕2号"),
    ("苏科规范〔2024〕2号 经申请审核成为服务单位2 注册成立两年以上", JIANGSU.provider.minimum_age_years, 2, "苏科规范〔2024〕2号"),
    ("企业操作指南 第二步 服务完成后2个月内拨付", JIANGSU.payout.within_months, 2, "苏科规范〔2024〕2号"),
    ("企业操作指南 一、 苏北五市14万元", NORTHERN.annual_cap, yuan("140000"), "苏科规范〔2024〕2号"),
    ("企业操作指南 一、 其他地区10万元", OTHER.annual_cap, yuan("100000"), "苏科规范〔2024〕2号"),
    ("企业操作指南 二、 原则上按月审核公示拨付", JIANGSU.payout.rhythm, "monthly", "苏科规范〔2024〕2号"),
    ("沪科合〔2020〕31号 落款 2021年1月9日", DELTA.effective, date(2021, 1, 9), "沪科合〔2020〕31号"),
    ("沪科合〔2020〕31号 二（三）2 注册2年以上", DELTA.provider.minimum_age_years, 2, "沪科合〔2020〕31号"),
    ("沪科合〔2020〕31号 二（四） 不超过30万元", DELTA.zones[0].annual_cap, yuan("300000"), "沪科合〔2020〕31号"),
    ("运市科函〔2024〕6号 三 不超过50%", OUTSIDE.rate, Rate(1, 2), "运市科函〔2024〕6号"),
    ("运市科函〔2024〕6号 三 晋创谷内不超过50%", VALLEY.rate, Rate(1, 2), "运市科函〔2024〕6号"),
    ("运市科函〔2024〕6号 三 晋创谷外50万元", OUTSIDE.annual_cap, yuan("500000"), "运市科函〔2024〕6号"),
    ("运市科函〔2024〕6号 三 晋创谷内100万元", VALLEY.annual_cap, yuan("1000000"), "运市科函〔2024〕6号"),
    ("运市科函〔2024〕6号 四（七） 公示期5个工作日", SHANXI_POLICY.payout.publicity_days, 5, "运市科函〔2024〕6号"),
    ("运市科函〔2024〕6号 五（七） 3年内不再支持", SHANXI_POLICY.sanction_years, 3, "运市科函〔2024〕6号"),
]  # fmt: skip
"""The clause with its figure, the term that says it, the value, and the document that it cites."""


@pytest.mark.parametrize(("term", "value", "document"), [row[1:] for row in TERMS], ids=[row[0] for row in TERMS])
def test_the_figure_of_the_clause_is_the_policy_s(term: Said, value: Any, document: str) -> None:
    assert term is not None
    assert term.value == value
    assert document in term.cite


WORDS: Final[list[tuple[str, Callable[[], object], object]]] = [
    ("苏科统发〔2021〕1号 附件1 服务清单10项", lambda: [item.code for item in JIANGSU.services],
     ["A1.1", "A1.2", "A1.3", "B1.1", "B1.2", "B1.3", "B2.1", "B2.2", "B3.1", "B4.1"]),
    ("苏科统发〔2021〕1号 附件1 检验检测须CMA或CNAS",
     lambda: {item.qualifications for item in JIANGSU.services if item.code.startswith("B")}, {("CMA", "CNAS")}),
    ("苏科统发〔2021〕1号 附件1 仪器已纳入管理系统",
     lambda: [item.code for item in JIANGSU.services if item.registered_instrument], ["A1.1", "A1.2", "A1.3"]),
    ("苏科规范〔2024〕2号 支持对象 联动支持 4类企业", lambda: len(JIANGSU.enterprise.types), 4),
    ("苏科规范〔2024〕2号 支持对象1 入库编号的当年度", lambda: JIANGSU.enterprise.types[0].proof, "registry_number_of_year"),
    ("苏科规范〔2024〕2号 不支持范围 5条",
     lambda: {each.cite[-1] for each in JIANGSU.exclusions} | {JIANGSU.related_party.grounds.cite[-1]}, set("12345")),
    ("苏科规范〔2024〕2号 创新券申兑 企业操作指南 提交兑付材料 合同仅限一份", lambda: (evidence(JIANGSU, "contract").at_least, evidence(JIANGSU, "contract").at_most), (1, 1)),
    ("苏科规范〔2024〕2号 创新券申兑 企业操作指南 提交兑付材料 研发活动证明仅限1份", lambda: (evidence(JIANGSU, "rd_evidence").at_least, evidence(JIANGSU, "rd_evidence").at_most), (1, 1)),
    ("苏科规范〔2024〕2号 创新券申兑 线下下单 企业操作指南 提交兑付材料 单个文件最大50M",
     lambda: {evidence(JIANGSU, kind).max_bytes for kind in ("contract", "service_report", "receipt_image", "rd_evidence", "provider_qualification")}, {50 * MEGABYTE}),
    ("苏科规范〔2024〕2号 创新券申兑 企业操作指南 提交兑付材料 发票照片最大5M", lambda: evidence(JIANGSU, "invoice_image").max_bytes, 5 * MEGABYTE),
    ("企业操作指南 一、 苏北五市", lambda: NORTHERN.divisions, ("3203", "3207", "3208", "3209", "3213")),
    ("企业操作指南 角色注释 三年内获得高企证书 高企 有效期3年", lambda: JIANGSU.enterprise.types[1].certificate_years, 3),
    ("企业操作指南 高企 2024年8月申领的证书须为2021年8月及以后",
     lambda: [years_later(issued, 3) > date(2024, 8, 15) for issued in (date(2021, 8, 16), date(2021, 8, 15))], [True, False]),
    ("企业操作指南 一、 当年有效逾期作废 有效期至2024-12-31", lambda: window_of(JIANGSU.quota_year.starts.value, 2024)[1], date(2024, 12, 31)),
    ("沪科合〔2020〕31号 一（一） 四个试点区域",
     lambda: {tenant: SHIPPED[tenant].enterprise.divisions.value for tenant in PILOTS},
     {"qingpu": ("310118",), "wujiang": ("320509",), "jiashan": ("330421",), "maanshan": ("3405",)}),
    ("沪科合〔2020〕31号 二（一） 四类服务", lambda: [item.code for item in DELTA.services], ["technology_rd", "technology_transfer", "testing", "open_resources"]),
    ("沪科合〔2020〕31号 二（三）1 三省一市", lambda: DELTA.provider.divisions.value, ("31", "32", "33", "34")),
    ("沪科合〔2020〕31号 二（五） 两种模式", lambda: DELTA.modes.value, ("common_use", "cross_redemption")),
    ("运市科函〔2024〕6号 二（一） 8类服务", lambda: len(SHANXI_POLICY.services), 8),
    ("运市科函〔2024〕6号 二（一） 2023年10月1日至2024年9月30日", lambda: window_of(SHANXI_POLICY.quota_year.starts.value, 2024), (date(2023, 10, 1), date(2024, 9, 30))),
    ("运市科函〔2024〕6号 四（四） 2024年6月30日17:00和2024年9月30日17:00",
     lambda: SHANXI_POLICY.quota_year.cut_offs[0].at, tuple(datetime(2024, month, 30, 17, tzinfo=SHANGHAI) for month in (6, 9))),
    ("运市科函〔2024〕6号 二（一） 2024年10月1日至2024年12月31日期间纳入2025年度",
     lambda: window_of(SHANXI_POLICY.quota_year.starts.value, 2025)[0], date(2024, 10, 1)),
    ("运市科函〔2024〕6号 四（四） 印证资料", lambda: [need.kind for need in SHANXI_POLICY.evidence],
     ["contract", "service_report", "invoice_image", "receipt_image", "commitment_letter", "business_licence", "legal_representative_id"]),
    ("运市科函〔2024〕6号 五（四） 全国范围", lambda: VALLEY.provider_divisions and VALLEY.provider_divisions.value, ("*",)),
    ("运市科函〔2024〕6号 五（五） 海南46", lambda: SHANXI_POLICY.provider.divisions.value, ("14", "46")),
]  # fmt: skip


@pytest.mark.parametrize(("said", "value"), [row[1:] for row in WORDS], ids=[row[0] for row in WORDS])
def test_what_the_clause_counts_is_what_the_policy_holds(said: Callable[[], object], value: object) -> None:
    assert said() == value


@pytest.mark.parametrize("claim", [NORTH], ids=["苏科规范〔2024〕2号 徐州案例 40.8万元满额14万元另配套6万元"])
def test_the_case_of_the_clause_is_capped_and_matched(claim: Any) -> None:
    facts = facts_of(claim, linked_region=LinkedRegion("320300", ("tech_sme",)))
    verdict = assess(claim, JIANGSU, facts)
    assert (str(verdict.base), str(verdict.computed), str(verdict.award)) == ("408000.00", "142800.00", "140000.00")
    assert verdict.matching is not None
    assert str(verdict.matching.amount) == "60000.00"


@pytest.mark.parametrize(
    ("claim", "amount", "award"),
    [(SOUTH, "140000.00", "35000.00"), (SOUTH, "100.00", "25.00"), (NORTH, "100.00", "35.00")],
    ids=[
        "苏科规范〔2024〕2号 南京案例 14万元的25%即3.5万元",
        "企业操作指南 订单 100元拟兑25元",
        "企业操作指南 订单 100元拟兑35元",
    ],
)
def test_the_worked_example_of_the_clause_comes_out(claim: Any, amount: str, award: str) -> None:
    paid = Money.parse(amount)
    whole = replace(
        claim,
        services=(replace(claim.services[0], amount=paid),),
        invoices=(replace(claim.invoices[0], amount=paid, claimed=paid),),
        receipts=(replace(claim.receipts[0], amount=paid, claimed=paid),),
    )
    assert str(assess(whole, JIANGSU, facts_of(whole)).award) == award


@pytest.mark.parametrize(
    ("revenue", "state"),
    [("400000000.00", "in_review"), ("400000000.01", "rejected")],
    ids=["企业操作指南 一、 不高于4亿元 等于的符合", "企业操作指南 一、 不高于4亿元 多一分的不符合"],
)
def test_the_ceiling_of_the_clause_is_not_above(revenue: str, state: str) -> None:
    claim = replace(SOUTH, enterprise=replace(SOUTH.enterprise, prior_year_revenue=yuan(revenue)))
    assert assess(claim, JIANGSU, facts_of(claim)).state == state


@pytest.mark.parametrize(
    ("day", "year"),
    [("2024-09-30", 2024), ("2024-10-01", 2025), ("2023-10-01", 2024)],
    ids=[f"运市科函〔2024〕6号 二（一） {said}" for said in ("至9月30日", "10月1日起纳入2025年度", "2023年10月1日起")],
)
def test_the_window_of_the_clause_decides_the_year(day: str, year: int) -> None:
    invoice = replace(SHANXI.invoices[0], issued_on=date.fromisoformat(day))
    assert target_quota_year(SHANXI_POLICY, replace(SHANXI, invoices=(invoice,))) == year


@pytest.mark.parametrize(
    ("at", "late"),
    [("2024-09-30T17:00:00", False), ("2024-09-30T17:00:01", True)],
    ids=["运市科函〔2024〕6号 四（四） 17时前", "运市科函〔2024〕6号 四（四） 逾期不予受理"],
)
def test_the_cut_off_of_the_clause_is_to_the_second(at: str, late: bool) -> None:  # noqa: FBT001 - a table
    claim = replace(SHANXI, submitted_at=datetime.fromisoformat(f"{at}+08:00"))
    rules = {entry.rule for entry in assess(claim, SHANXI_POLICY, facts_of(claim)).trace if entry.verdict == "reject"}
    assert ("window.late" in rules) is late


@pytest.mark.parametrize("published", [date(2024, 9, 27)], ids=["运市科函〔2024〕6号 四（七） 5个工作日遇国庆"])
def test_the_notice_of_the_clause_runs_working_days(published: date) -> None:
    days = SHANXI_POLICY.publicity_days
    assert publicity_through(published, days, official_calendar()).through_on == date(2024, 10, 10)
