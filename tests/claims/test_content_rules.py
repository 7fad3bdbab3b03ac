"""Rules 10 to 17: exclusions, services, evidence, totals and windows."""

from dataclasses import replace
from datetime import date, datetime, timedelta, timezone

import pytest

from clearing.claims.assessment import target_quota_year
from clearing.claims.facts import KeyState
from connectors.submission import Document, Submission
from tenants.kernel.money import ZERO, Money
from tenants.kernel.rate import Rate
from tests.claims.claims_of_cases import DELTA, SHANXI, SOUTH, codes, entry_of, faults_in, judge, policy_for

SHANGHAI = timezone(timedelta(hours=8))
CLOSE = datetime(2024, 9, 30, 17, 0, 0, tzinfo=SHANGHAI)


def declare(claim: Submission, **changes: bool) -> Submission:
    said = replace(claim.declarations, **changes)  # type: ignore[arg-type] # the flags among the fields
    return replace(claim, declarations=said)


def related(claim: Submission, **changes: object) -> Submission:
    party = replace(claim.declarations.related_party, **changes)  # type: ignore[arg-type] # any field
    return replace(claim, declarations=replace(claim.declarations, related_party=party))


def items(claim: Submission, *named: tuple[str, str]) -> Submission:
    lines = tuple(replace(claim.services[0], item=item, amount=Money.parse(amount)) for item, amount in named)
    return replace(claim, services=lines)


def invoiced(claim: Submission, *parts: tuple[str, str], submitted_at: datetime) -> Submission:
    """The claim with these invoices (day, amount), paid in full, submitted then."""
    invoices = tuple(
        replace(
            claim.invoices[0],
            number=f"2414{number:016d}",
            issued_on=date.fromisoformat(day),
            amount=Money.parse(amount),
            claimed=Money.parse(amount),
        )
        for number, (day, amount) in enumerate(parts)
    )
    paid = Money(sum(invoice.claimed.fen for invoice in invoices))
    day = max((invoice.issued_on for invoice in invoices), default=date(2024, 8, 5))
    receipt = replace(claim.receipts[0], amount=paid, claimed=paid, paid_on=day)
    service = replace(claim.services[0], amount=paid, completed_on=min(day, date(2024, 9, 1)))
    return replace(
        claim,
        submitted_at=submitted_at,
        invoices=invoices,
        receipts=(receipt,),
        services=(service,),
        contract=replace(claim.contract, amount=paid, signed_on=date(2023, 1, 1)),
    )


@pytest.mark.parametrize("claim", [SOUTH, SHANXI, DELTA])
@pytest.mark.parametrize("ground", ["direct_equity", "same_legal_representative"])
def test_related_parties_are_excluded(claim: Submission, ground: str) -> None:
    assessment = judge(related(claim, **{ground: True}))
    assert codes(assessment, "reject") == ["exclusion.related_party"]


@pytest.mark.parametrize(
    ("percent", "state"), [(Rate(4999, 100), "in_review"), (Rate(50), "rejected"), (Rate(100), "rejected")]
)
def test_a_common_shareholder_excludes_from_50_percent(percent: Rate, state: str) -> None:
    assert judge(related(SOUTH, common_shareholder_percent=percent)).state == state


def test_control_excludes_where_the_source_names_it() -> None:
    assert codes(judge(related(SHANXI, control=True)), "reject") == ["exclusion.related_party"]
    assert judge(related(SOUTH, control=True)).state == "in_review"


@pytest.mark.parametrize(
    ("claim", "declared", "code"),
    [
        (SOUTH, {"statutory_testing": True}, "exclusion.statutory_testing"),
        (SOUTH, {"rd_related": False}, "exclusion.not_rd_related"),
        (SOUTH, {"subcontracted": True}, "exclusion.subcontracted"),
        (SOUTH, {"publicly_funded": True}, "exclusion.publicly_funded"),
        (SHANXI, {"statutory_testing": True}, "exclusion.statutory_testing"),
        (SHANXI, {"rd_related": False}, "exclusion.not_rd_related"),
        (SHANXI, {"publicly_funded": True}, "exclusion.publicly_funded"),
        (SHANXI, {"subcontracted": True}, None),
        (DELTA, {"rd_related": False}, "exclusion.not_rd_related"),
        (DELTA, {"subcontracted": True, "statutory_testing": True, "publicly_funded": True}, None),
    ],
)
def test_a_declared_ground_excludes_where_the_scheme_s_source_names_it(
    claim: Submission, declared: dict[str, bool], code: str | None
) -> None:
    assert codes(judge(declare(claim, **declared)), "reject") == ([] if code is None else [code])


