"""Every citation of a shipped policy names a clause that is there and says what it cites; every figure has its test."""

import re
from pathlib import Path
from typing import Any, Final

import pytest

from tenants.policy_document import PolicyDocument, load_shipped
from tests.tenants import test_figures_by_clause
from tests.tenants.clauses import DOCUMENT, GUIDE, cited, clauses, figures_of, plain, text_of
from tests.tenants.test_shipped_policies import cites

SEEDS: Final = next((each / "shared" / "seeds" for each in Path(__file__).parents if (each / "shared").is_dir()), None)
"""Where the published documents lie, beside the repository."""
beside = pytest.mark.skipif(SEEDS is None, reason="the published documents do not lie beside this checkout")
NUMBERED: Final = {
    "苏科统发〔2021〕1号": "000", "苏科规范〔2024〕2号": "001", GUIDE: "002", "沪科合〔2020〕31号": "003",
    "运市科函〔2024〕6号": "004",
}  # fmt: skip

NO_TERM: Final = {
    ("苏科统发〔2021〕1号", "二2", "两年"): "基础年限，2024年办法改为注册成立两年以上",
    ("苏科统发〔2021〕1号", "二2", "三年"): "无不良记录，2024年办法改为无失信行为记录，不载年限",
    ("苏科统发〔2021〕1号", "四", "2021年1月30日"): "2021年度报名截止，已过",
    ("苏科统发〔2021〕1号", "四", "2021年12月31日"): "2020年度联动地区的有效期，已过",
    ("苏科统发〔2021〕1号", "六1", "2021年2月25日"): "2021年第一批入库受理，已过",
    ("苏科统发〔2021〕1号", "附件2 2", "1场次"): "联动地区的宣讲，与兑付无关",
    ("苏科统发〔2021〕1号", "落款", "2021年1月15日"): "文件的日期",
    ("苏科规范〔2024〕2号", "省创新券服务承诺制", "两年"): "遴选承诺制单位所看的年份，名单由省统筹中心给出",
    ("苏科规范〔2024〕2号", "徐州案例", "100万元"): "合同总额，支持的只是其中检验检测费",
    ("苏科规范〔2024〕2号", "徐州案例", "40万元"): "检验检测费的约数",
    ("苏科规范〔2024〕2号", "徐州案例", "25%"): "与其结果不符，14万元只有35%能得出",
    (GUIDE, "科小", "2024年"): "年度的举例",
    ("沪科合〔2020〕31号", "一（二）", "6个月"): "全域参与的时间，参与即另设租户",
    ("运市科函〔2024〕6号", "四（四）", "一式三份"): "纸质材料的份数",
    ("运市科函〔2024〕6号", "四（五）", "一式二份"): "纸质材料的份数",
}  # fmt: skip
"""Figures of the clauses that no policy holds, and why."""

OUTSIDE: Final = {
    "苏科规范〔2024〕2号": {
        "2025年3月27日": "讲稿的日期", "1-2个工作日": "平台审核账号的周期", "1:1": "平台图片的宽高比例",
        "1.2M": "截图中的文件", "30万元": "平台仪器的价值", "99%": "徐州服务产品的占比",
    },
    GUIDE: {"1-2个工作日": "平台审核账号的周期"},
    "沪科合〔2020〕31号": {"2021年1月9日": "印发日期"},
}  # fmt: skip
"""Figures of the documents that stand in none of the clauses, and what they are."""


def faults_of(cite: str) -> list[str]:
    """What is wrong with a citation."""
    found = []
    for document, clause, said in cited(cite):
        text = text_of(document, clause)
        if document not in clauses():
            found += [] if any(document in "".join(w) for of in clauses().values() for w in of.values()) else [document]
        elif not text:
            found.append(f"{document} {clause}")
        else:
            found += sorted(figures_of(said) - figures_of(text))
            found += [words for words in re.findall("“([^”]*)”", said) if plain(words) not in plain(text)]
    return found or ([] if DOCUMENT.search(cite) else [cite])


