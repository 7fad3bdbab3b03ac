"""Documents that are refused, each with the place of its fault, and the ways in which one is written."""

import time

import pytest

from tenants.kernel.errors import Invalid
from tenants.policy_document import (
    MAX_DOCUMENT_BYTES,
    load_shipped,
    print_policy,
    read_document,
    read_policy,
)

JIANGSU = next(each.text for each in load_shipped() if each.policy.tenant == "jiangsu")
SHANXI = next(each.text for each in load_shipped() if each.policy.tenant == "shanxi-hainan")
DEMONSTRATION = "source_of_demonstration"
WUJIANG = next(each.text for each in load_shipped() if each.policy.tenant == "wujiang")


def places(text: str) -> dict[str, str]:
    """The faults of a refused document: code by place."""
    with pytest.raises(Invalid) as refused:
        read_document(text)
    assert refused.value.code == "policy.document"
    for fault in refused.value.errors:
        assert fault.message.zh
        assert fault.message.en
    return {fault.pointer: fault.code for fault in refused.value.errors}


def changed(text: str, old: str, new: str, times: int = 1) -> str:
    """The document with one passage changed, which must be there."""
    assert old in text
    return text.replace(old, new, times)


def line_of(text: str, start: str) -> str:
    """The first line that starts so."""
    return next(line for line in text.splitlines() if line.startswith(start))


def without(text: str, start: str) -> str:
    return changed(text, line_of(text, start) + "\n", "")


