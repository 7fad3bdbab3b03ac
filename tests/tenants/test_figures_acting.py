"""The figures of the sources at their boundary, each in a test named after its clause: what one fen or day more does."""
# ruff: noqa: E501 - one clause a line

from dataclasses import replace
from datetime import date, datetime
from typing import Any, Final

import pytest

from clearing.claims.assessment import assess
from clearing.claims.facts import LinkedRegion
from connectors.submission import Document, ProviderQualification, Submission, TypeProof
from settlement.matching import months_after
from tenants.kernel.money import Money
from tenants.kernel.rate import Rate
from tests.claims.claims_of_cases import DELTA, NORTH, SHANXI, SOUTH, codes, entry_of, facts_of, judge
from tests.claims.test_assessment_properties import governing, of_pilot, priced

PILOTS: Final = ("qingpu", "wujiang", "jiashan", "maanshan")
VALLEY: Final = replace(SHANXI, enterprise=replace(SHANXI.enterprise, resident_of=("jinchuang_valley",)))
MEGABYTE: Final = 1024 * 1024
LINKED: Final = LinkedRegion("320300", ("tech_sme",))


def paid(claim: Submission, amount: str) -> Submission:
    fen = Money.parse(amount).fen
    return priced(claim, fen, fen, fen)


AWARDS: Final[list[tuple[str, Submission, str, str]]] = [
    ("苏科规范〔2024〕2号 支持额度 苏北35%未及14万元", NORTH, "399999.99", "139999.99"),
    ("苏科规范〔2024〕2号 支持额度 苏北35%恰为14万元", NORTH, "400000.00", "140000.00"),
    ("苏科规范〔2024〕2号 支持额度 苏北逾14万元", NORTH, "400000.03", "140000.00"),
    ("苏科规范〔2024〕2号 支持额度 苏中苏南25%未及10万元", SOUTH, "399999.97", "99999.99"),
    ("苏科规范〔2024〕2号 支持额度 苏中苏南25%恰为10万元", SOUTH, "400000.00", "100000.00"),
    ("苏科规范〔2024〕2号 支持额度 苏中苏南逾10万元", SOUTH, "400000.04", "100000.00"),
    ("运市科函〔2024〕6号 三 晋创谷外50%未及50万元", SHANXI, "999999.99", "499999.99"),
    ("运市科函〔2024〕6号 三 晋创谷外恰为50万元", SHANXI, "1000000.00", "500000.00"),
    ("运市科函〔2024〕6号 三 晋创谷外逾50万元", SHANXI, "1000000.02", "500000.00"),
    ("运市科函〔2024〕6号 三 晋创谷内50%未及100万元", VALLEY, "1999999.99", "999999.99"),
    ("运市科函〔2024〕6号 三 晋创谷内恰为100万元", VALLEY, "2000000.00", "1000000.00"),
    ("运市科函〔2024〕6号 三 晋创谷内逾100万元", VALLEY, "2000000.02", "1000000.00"),
    *((f"沪科合〔2020〕31号 二（四） {each} 恰为30万元", of_pilot(each), "1000000.00", "300000.00") for each in PILOTS),
    *((f"沪科合〔2020〕31号 二（四） {each} 逾30万元", of_pilot(each), "1000000.04", "300000.00") for each in PILOTS),
]  # fmt: skip


@pytest.mark.parametrize(("claim", "amount", "award"), [row[1:] for row in AWARDS], ids=[row[0] for row in AWARDS])
def test_the_rate_and_cap_of_the_clause_to_the_fen(claim: Submission, amount: str, award: str) -> None:
    assert str(judge(paid(claim, amount), governing(claim)[-1]).award) == award


CAPS: Final = [
    ("苏科规范〔2024〕2号 支持额度 每年14万元", NORTH, "140000.00"),
    ("苏科规范〔2024〕2号 支持额度 每年10万元", SOUTH, "100000.00"),
    ("沪科合〔2020〕31号 二（四） 每年30万元", DELTA, "300000.00"),
    ("运市科函〔2024〕6号 三 每年度50万元", SHANXI, "500000.00"),
    ("运市科函〔2024〕6号 三 每年度100万元", VALLEY, "1000000.00"),
]


@pytest.mark.parametrize(("claim", "cap"), [row[1:] for row in CAPS], ids=[row[0] for row in CAPS])
def test_the_year_s_cap_of_the_clause_leaves_its_last_fen_and_then_nothing(claim: Submission, cap: str) -> None:
    policy, whole = governing(claim)[-1], Money.parse(cap)
    assert judge(paid(claim, "1000.00"), policy, quota_taken=whole - Money(1)).award == Money(1)
    spent = judge(paid(claim, "1000.00"), policy, quota_taken=whole)
    assert (spent.state, codes(spent, "reject")) == ("rejected", ["quota.exhausted"])