@pytest.mark.parametrize("document", load_shipped(), ids=lambda each: each.policy.version)
def test_every_citation_names_a_clause_that_is_there_with_the_figures_that_it_quotes(document: PolicyDocument) -> None:
    faults = {place: faults_of(cite) for place, cite in cites(document.policy)}
    assert {place: found for place, found in faults.items() if found} == {}


@pytest.mark.parametrize(
    ("cite", "fault"),
    [
        ("沪科合〔2020〕31号 二（四）：每家企业每年不超过31万元", "31万元"),
        ("沪科合〔2020〕31号 二（九）：每家企业每年不超过30万元", "沪科合〔2020〕31号 二（九）"),
        ("沪科合〔2020〕31号 二（三）1：注册2年以上", "2年"),
        ("沪科合〔2020〕30号 二（四）", "沪科合〔2020〕30号"),
        ("运市科函〔2024〕6号 五（七）：2年内不再给予创新券支持", "2年"),
        ("运市科函〔2024〕6号 五（七）：“三年”内不再给予", "三年"),
        ("苏科统发〔2021〕1号 五、1：最高不超过6%", "6%"),
        ("苏科规范〔2024〕2号 支持对象9：4亿元以下", "苏科规范〔2024〕2号 支持对象9"),
        ("苏科规范〔2024〕2号 联动支持：苏北地区不低于8:2", "8:2"),
        ("租户说了算", "租户说了算"),
    ],
)
def test_a_citation_of_what_is_not_there_is_noticed(cite: str, fault: str) -> None:
    assert fault in faults_of(cite)


def named_tests() -> list[str]:
    """The names of the tests that stand for a clause's figure."""
    found: list[Any] = []
    for function in vars(test_figures_by_clause).values():
        for mark in getattr(function, "pytestmark", []):
            found += mark.kwargs.get("ids") or []
    return [plain(each) for each in found]


def is_tested(tests: list[str], document: str, clause: str, figure: str) -> bool:
    """Whether a test bears the document, the clause and the figure in its name."""
    marks = [plain(document), plain(re.sub(r"^(.)(\d)$", r"\1、\2", clause)), plain(figure)]
    return any(all(mark in name for mark in marks) for name in tests)


def test_every_figure_of_the_clauses_is_in_a_test_named_after_its_clause_or_is_said_to_be_no_term() -> None:
    tests = named_tests()
    held = {
        (document, clause, figure)
        for document, found in clauses().items()
        for clause in found
        for figure in figures_of("\n".join(found[clause]))
    }
    untested = {each for each in held if not is_tested(tests, *each)}
    assert untested == set(NO_TERM)


@beside
@pytest.mark.parametrize("document", NUMBERED)
def test_the_clauses_are_the_published_documents_word_for_word(document: str) -> None:
    source = plain(_source(document))
    assert [said for found in clauses()[document].values() for said in found if plain(said) not in source] == []


@beside
@pytest.mark.parametrize("document", NUMBERED)
def test_no_figure_of_the_published_documents_stands_outside_the_clauses_unnoticed(document: str) -> None:
    known = set().union(*(figures_of("\n".join(said)) for said in clauses()[document].values()))
    screens = re.compile(r"\d{4}-\d\d-\d\d\s+\d\d:\d\d:\d\d|:\d{4,}")  # times and ports on the pictures of screens
    found = figures_of(screens.sub(" ", _source(document)))
    years = {figure for figure in found if re.fullmatch(r"20\d\d年", figure)}
    assert {figure for figure in found - known - years if figure not in OUTSIDE.get(document, {})} == set()


def _source(document: str) -> str:
    assert SEEDS is not None
    (file,) = SEEDS.glob(f"{NUMBERED[document]}_*.txt")
    return file.read_text(encoding="utf-8")