P = "/payout/publicity_days/value"
EDITS = [
    ("an unknown key", JIANGSU, "^scheme", "surplus = 1", "/surplus", "unknown_key"),
    ("an unknown key of a table", JIANGSU, "[limits]", "[limits]\nfloor = 1", "/limits/floor", "unknown_key"),
    ("an unknown key of an entry", JIANGSU, '"A1.1"', '"A1.1"\nx = 1', "/services/0/x", "unknown_key"),
    ("an unknown key of a term", JIANGSU, "{ value = 5,", "{ y = 1, value = 5,", P[:-5] + "y", "unknown_key"),
    ("a missing key", JIANGSU, "^scheme", "", "/scheme", "missing"),
    ("a missing table", JIANGSU, "[payout]", "[payed]", "/payout", "missing"),
    ("a bare value", JIANGSU, "^modes", 'modes = ["common_use"]', "/modes", "missing_citation"),
    ("a value without citation", JIANGSU, "^rate", 'rate = { value = "0.35" }', "/zones/0/rate", "missing_citation"),
    ("an empty citation", JIANGSU, "^rate", 'rate = { value = "0.35", cite = "" }', "/zones/0/rate/cite", "not_text"),
    ("a blank cite", JIANGSU, "^rate", 'rate = { value = "0.3", cite = " " }', "/zones/0/rate/cite", "not_clean_text"),
    ("an entry without cite", JIANGSU, '^cite = "苏科统发〔2021〕1号 附件1 A1.1"', "", "/services/0/cite", "missing"),
    ("a rate as a number", JIANGSU, '"0.35"', "0.35", "/zones/0/rate/value", "not_a_rate"),
    ("a rate in percent", JIANGSU, '"0.35"', '"35%"', "/zones/0/rate/value", "not_a_rate"),
    ("a rate above one", JIANGSU, '"0.35"', '"1.35"', "/zones/0/rate/value", "out_of_range"),
    ("a rate of nothing", JIANGSU, '"0.35"', '"0"', "/zones/0/rate/value", "out_of_range"),
    ("an amount as a number", JIANGSU, '"140000.00"', "140000", "/zones/0/annual_cap/value", "not_money"),
    ("an amount with a comma", JIANGSU, '"140000.00"', '"140,000.00"', "/zones/0/annual_cap/value", "not_money"),
    ("full-width digits", JIANGSU, '"140000.00"', '"１４００００.00"', "/zones/0/annual_cap/value", "not_money"),
    ("a cap of nothing", JIANGSU, '"140000.00"', '"0.00"', "/zones/0/annual_cap/value", "out_of_range"),
    ("a day that is text", JIANGSU, "2024-01-01", '"2024-01-01"', "/effective/value", "not_a_day"),
    ("a day that cannot be", JIANGSU, "2024-01-01", "2024-02-30", "/", "syntax"),
    ("an instant as a day", JIANGSU, "2024-01-01", "2024-01-01T00:00:00+08:00", "/effective/value", "not_a_day"),
    ("a year far away", JIANGSU, "2024-01-01", "3024-01-01", "/effective/value", "impossible_day"),
    ("an unknown mode", JIANGSU, '"common_use"', '"barter"', "/modes/value/0", "not_a_choice"),
    ("no mode at all", JIANGSU, '"common_use"', "", "/modes/value", "empty"),
    ("a mode twice", JIANGSU, '"common_use"', '"common_use", "common_use"', "/modes/value", "repeated"),
    ("a list that is text", JIANGSU, '["common_use"]', '"common_use"', "/modes/value", "not_a_list"),
    (
        "a truth that is text",
        JIANGSU,
        "value = false",
        'value = "no"',
        "/enterprise/requires_qualification/value",
        "not_true_or_false",
    ),
    ("a negative count", JIANGSU, "{ value = 5,", "{ value = -5,", P, "not_a_whole_number"),
    ("a count that is a truth", JIANGSU, "{ value = 5,", "{ value = true,", P, "not_a_whole_number"),
    ("a notice of no days", JIANGSU, "{ value = 5,", "{ value = 0,", P, "out_of_range"),
    ("an unset ceiling", JIANGSU, '"400000000.00"', '"unset"', "/enterprise/revenue_ceiling/value", "not_unset"),
    ("a division within another", JIANGSU, '"3203", "3207"', '"3203", "32"', "/zones/0", "overlap"),
    ("zones overlap", JIANGSU, 'code = "other"', 'code = "other"\ndivisions = ["320301"]', "/zones/1", "overlap"),
    ("no rest of the region", JIANGSU, 'code = "other"', 'code = "other"\ndivisions = ["3201"]', "/zones", "no_rest"),
    ("a zone outside the region", JIANGSU, '"3203", "3207"', '"3303", "3207"', "/zones/0/divisions/0", "outside"),
    ("five digits", JIANGSU, '"3203", "3207"', '"32031", "3207"', "/zones/0/divisions/0", "not_a_division"),
    ("half a matching", JIANGSU, "^matching_cap", "", "/zones/0", "half_matching"),
    ("legs above the base", JIANGSU, '"7/3"', '"35/66"', "/zones/0/provincial_to_local/value", "above_base"),
    ("a service twice", JIANGSU, 'code = "A1.2"', 'code = "A1.1"', "/services", "repeated"),
    ("a zone twice", JIANGSU, 'code = "other"', 'code = "north"', "/zones", "repeated"),
    ("an unknown evidence", JIANGSU, 'kind = "rd_evidence"', 'kind = "photo"', "/evidence/4/kind", "unknown_kind"),
    ("an evidence twice", JIANGSU, 'kind = "rd_evidence"', 'kind = "contract"', "/evidence", "repeated"),
    ("fewer at most", JIANGSU, "at_least = 1", "at_least = 2", "/evidence/0/at_most", "out_of_range"),
    ("an exclusion on no ground", JIANGSU, '^items = ["commercial_inspection"]', "", "/exclusions/1", "no_ground"),
    (
        "an exclusion that nobody declares",
        JIANGSU,
        '^items = ["commercial_inspection"]',
        "declared = true",
        "/exclusions/1/code",
        "unknown_declaration",
    ),
    ("a service excluded too", JIANGSU, '["commercial_inspection"]', '["B1.3"]', "/exclusions/1/items", "both"),
    ("a certificate without years", JIANGSU, "^certificate_years", "", "/enterprise/types/1", "proof_incomplete"),
    ("no documents of proof", JIANGSU, '^documents = ["incub', "", "/enterprise/types/2", "proof_incomplete"),
    ("an unknown provider", JIANGSU, '"university"', '"abbey"', "/provider/direct_kinds/value/0", "unknown_kind"),
    ("cut-offs that descend", SHANXI, "2024-09-30T17", "2024-05-30T17", "/quota_year/cut_offs/0/at", "not_ascending"),
    ("a cut-off too early", SHANXI, "2024-06-30T17", "2022-06-30T17", "/quota_year/cut_offs/0/at", "impossible_day"),
    (
        "a local cut-off",
        SHANXI,
        "-06-30T17:00:00+08:00",
        "-06-30T17:00:00",
        "/quota_year/cut_offs/0/at/0",
        "not_an_instant",
    ),
    ("a year from 31 February", SHANXI, '"10-01"', '"02-31"', "/quota_year/starts/value", "impossible_day"),
    ("shares of nine tenths", JIANGSU, 'share = { value = "1"', 'share = { value = "0.9"', "/funders", "shares"),
    ("one share of two", SHANXI, 'share = { value = "unset"', 'share = { value = "0.5"', "/funders", "shares"),
    ("a law as demonstration", WUJIANG, "^source", 'source = "x"\ndemonstration = true', "/source", DEMONSTRATION),
    ("a demonstration as law", WUJIANG, "^source", 'source = "demonstration, not law"', "/source", DEMONSTRATION),
    ("a tenant in capitals", JIANGSU, 'tenant = "jiangsu"', 'tenant = "JIANGSU"', "/tenant", "not_a_code"),
    ("a control character", JIANGSU, 'zh = "江苏省', 'zh = "\\u0007江苏省', "/zh", "not_clean_text"),
    ("an unknown frame", JIANGSU, "^scheme", 'inherits = "other"', "/inherits", "unknown_frame"),
    ("a key twice", JIANGSU, "^scheme", 'scheme = "a"\nscheme = "b"', "/", "syntax"),
    ("a table twice", JIANGSU, "[limits]", "[review]", "/", "syntax"),
    ("no TOML at all", JIANGSU, "[limits]", "[limits", "/", "syntax"),
]