MATCHED: Final = [
    ("苏科规范〔2024〕2号 联动支持 苏北7:3", NORTH, "200.00", "0.00", "30.00"),
    ("苏科规范〔2024〕2号 联动支持 苏北恰为6万元", NORTH, "400000.00", "0.00", "60000.00"),
    ("苏科规范〔2024〕2号 联动支持 苏北6万元只余一分", NORTH, "200.00", "59999.99", "0.01"),
    ("苏科规范〔2024〕2号 联动支持 苏北6万元已满", NORTH, "200.00", "60000.00", "0.00"),
    ("苏科规范〔2024〕2号 联动支持 苏南苏中1:1", SOUTH, "200.00", "0.00", "50.00"),
    ("苏科规范〔2024〕2号 联动支持 苏南苏中恰为10万元", SOUTH, "400000.00", "0.00", "100000.00"),
    ("苏科规范〔2024〕2号 联动支持 苏南苏中10万元只余一分", SOUTH, "200.00", "99999.99", "0.01"),
]


@pytest.mark.parametrize(
    ("claim", "amount", "taken", "matching"), [row[1:] for row in MATCHED], ids=[row[0] for row in MATCHED]
)
def test_the_matching_of_the_clause_to_the_fen(claim: Submission, amount: str, taken: str, matching: str) -> None:
    verdict = judge(paid(claim, amount), linked_region=LINKED, matching_taken=Money.parse(taken))
    assert ("0.00" if verdict.matching is None else str(verdict.matching.amount)) == matching


@pytest.mark.parametrize("claim", [NORTH], ids=["苏科规范〔2024〕2号 联动支持 4类企业类型中的部分"])
def test_a_linked_region_of_the_clause_matches_the_types_that_it_chose(claim: Submission) -> None:
    others = LinkedRegion("320300", ("high_tech", "incubated", "talent"))
    assert judge(claim, linked_region=LINKED).matching is not None
    verdict = judge(claim, linked_region=others)
    assert entry_of(verdict, "matching").verdict == "info"
    assert verdict.matching is None or not verdict.matching.amount.fen


@pytest.mark.parametrize(
    ("day", "due"),
    [(date(2024, 11, 30), date(2025, 2, 28)), (date(2024, 10, 15), date(2025, 1, 15))],
    ids=["苏科统发〔2021〕1号 附件2 1 3个月内遇月末", "苏科统发〔2021〕1号 附件2 1 3个月内"],
)
def test_the_matching_of_the_clause_is_due_in_months(day: date, due: date) -> None:
    assert months_after(day, 3) == due


def sized(claim: Submission, kind: str, size: int) -> Submission:
    found = [replace(one, size_bytes=size) if one.kind == kind else one for one in claim.documents]
    return replace(claim, documents=tuple(found))


@pytest.mark.parametrize(
    ("kind", "most"),
    [("contract", 50), ("service_report", 50), ("receipt_image", 50), ("rd_evidence", 50), ("invoice_image", 5)],
    ids=[
        f"苏科规范〔2024〕2号 创新券申兑 {said}"
        for said in ("合同50M", "检验检测报告50M", "银行回单50M", "研发活动证明50M", "发票照片5M")
    ],
)
def test_a_file_of_the_clause_s_size_passes_and_one_byte_more_is_to_be_corrected(kind: str, most: int) -> None:
    assert judge(sized(SOUTH, kind, most * MEGABYTE)).state == "in_review"
    verdict = judge(sized(SOUTH, kind, most * MEGABYTE + 1))
    assert (verdict.state, codes(verdict, "correct")) == ("needs_correction", ["evidence.complete"])


@pytest.mark.parametrize(
    "kind",
    ["contract", "rd_evidence"],
    ids=["苏科规范〔2024〕2号 创新券申兑 合同仅限一份", "苏科规范〔2024〕2号 创新券申兑 研发活动证明仅限1份"],
)
def test_of_what_the_clause_limits_to_one_a_second_and_a_lack_are_to_be_corrected(kind: str) -> None:
    second = replace(SOUTH, documents=(*SOUTH.documents, Document(kind, "ab" * 32, "application/pdf", 1)))
    none = replace(SOUTH, documents=tuple(one for one in SOUTH.documents if one.kind != kind))
    for claim in (second, none):
        assert codes(judge(claim), "correct") == ["evidence.complete"]