def test_all_grounds_are_named_in_the_policy_s_order() -> None:
    crooked = declare(SOUTH, statutory_testing=True, rd_related=False, subcontracted=True, publicly_funded=True)
    assert codes(judge(crooked), "reject") == [
        "exclusion.statutory_testing",
        "exclusion.not_rd_related",
        "exclusion.subcontracted",
        "exclusion.publicly_funded",
    ]


def test_a_service_on_the_exclusion_list_excludes_the_claim() -> None:
    claim = items(SOUTH, ("B1.3", "100000.00"), ("commercial_filming", "40000.00"))
    assert codes(judge(claim), "reject") == ["exclusion.commercial_filming"]


def test_a_ground_declared_and_shown_by_a_service_is_said_once() -> None:
    claim = items(declare(SOUTH, statutory_testing=True), ("B1.3", "1.00"), ("compulsory_testing", "1.00"))
    assert codes(judge(claim), "reject") == ["exclusion.statutory_testing"]


def test_of_a_technology_contract_only_the_testing_part_counts() -> None:
    assessment = judge(items(SOUTH, ("B1.3", "40000.00"), ("technology_rd", "100000.00")))
    entry = entry_of(assessment, "service.catalogue")
    assert (assessment.state, entry.verdict) == ("in_review", "info")
    assert (str(assessment.base), str(assessment.award)) == ("40000.00", "10000.00")
    assert entry.output == {"removed": "100000.00", "listed": "40000.00"}


def test_no_service_of_the_catalogue_rejects_and_is_said_once() -> None:
    assessment = judge(items(SOUTH, ("technology_rd", "100000.00")))
    assert codes(assessment, "reject") == ["service.catalogue"]
    assert judge(replace(SOUTH, services=())).state == "rejected"


def test_services_of_no_amount_leave_nothing_to_award() -> None:
    assert codes(judge(items(SOUTH, ("B1.3", "0.00"))), "reject") == ["award.nothing"]


@pytest.mark.parametrize("kind", ["contract", "service_report", "invoice_image", "receipt_image", "rd_evidence"])
def test_each_missing_piece_of_evidence_is_named(kind: str) -> None:
    claim = replace(SOUTH, documents=tuple(each for each in SOUTH.documents if each.kind != kind))
    assessment = judge(claim)
    assert codes(assessment, "correct") == ["evidence.complete"]
    (fault,) = faults_in(assessment, "evidence.complete")
    assert fault == {"fault": "missing", "kind": kind, "at_least": 1, "count": 0}


@pytest.mark.parametrize(
    "kind",
    [
        "contract",
        "service_report",
        "invoice_image",
        "receipt_image",
        "commitment_letter",
        "business_licence",
        "legal_representative_id",
    ],
)
def test_each_missing_piece_of_shanxi_s_evidence_is_asked_for(kind: str) -> None:
    claim = replace(SHANXI, documents=tuple(each for each in SHANXI.documents if each.kind != kind))
    assert codes(judge(claim), "correct") == ["evidence.complete"]


def test_shanxi_does_not_ask_for_rd_evidence() -> None:
    claim = replace(SHANXI, documents=tuple(each for each in SHANXI.documents if each.kind != "rd_evidence"))
    assert judge(claim).state == "in_review"


@pytest.mark.parametrize("kind", ["contract", "rd_evidence"])
def test_a_second_contract_or_rd_evidence_is_surplus(kind: str) -> None:
    again = next(each for each in SOUTH.documents if each.kind == kind)
    assessment = judge(replace(SOUTH, documents=(*SOUTH.documents, replace(again, sha256="a" * 64))))
    assert "过多" in entry_of(assessment, "evidence.complete").message.zh


def test_several_reports_are_welcome() -> None:
    report = replace(SOUTH.documents[1], sha256="b" * 64)
    assert judge(replace(SOUTH, documents=(*SOUTH.documents, report))).state == "in_review"


def test_documents_that_nobody_asked_for_change_nothing() -> None:
    odd = Document("other", "short", "application/x-strange", 0)
    assert judge(replace(SOUTH, documents=(*SOUTH.documents, odd))).state == "in_review"