@pytest.mark.parametrize(
    ("text", "old", "new", "place", "code"), [edit[1:] for edit in EDITS], ids=[edit[0] for edit in EDITS]
)
def test_a_faulty_document_is_refused_with_the_place_of_its_fault(
    text: str, old: str, new: str, place: str, code: str
) -> None:
    passage = line_of(text, old[1:]) if old.startswith("^") else old
    assert places(changed(text, passage, new))[place] == code


def test_a_rate_beyond_the_whole_is_that_fault_alone() -> None:
    assert places(changed(JIANGSU, '"0.35"', '"1.50"')) == {"/zones/0/rate/value": "out_of_range"}


def test_an_empty_document_is_refused() -> None:
    assert places("")["/tenant"] == "missing"


def test_all_faults_are_named_at_once() -> None:
    text = changed(without(JIANGSU, "scheme ="), 'value = "0.35"', "value = 0.35")
    found = places(text)
    assert {"/scheme", "/zones/0/rate/value"} <= set(found)


def test_a_key_written_twice_is_named_by_line() -> None:
    with pytest.raises(Invalid) as refused:
        read_document(JIANGSU.replace("[limits]\n", "[limits]\na = 1\na = 2\n"))
    assert "line" in refused.value.errors[0].message.en


@pytest.mark.parametrize(
    "bomb",
    [
        "a" * (MAX_DOCUMENT_BYTES + 1),
        "a." * 60_000 + "a = 1",
        "[" + "a." * 60_000 + "a]",
        "a = " + "[" * 100_000,
        "a = " + "{a=" * 50_000,
        't = {y = """\n""" , ' + "a." * 60_000 + 'a = 1, z = ""}',
        "\n".join(f"[[services]]\ncode = {number}" for number in range(9_000)),
    ],
    ids=["huge", "long key", "long table", "deep list", "deep table", "hidden key", "many entries"],
)
def test_a_hostile_document_costs_next_to_nothing(bomb: str) -> None:
    began = time.process_time()
    assert places(bomb)
    assert time.process_time() - began < 2


def test_a_frame_s_values_are_replaced_value_by_value_with_their_citation() -> None:
    frame = WUJIANG
    own = """
inherits = "frame"
effective = { value = 2025-03-01, cite = "吴科〔2025〕1号" }
[payout]
publicity_days = { value = 7, cite = "吴科〔2025〕1号 五" }
"""
    policy = read_document(own, {"frame": frame}).policy
    assert policy.version == "wujiang/delta/2025-03-01"
    assert (policy.payout.publicity_days.value, policy.payout.publicity_days.cite) == (7, "吴科〔2025〕1号 五")
    assert policy.payout.agent == read_policy(frame).payout.agent
    assert policy.zones == read_policy(frame).zones


def test_frames_that_inherit_each_other_are_refused() -> None:
    with pytest.raises(Invalid):
        read_document('inherits = "a"', {"a": 'inherits = "b"', "b": 'inherits = "a"'})


def test_a_document_that_inherits_is_hashed_as_resolved() -> None:
    own = 'inherits = "frame"\nsource = "吴科〔2025〕1号"\n'
    other = changed(WUJIANG, line_of(WUJIANG, "source"), 'source = "吴科〔2025〕1号"')
    assert read_document(own, {"frame": WUJIANG}) == read_document(other)


def test_order_comments_and_spaces_do_not_change_the_hash() -> None:
    lines = JIANGSU.splitlines()
    shuffled = "\n".join(["# note", lines[1], "", lines[0], *lines[2:]])
    assert read_document(shuffled).digest == read_document(JIANGSU).digest


def test_a_changed_value_changes_the_hash() -> None:
    assert read_document(changed(JIANGSU, '"0.35"', '"0.34"')).digest != read_document(JIANGSU).digest


def test_the_same_text_answers_the_same_policy_object() -> None:
    assert read_policy(JIANGSU) is read_policy(JIANGSU)
    assert print_policy(read_policy(JIANGSU)) == JIANGSU


def test_a_region_may_set_its_rate_with_its_own_document() -> None:
    text = changed(WUJIANG, line_of(WUJIANG, "rate"), 'rate = { value = "0.3", cite = "吴科〔2025〕1号 三" }')
    zone = read_policy(text).zones[0]
    assert zone.rate.cite == "吴科〔2025〕1号 三"


def test_a_seventh_region_with_a_cap_for_one_claim_is_one_data_file() -> None:
    text = changed(WUJIANG, "[limits]\n", '[limits]\nclaim_cap = { value = "20000.00", cite = "某科〔2025〕1号 四" }\n')
    text = changed(text, 'tenant = "wujiang"', 'tenant = "seventh"')
    limit = read_policy(text).limits.claim_cap
    assert limit is not None
    assert str(limit.value) == "20000.00"
