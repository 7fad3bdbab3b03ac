import pytest

from tenants.kernel.errors import Invalid
from tenants.policy_document import load_shipped
from tenants.profile import load_tenants, read_profile

GOOD = """
tenant = "a"
code = "AA"
zh = "甲"
en = "A"
divisions = ["32"]
[[schemes]]
code = "delta"
zh = "券"
en = "voucher"
[[platforms]]
code = "p"
zh = "台"
en = "platform"
schemes = ["delta"]
"""


def test_six_tenants_are_shipped_with_distinct_codes() -> None:
    tenants = load_tenants()
    assert {each.tenant: each.code for each in tenants} == {
        "jiangsu": "JS",
        "shanxi-hainan": "SX",
        "qingpu": "QP",
        "wujiang": "WJ",
        "jiashan": "JSX",
        "maanshan": "MAS",
    }


def test_every_assessed_scheme_has_a_shipped_policy_and_a_local_scheme_has_none() -> None:
    governed = {(each.policy.tenant, each.policy.scheme) for each in load_shipped()}
    schemes = {(each.tenant, scheme.code): scheme.assessed for each in load_tenants() for scheme in each.schemes}
    assert {pair for pair, assessed in schemes.items() if assessed} == governed
    assert {scheme for (_, scheme), assessed in schemes.items() if not assessed} == {"local"}


def test_platforms_are_those_of_the_specification() -> None:
    platforms = {platform.code for each in load_tenants() for platform in each.platforms}
    local = {"qingpu-local", "wujiang-local", "jiashan-local", "maanshan-local"}
    assert platforms == {"delta", "jssic", "shanxi-inno"} | local


def test_a_profile_is_read() -> None:
    assert read_profile(GOOD).platforms[0].schemes == ("delta",)


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        (GOOD.replace('code = "AA"\n', ""), "/code"),
        (GOOD + "surplus = 1\n", "/platforms/0/surplus"),
        (GOOD.replace('schemes = ["delta"]', 'schemes = ["other"]'), "/platforms/0/schemes"),
        (GOOD.replace('schemes = ["delta"]', "schemes = []"), "/platforms/0/schemes"),
        ("a = ", "/"),
        (GOOD.replace('zh = "甲"', "zh = 3"), "/zh"),
    ],
)
def test_a_faulty_profile_is_refused_with_its_place(wrong: str, place: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_profile(wrong)
    assert refused.value.code == "tenant.document"
    assert place in [error.pointer for error in refused.value.errors]