@pytest.mark.parametrize(
    ("issued_on", "state"),
    [(date(2021, 8, 16), "in_review"), (date(2021, 8, 15), "needs_correction")],
    ids=["企业操作指南 高企 证书3年内最后一日", "企业操作指南 高企 证书满3年"],
)
def test_the_certificate_of_the_clause_counts_for_its_years(issued_on: date, state: str) -> None:
    proofs = {"high_tech": TypeProof(issued_on=issued_on)}
    enterprise = replace(SOUTH.enterprise, types=("high_tech",), type_proofs=proofs)
    at = datetime.fromisoformat("2024-08-15T10:00:00+08:00")
    moved = replace(SOUTH, enterprise=enterprise, submitted_at=at)
    early = replace(moved, **_until(moved, date(2024, 8, 14)))
    assert judge(early).state == state


def _until(claim: Submission, day: date) -> dict[str, Any]:
    """The claim's days not after this one."""
    return {
        "contract": replace(claim.contract, signed_on=min(claim.contract.signed_on, day)),
        "services": tuple(replace(one, completed_on=min(one.completed_on, day)) for one in claim.services),
        "invoices": tuple(replace(one, issued_on=min(one.issued_on, day)) for one in claim.invoices),
        "receipts": tuple(replace(one, paid_on=min(one.paid_on, day)) for one in claim.receipts),
    }


YEARS: Final = [
    ("苏科规范〔2024〕2号 经申请审核成为服务单位2 两年以上", SOUTH, "company"),
    ("沪科合〔2020〕31号 二（三）2 2年以上", DELTA, DELTA.provider.kind),
]


@pytest.mark.parametrize(("claim", "kind"), [row[1:] for row in YEARS], ids=[row[0] for row in YEARS])
def test_a_provider_is_of_the_clause_s_age_on_the_contract_s_day_and_not_a_day_before(
    claim: Submission, kind: str
) -> None:
    signed_on = claim.contract.signed_on
    for founded_on, refused in (
        (signed_on.replace(year=signed_on.year - 2), False),
        (signed_on.replace(year=signed_on.year - 2, day=signed_on.day + 1), True),
    ):
        provider = replace(claim.provider, kind=kind, established_on=founded_on)
        verdict = judge(replace(claim, provider=provider), governing(claim)[-1])
        assert ("provider.admission" in codes(verdict, "reject")) is refused


@pytest.mark.parametrize(
    ("percent", "refused"),
    [(Rate(4999, 100), False), (Rate(50), True)],
    ids=["苏科规范〔2024〕2号 不支持范围2 不足50%", "苏科规范〔2024〕2号 不支持范围2 恰为50%"],
)
def test_the_share_of_the_clause_makes_parties_related(percent: Rate, refused: bool) -> None:  # noqa: FBT001 - a table
    related = replace(SOUTH.declarations.related_party, common_shareholder_percent=percent)
    claim = replace(SOUTH, declarations=replace(SOUTH.declarations, related_party=related))
    assert ("exclusion.related_party" in codes(judge(claim), "reject")) is refused


@pytest.mark.parametrize("claim", [SOUTH], ids=["苏科规范〔2024〕2号 问答4 技术开发合同只支持检验检测部分"])
def test_of_a_contract_of_the_clause_only_the_testing_counts(claim: Submission) -> None:
    testing = replace(claim.services[0], amount=Money.parse("40000.00"))
    development = replace(claim.services[0], item="technology_development", amount=Money.parse("60000.00"))
    whole = replace(paid(claim, "100000.00"), services=(testing, development))
    assert str(judge(whole).award) == "10000.00"


@pytest.mark.parametrize(
    "item", ["B1.1", "B4.1"], ids=["苏科统发〔2021〕1号 附件1 B1.1", "苏科统发〔2021〕1号 附件1 B4.1"]
)
def test_the_qualification_of_the_annex_is_valid_on_the_day_of_completion(item: str) -> None:
    service = replace(SOUTH.services[0], item=item)
    for days, refused in ((0, False), (-1, True)):
        until = date.fromordinal(service.completed_on.toordinal() + days)
        provider = replace(SOUTH.provider, qualifications=(ProviderQualification("CMA", until),))
        verdict = assess(replace(SOUTH, services=(service,), provider=provider), governing(SOUTH)[-1], facts_of(SOUTH))
        assert (verdict.state == "in_review") is not refused
