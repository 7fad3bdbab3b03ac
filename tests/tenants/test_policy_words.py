"""Differences between versions in words: nothing is left unsaid, and every member has a name."""
# ruff: noqa: E501 - one change a line

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_type_hints

import pytest

from tenants.policy import Policy
from tenants.policy_document import load_demonstration, load_shipped, read_policy
from tenants.policy_words import KEYS, OF_IDENTITY, WORDS, differences
from tests.tenancy.test_seventh_region import TEXT as SEVENTH

POLICIES = [*(each.policy for each in (*load_shipped(), *load_demonstration())), read_policy(SEVENTH)]
JIANGSU = next(each.text for each in load_shipped() if each.policy.tenant == "jiangsu")
SHANXI = next(each.text for each in load_shipped() if each.policy.tenant == "shanxi-hainan")


def records(kind: Any, seen: set[Any]) -> Iterator[Any]:
    """The record and every record within it."""
    if is_dataclass(kind) and kind not in seen:
        seen.add(kind)
        yield kind
        for hint in get_type_hints(kind).values():
            yield from records(hint, seen)
    for inner in get_args(kind):
        yield from records(inner, seen)


def test_every_member_of_a_policy_has_a_name() -> None:
    names = {field.name for kind in records(Policy, set()) for field in fields(kind)}
    assert names - WORDS.keys() - set(KEYS) - OF_IDENTITY <= {"value", "note", "tenant", "scheme"}
    assert all(words.zh and words.en for words in WORDS.values())


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.version)
def test_a_version_says_nothing_otherwise_than_itself(policy: Policy) -> None:
    assert differences(policy, policy) == []


@pytest.mark.parametrize("before", POLICIES, ids=lambda policy: policy.version)
def test_any_two_versions_are_told_apart_both_ways(before: Policy) -> None:
    for after in POLICIES:
        there, back = differences(before, after), differences(after, before)
        assert {each.place for each in there} == {each.place for each in back}
        assert bool(there) is (before.version != after.version)
        for each in there:
            assert each.text.zh.endswith("。")
            assert each.text.en.endswith(".")


CHANGES = [
    (JIANGSU, '"0.35"', '"0.40"', "分区·苏北·支持比例由35%改为40%"),
    (JIANGSU, '"140000.00"', '"150000.00"', "分区·苏北·年度额度上限由140,000.00元改为150,000.00元"),
    (JIANGSU, 'value = "7/3"', 'value = "3:2"', "分区·苏北·省地联动比例由7:3改为3:2"),
    (JIANGSU, 'provincial_to_local = { value = "1"', 'provincial_to_local = { value = "2:1"', "分区·苏南、苏中·省地联动比例由1:1改为2:1"),
    (JIANGSU, '"3203", "3207"', '"3203", "3206", "3207"', "分区·苏北·行政区划由3203、3207、3208、3209、3213改为3203、3206、3207"),
    (JIANGSU, "certificate_years = 3", "certificate_years = 5", "企业条件·企业类型·高新技术企业·证书有效年数由3改为5"),
    (JIANGSU, 'kind = "rd_evidence"\nat_least = 1', 'kind = "rd_evidence"\nat_least = 0', "佐证材料·研发活动佐证·最少份数由1改为0"),
    (JIANGSU, "trust_list = { value = true", "trust_list = { value = false", "审核·服务承诺制由是改为否"),
    (SHANXI, "2024-09-30T17", "2024-10-15T17", "额度年度·申请截止时间·2024·截止时刻由2024-06-30T17:00:00+08:00、2024-09-30T17:00:00+08:00改为"),
    (SHANXI, 'value = "partial"', 'value = "pro_rata"', "核定限制·预算不足时的处理由按余额核定（兑完为止）改为按比例分配"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "old", "new", "said"), CHANGES, ids=[change[3] for change in CHANGES])
def test_a_change_is_said_as_a_person_would_say_it(text: str, old: str, new: str, said: str) -> None:
    assert old in text
    (found,) = differences(read_policy(text), read_policy(text.replace(old, new, 1)))
    assert found.text.zh.startswith(said)
    assert found.change == "changed"
    assert "依据：" in found.text.zh


def test_entries_are_added_removed_and_moved() -> None:
    before, after = read_policy(SEVENTH), read_policy(SEVENTH.replace('code = "novelty_search"', 'code = "search"'))
    told = {each.place: each.text.zh for each in differences(before, after)}
    assert told["/services/search"].startswith("新增服务事项·科技查新（依据：测科发〔2024〕7号 第七条）")
    assert told["/services/novelty_search"].startswith("删去服务事项·科技查新")


def test_a_clause_alone_is_a_difference_too() -> None:
    (found,) = differences(read_policy(SEVENTH), read_policy(SEVENTH.replace("第二十条", "第二十一条")))
    assert found.change == "cited"
    assert found.text.zh == "施行日期不变，依据由“测科发〔2024〕7号 第二十条”改为“测科发〔2024〕7号 第二十一条”。"