@pytest.mark.parametrize(
    ("index", "changes", "fault"),
    [
        (0, {"media_type": "image/jpeg"}, "wrong_type"),
        (0, {"size_bytes": 50 * 1024 * 1024 + 1}, "too_large"),
        (2, {"size_bytes": 5 * 1024 * 1024 + 1}, "too_large"),
        (0, {"size_bytes": 0}, "unreadable"),
        (0, {"sha256": ""}, "unreadable"),
    ],
)
def test_a_document_of_the_wrong_form_is_named_with_its_place(
    index: int, changes: dict[str, object], fault: str
) -> None:
    documents = list(SOUTH.documents)
    documents[index] = replace(documents[index], **changes)  # type: ignore[arg-type] # any field
    assessment = judge(replace(SOUTH, documents=tuple(documents)))
    (named,) = faults_in(assessment, "evidence.complete")
    assert (named["fault"], named["place"]) == (fault, f"/documents/{index}")


@pytest.mark.parametrize(("index", "size"), [(0, 50 * 1024 * 1024), (2, 5 * 1024 * 1024)])
def test_a_document_of_exactly_the_largest_size_passes(index: int, size: int) -> None:
    documents = list(SOUTH.documents)
    documents[index] = replace(documents[index], size_bytes=size)
    assert judge(replace(SOUTH, documents=tuple(documents))).state == "in_review"


def test_a_claim_without_invoices_or_receipts_is_sent_back() -> None:
    assessment = judge(replace(SOUTH, invoices=(), receipts=()))
    assert "evidence.complete" in codes(assessment, "correct")
    assert {"没有发票信息", "没有银行回单信息"} <= set(
        entry_of(assessment, "evidence.complete").message.zh.removesuffix("。").split("：")[1].split("；")
    )


@pytest.mark.parametrize(
    ("number", "code", "seller", "known"),
    [
        ("12345678", None, None, False),
        ("No. 12345678", None, None, False),
        ("12345678", "3200192130", None, True),
        ("12345678", "032001921304", None, True),
        ("12345678", None, "91320100A17C7BA37A", True),
        ("２４３２２００００００２７３１８９３２１", None, None, True),
    ],
)
def test_eight_digits_alone_are_no_identity(number: str, code: str | None, seller: str | None, known: bool) -> None:  # noqa: FBT001 - a table
    invoice = replace(SOUTH.invoices[0], number=number, code=code, seller_uscc=seller)
    assessment = judge(replace(SOUTH, invoices=(invoice,)))
    assert codes(assessment, "correct") == ([] if known else ["invoice.code_missing"])


@pytest.mark.parametrize(
    ("field", "change", "correct"),
    [
        ("services", {"completed_on": date(2024, 1, 31)}, True),
        ("services", {"completed_on": date(2024, 2, 1)}, False),
        ("services", {"completed_on": date(2024, 8, 30)}, True),
        ("invoices", {"issued_on": date(2024, 8, 29)}, False),
        ("invoices", {"issued_on": date(2024, 8, 30)}, True),
        ("receipts", {"paid_on": date(2024, 1, 31)}, True),
        ("receipts", {"paid_on": date(2024, 2, 1)}, False),
        ("receipts", {"paid_on": date(2024, 8, 30)}, True),
    ],
)
def test_dates_that_cannot_be_are_sent_back(field: str, change: dict[str, date], correct: bool) -> None:  # noqa: FBT001 - a table
    claim = replace(SOUTH, **{field: (replace(getattr(SOUTH, field)[0], **change),)})  # type: ignore[arg-type] # any field
    assert codes(judge(claim), "correct") == (["evidence.dates"] if correct else [])


@pytest.mark.parametrize("fen", [-1, 1])
def test_receipts_one_fen_apart_from_the_invoices_are_sent_back(fen: int) -> None:
    receipt = replace(SOUTH.receipts[0], claimed=SOUTH.receipts[0].claimed + Money(fen))
    assessment = judge(replace(SOUTH, receipts=(receipt,)))
    assert "totals.receipts" in codes(assessment, "correct")
    assert entry_of(assessment, "totals.receipts").output == {"difference": "0.01"}


def test_receipts_are_compared_with_the_claimed_parts_of_invoices() -> None:
    half = Money.parse("70000.00")
    claim = replace(
        SOUTH,
        invoices=(replace(SOUTH.invoices[0], claimed=half),),
        receipts=(replace(SOUTH.receipts[0], claimed=half),),
    )
    assessment = judge(claim)
    assert (assessment.state, str(assessment.base), str(assessment.award)) == ("in_review", "70000.00", "17500.00")


def test_invoices_stay_within_the_contract_over_all_its_claims() -> None:
    def with_earlier(taken: str) -> list[str]:
        amount = SOUTH.contract.amount
        claim = replace(SOUTH, contract=replace(SOUTH.contract, amount=amount + Money.parse("100.00")))
        key = KeyState("contract", "/contract", ZERO, Money.parse(taken), amount, amount_conflict=False)
        return codes(judge(claim, keys=(key,)), "correct")

    assert with_earlier("100.00") == []
    assert with_earlier("100.01") == ["totals.contract"]


