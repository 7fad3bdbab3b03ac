"""Rule 18: the verdict table of ``dedup.md``, cell by cell."""

from dataclasses import replace

import pytest

from clearing.claims.assessment import Assessment
from clearing.claims.facts import EarlierUse, KeyState
from connectors.submission import Document
from tenants.kernel.money import ZERO, Money
from tests.claims.claims_of_cases import NORTH, SOUTH, codes, entry_of, judge

OWN = EarlierUse(True, True, "jssic", "2024-05", "r-own")  # noqa: FBT003 - two flags, as the table has them
CROSS = EarlierUse(True, False, "delta", "2024-06", "r-cross")  # noqa: FBT003
FOREIGN = EarlierUse(False, False, "shanxi-inno", "2024-07", "r-foreign")  # noqa: FBT003


def key(kind: str, *uses: EarlierUse, taken: str = "0.00", conflict: bool = False, counted: str = "100.00") -> KeyState:
    guarded = kind in {"invoice", "receipt"}
    return KeyState(
        kind=kind,
        place=f"/{kind}s/0",
        counted=Money.parse(counted) if guarded else ZERO,
        taken=Money.parse(taken),
        claimed=Money.parse("40.00") if guarded else ZERO,
        amount_conflict=conflict,
        uses=uses,
    )


def duplicates(assessment: Assessment) -> list[tuple[str, str]]:
    return [
        (entry.rule, entry.verdict)
        for entry in assessment.trace
        if entry.rule.startswith("duplicate.") and entry.verdict != "pass"
    ]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (key("invoice"), []),
        (key("invoice", OWN, taken="60.00"), [("duplicate.explanation_missing", "correct")]),
        (key("invoice", OWN, taken="60.01"), [("duplicate.invoice_exhausted", "reject")]),
        (key("invoice", CROSS), [("duplicate.cross_scheme", "reject")]),
        (key("invoice", FOREIGN, taken="90.00"), [("duplicate.foreign_invoice", "hold")]),
        (key("invoice", conflict=True), [("duplicate.amount_conflict", "hold")]),
        (key("invoice", conflict=True, counted="30.00"), [("duplicate.amount_conflict", "hold")]),
        (key("invoice", counted="39.99"), [("duplicate.invoice_exhausted", "reject")]),
        (
            key("invoice", OWN, FOREIGN, taken="60.00"),
            [("duplicate.explanation_missing", "correct"), ("duplicate.foreign_invoice", "hold")],
        ),
        (
            key("invoice", CROSS, OWN, FOREIGN, conflict=True),
            [
                ("duplicate.cross_scheme", "reject"),
                ("duplicate.foreign_invoice", "hold"),
                ("duplicate.amount_conflict", "hold"),
            ],
        ),
        (key("contract", OWN), []),
        (key("contract", CROSS), [("duplicate.project", "reject")]),
        (key("receipt", OWN, taken="60.00"), []),
        (key("receipt", OWN, taken="60.01"), [("duplicate.receipt_exhausted", "correct")]),
        (key("receipt", CROSS), [("duplicate.cross_scheme", "reject")]),
        (key("receipt", FOREIGN), [("duplicate.foreign_receipt", "hold")]),
        (key("receipt", counted="39.99"), [("duplicate.receipt_exhausted", "correct")]),
        (key("document"), []),
        (key("document", OWN), [("duplicate.document_reuse", "hold")]),
        (key("document", CROSS), [("duplicate.document_reuse", "hold")]),
        (key("document", FOREIGN), [("duplicate.document_reuse", "hold")]),
    ],
)
def test_a_key_meets_the_verdict_of_the_table(state: KeyState, expected: list[tuple[str, str]]) -> None:
    assert duplicates(judge(SOUTH, keys=(state,))) == expected


@pytest.mark.parametrize("how", ["text", "document"])
def test_an_explained_reuse_of_an_own_invoice_holds_for_a_reviewer(how: str) -> None:
    explanation = Document("duplicate_explanation", "c" * 64, "application/pdf", 9)
    claim = (
        replace(SOUTH, duplicate_explanation="分期付款，同一发票")
        if how == "text"
        else replace(SOUTH, documents=(*SOUTH.documents, explanation))
    )
    assessment = judge(claim, keys=(key("invoice", OWN, taken="60.00"),))
    assert duplicates(assessment) == [("duplicate.invoice_reuse", "hold")]
    assert assessment.state == "on_hold"


def test_a_blank_explanation_explains_nothing() -> None:
    claim = replace(SOUTH, duplicate_explanation="  ")
    assert judge(claim, keys=(key("invoice", OWN),)).state == "needs_correction"


def test_an_explanation_does_not_help_an_invoice_that_is_used_up() -> None:
    claim = replace(SOUTH, duplicate_explanation="说明")
    assert judge(claim, keys=(key("invoice", OWN, taken="60.01"),)).state == "rejected"


def test_the_same_code_for_several_keys_is_one_finding_that_names_all_places() -> None:
    keys = (key("invoice", CROSS), key("receipt", CROSS), key("contract", CROSS))
    assessment = judge(SOUTH, keys=keys)
    assert codes(assessment, "reject") == ["duplicate.cross_scheme", "duplicate.project"]
    entry = entry_of(assessment, "duplicate.cross_scheme")
    assert entry.inputs == {"place": "/invoices/0", "places": ["/invoices/0", "/receipts/0"]}


def test_of_the_other_side_only_platform_month_and_reference_are_told() -> None:
    entry = entry_of(judge(SOUTH, keys=(key("invoice", FOREIGN, taken="90.00"),)), "duplicate.foreign_invoice")
    assert entry.output == {
        "other_side": [
            {"fault": "use", "platform": "shanxi-inno", "month": "2024-07", "reference": "r-foreign"},
        ]
    }
    assert "90.00" not in entry.message.zh
    assert "90.00" not in entry.message.en


def test_people_read_names_of_the_other_side_and_of_places_and_programs_their_codes() -> None:
    entry = entry_of(judge(SOUTH, keys=(key("invoice", FOREIGN, taken="90.00"),)), "duplicate.foreign_invoice")
    assert "第 1 张发票；另见 山西科技创新券管理系统 2024-07 编号 r-foreign" in entry.message.zh
    assert "(invoice 1; see Shanxi innovation voucher system 2024-07 reference r-foreign)" in entry.message.en
    assert entry.inputs["place"] == "/invoices/0"


def test_an_exhausted_invoice_s_numbers_can_be_recomputed() -> None:
    entry = entry_of(judge(SOUTH, keys=(key("invoice", OWN, taken="70.00"),)), "duplicate.invoice_exhausted")
    assert (entry.inputs["counted"], entry.inputs["taken"], entry.inputs["claimed"]) == ("100.00", "70.00", "40.00")
    assert entry.output["excess"] == "10.00"


def test_a_held_claim_keeps_its_award_and_its_matching_for_the_reviewer() -> None:
    assessment = judge(NORTH, keys=(key("document", FOREIGN),))
    assert (assessment.state, str(assessment.award), assessment.next_stage) == ("on_hold", "140000.00", None)


def test_the_gravest_verdict_wins_and_everything_is_said() -> None:
    keys = (key("invoice", CROSS), key("receipt", OWN, taken="99.00"), key("document", OWN))
    assessment = judge(SOUTH, keys=keys)
    assert assessment.state == "rejected"
    assert [code for code, _ in duplicates(assessment)] == [
        "duplicate.cross_scheme",
        "duplicate.receipt_exhausted",
        "duplicate.document_reuse",
    ]
