from dataclasses import replace
from datetime import date

from tenants.policy import Policy, Term, in_force, lies_in
from tenants.policy_document import load_demonstration, load_shipped


def shipped(tenant: str) -> Policy:
    return next(each.policy for each in load_shipped() if each.policy.tenant == tenant)


def from_day(policy: Policy, on: date) -> Policy:
    return replace(policy, effective=Term(on, "苏科规范〔2024〕2号"))


def test_the_latest_version_that_had_begun_is_in_force() -> None:
    old, new = from_day(shipped("jiangsu"), date(2021, 1, 1)), from_day(shipped("jiangsu"), date(2024, 1, 1))
    for order in ((old, new), (new, old)):
        assert in_force(order, date(2023, 12, 31)) is old
        assert in_force(order, date(2024, 1, 1)) is new
        assert in_force(order, date(2030, 1, 1)) is new


def test_no_version_is_in_force_before_the_first_began() -> None:
    assert in_force([shipped("jiangsu")], date(2023, 12, 31)) is None
    assert in_force([], date(2024, 1, 1)) is None


def test_a_demonstration_gives_way_to_a_law_of_the_same_day() -> None:
    demonstration = next(each.policy for each in load_demonstration() if each.policy.tenant == "wujiang")
    law = from_day(shipped("wujiang"), demonstration.effective_on)
    assert in_force([law, demonstration], date(2024, 6, 1)) is law
    assert in_force([demonstration, law], date(2024, 6, 1)) is law


def test_a_version_is_named_after_tenant_scheme_and_day() -> None:
    assert shipped("jiangsu").version == "jiangsu/provincial/2024-01-01"
    assert shipped("qingpu").version == "qingpu/delta/2021-01-09"


def test_a_demonstration_s_name_says_so() -> None:
    assert all(each.policy.version.endswith("-demonstration") for each in load_demonstration())


def test_a_zone_is_found_by_division_prefix() -> None:
    policy = shipped("jiangsu")
    assert policy.zone("320312", ()).code == "north"
    assert policy.zone("321302", ()).code == "north"
    assert policy.zone("320115", ()).code == "other"


def test_a_residence_goes_before_the_division() -> None:
    policy = shipped("shanxi-hainan")
    assert policy.zone("140802", ("jinchuang_valley",)).code == "jinchuang_valley"
    assert policy.zone("140802", ("somewhere",)).code == "other"


def test_a_division_lies_under_its_prefix_only() -> None:
    assert lies_in("340521", ("3405",))
    assert not lies_in("340400", ("3405",))
    assert lies_in("999999", ("*",))
    assert not lies_in("320509", ())


def test_equal_policies_have_equal_hashes() -> None:
    policy = shipped("jiangsu")
    assert replace(policy) == policy
    assert hash(replace(policy)) == hash(policy)