def test_the_smallest_amount_stated_for_a_contract_counts() -> None:
    smaller = SOUTH.contract.amount - Money(1)
    key = KeyState("contract", "/contract", smaller, ZERO, SOUTH.contract.amount, amount_conflict=False)
    assert codes(judge(SOUTH, keys=(key,)), "correct") == ["totals.contract"]


@pytest.mark.parametrize(
    ("submitted_at", "state"),
    [
        (CLOSE, "in_review"),
        (CLOSE - timedelta(seconds=1), "in_review"),
        (CLOSE + timedelta(microseconds=1), "rejected"),
        (CLOSE + timedelta(seconds=1), "rejected"),
        (CLOSE.astimezone(timezone.utc), "in_review"),  # noqa: UP017 - the plain name says it best
    ],
)
def test_the_last_cut_off_takes_17_00_00_and_nothing_later(submitted_at: datetime, state: str) -> None:
    assessment = judge(replace(SHANXI, submitted_at=submitted_at))
    assert assessment.state == state
    assert codes(assessment, "reject") == ([] if state == "in_review" else ["window.late"])


@pytest.mark.parametrize(
    ("day", "year", "state"),
    [
        ("2023-09-30", 2023, "rejected"),
        ("2023-10-01", 2024, "in_review"),
        ("2024-09-29", 2024, "in_review"),
    ],
)
def test_quota_year_2024_in_shanxi_runs_from_1_october_2023(day: str, year: int, state: str) -> None:
    claim = invoiced(SHANXI, (day, "60000.00"), submitted_at=CLOSE)
    assessment = judge(claim)
    assert (assessment.quota_year, assessment.state) == (year, state)
    assert codes(assessment, "reject") == ([] if state == "in_review" else ["window.closed"])


def test_an_invoice_of_30_september_belongs_to_2024_and_of_1_october_to_2025() -> None:
    policy = policy_for(SHANXI)
    assert policy is not None
    october = datetime(2024, 10, 8, tzinfo=SHANGHAI)
    for day, year in (("2024-09-30", 2024), ("2024-10-01", 2025)):
        claim = invoiced(SHANXI, (day, "1.00"), submitted_at=october)
        assert target_quota_year(policy, claim) == year
        assert judge(claim).quota_year == year


def test_invoices_of_a_closed_year_are_left_out_and_said() -> None:
    claim = invoiced(SHANXI, ("2023-09-30", "1000.00"), ("2024-09-29", "60000.00"), submitted_at=CLOSE)
    assessment = judge(claim)
    assert (assessment.state, str(assessment.base), str(assessment.deferred)) == ("in_review", "60000.00", "0.00")
    assert entry_of(assessment, "window").output["lost"] == "1000.00"


def test_after_the_cut_off_only_the_later_invoices_are_kept_and_wait() -> None:
    october = datetime(2024, 10, 8, tzinfo=SHANGHAI)
    claim = invoiced(SHANXI, ("2024-09-30", "1000.00"), ("2024-10-01", "60000.00"), submitted_at=october)
    assessment = judge(claim)
    assert (assessment.state, assessment.quota_year) == ("on_hold", 2025)
    assert entry_of(assessment, "window").output["lost"] == "1000.00"
    assert codes(assessment, "hold") == ["policy.incomplete"]


def test_later_invoices_are_deferred_to_the_year_that_holds_them() -> None:
    claim = invoiced(SHANXI, ("2024-09-29", "60000.00"), ("2024-10-01", "700.00"), submitted_at=CLOSE)
    assessment = judge(claim)
    entry = entry_of(assessment, "window")
    assert (str(assessment.base), str(assessment.deferred)) == ("60000.00", "700.00")
    assert (entry.verdict, entry.output["years"]) == ("info", ["2025"])
    assert codes(assessment, "correct") == ["evidence.dates"]


def test_in_jiangsu_the_quota_year_is_the_policy_date_s_whatever_the_invoice_says() -> None:
    old = replace(SOUTH.invoices[0], issued_on=date(2022, 1, 1))
    assert judge(replace(SOUTH, invoices=(old,))).quota_year == 2024


@pytest.mark.parametrize("day", [date(1, 1, 1), date(9999, 12, 31)])
def test_a_day_at_the_edge_of_the_calendar_breaks_nothing(day: date) -> None:
    for claim in (SOUTH, SHANXI, DELTA):
        odd = replace(claim, invoices=(replace(claim.invoices[0], issued_on=day),))
        assert judge(odd).trace
