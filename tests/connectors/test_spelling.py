"""How people write values: read where the meaning is sure, left for the claim's own fields where it is not."""

import pytest

from connectors.divisions import division_named
from connectors.faults import Fault
from connectors.spelling import SPELLINGS
from tenants.kernel.canonical import Json


@pytest.mark.parametrize(
    ("spelling", "written", "read"),
    [
        ("text", " \u3000甲乙\u3000 ", " \u3000甲乙\u3000 "),
        ("text", "２４３２", "２４３２"),
        ("code", "ＣＸＱ２０２４ ", "CXQ2024"),
        ("amount", "¥15000", "15000"),
        ("amount", "￥１５，０００．５０元", "15000.50"),
        ("amount", 15000, "15000"),
        ("amount", "0015000.00", "15000.00"),
        ("amount", "1,234,567.8", "1234567.8"),
        ("amount", "100.1000", "100.1"),
        ("amount", "100.000", "100"),
        ("amount", "100.123", "100.123"),
        ("amount", "1,23", "1,23"),
        ("amount", "1.5e4", "1.5e4"),
        ("amount", "-5", "-5"),
        ("amount", "伍佰元整", "伍佰元整"),
        ("amount", True, True),
        ("amount_in_wan", "3800", "38000000.00"),
        ("amount_in_wan", "3800.123456万元", "38001234.56"),
        ("amount_in_wan", "0.000001", "0.01"),
        ("amount_in_wan", "0", "0.00"),
        ("amount_in_wan", "3800.1234567", "3800.1234567"),
        ("amount_in_wan", 40000, "400000000.00"),
        ("day", "2024-8-5", "2024-08-05"),
        ("day", "2024/08/05", "2024-08-05"),
        ("day", "2024.8.5", "2024-08-05"),
        ("day", "２０２４年８月５日", "2024-08-05"),
        ("day", "5.8.2024", "5.8.2024"),
        ("day", "2024-13-05", "2024-13-05"),
        ("day", 45000, 45000),
        ("instant", "2024-08-29 21:21:19", "2024-08-29T21:21:19+08:00"),
        ("instant", "2024/8/9 9:05", "2024-08-09T09:05:00+08:00"),
        ("instant", "2024-08-29T21:21:19Z", "2024-08-29T21:21:19Z"),
        ("yes_or_no", "是", True),
        ("yes_or_no", " 无 ", False),
        ("yes_or_no", "TRUE", True),
        ("yes_or_no", False, False),
        ("percent", "33.4%", "33.4"),
        ("percent", 50, "50"),
        ("percent", "half", "half"),
        ("division", "320312", "320312"),
        ("division", "江苏省 徐州市 铜山区", "320312"),
        ("division", "上海市/青浦区", "310118"),
        ("division", "某省某市", "某省某市"),
    ],
)
def test_a_value_is_spelled_as_the_claim_takes_it(spelling: str, written: Json, read: Json) -> None:
    assert SPELLINGS[spelling](written) == read
    if spelling != "amount_in_wan":
        assert SPELLINGS[spelling](read) == read


def test_a_word_that_is_neither_yes_nor_no_is_refused() -> None:
    with pytest.raises(Fault, match=r"label\.unknown"):
        SPELLINGS["yes_or_no"]("也许")


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["江苏省", "南京市", "高淳区"], "320118"),
        (["江苏省", "南京市", "高淳县"], None),
        (["江苏省", "苏州市", "昆山市"], "320583"),
        (["浙江省", "嘉兴市", "嘉善县"], "330421"),
        (["安徽省", "马鞍山市"], "340500"),
        (["海南省", "文昌市"], "469005"),
        (["上海市", "市辖区", "青浦区"], "310118"),
        (["安徽省"], "340000"),
        ([], None),
        (["南京市"], None),
    ],
)
def test_a_division_is_found_by_the_names_that_it_bears_today(names: list[str], code: str | None) -> None:
    assert division_named(names) == code
