"""What is refused before it is a claim: time bounds, schemes, and what a claim may restore."""

from datetime import date, datetime, timedelta
from uuid import uuid4

import pytest

from tests.intake.bodies import JIANGSU, WUJIANG, again, buyer, claim, noon
from tests.intake.counter import Counter, codes

NOW = datetime.fromisoformat("2024-08-29T12:00:00+08:00")


def stored(counter: Counter, external_id: str) -> bool:
    return bool(counter.rows("select 1 from claim where external_id = %s", external_id))


@pytest.mark.parametrize(
    ("submitted_at", "code"),
    [
        (NOW + timedelta(minutes=5, seconds=1), "submitted_at.future"),
        (NOW + timedelta(days=400), "submitted_at.future"),
        (NOW - timedelta(days=30, seconds=1), "submitted_at.too_old"),
        (NOW - timedelta(days=9000), "submitted_at.too_old"),
    ],
)
def test_a_time_of_submission_out_of_bounds_is_refused(counter: Counter, submitted_at: datetime, code: str) -> None:
    body = claim(submitted_at=submitted_at.isoformat())
    problem = Counter(counter.app, counter.vault, NOW).refused(body)
    assert problem.status == 422
    assert [(fault.pointer, fault.code) for fault in problem.errors] == [("/submitted_at", code)]
    assert not stored(counter, body["external_id"])


@pytest.mark.parametrize("submitted_at", [NOW + timedelta(minutes=5), NOW - timedelta(days=30)])
def test_a_time_of_submission_on_its_bound_is_taken(counter: Counter, submitted_at: datetime) -> None:
    body = claim(submitted_at=submitted_at.isoformat())
    assert Counter(counter.app, counter.vault, NOW).submit(body).row.submitted_at == submitted_at


def test_history_is_taken_from_an_importer_only(counter: Counter) -> None:
    body = claim(on=date(2024, 5, 6))
    assert Counter(counter.app, counter.vault, NOW).refused(body).errors[0].code == "submitted_at.too_old"
    importer = Counter(counter.app, counter.vault, NOW, may_import=True)
    assert importer.submit(body).row.state == "in_review"


def test_an_importer_cannot_claim_in_the_future_either(counter: Counter) -> None:
    importer = Counter(counter.app, counter.vault, NOW, may_import=True)
    assert importer.refused(claim(on=date(2024, 9, 6))).errors[0].code == "submitted_at.future"


def test_a_scheme_that_nobody_has_is_refused(counter: Counter) -> None:
    body = claim(scheme="national")
    problem = counter.refused(body)
    assert (problem.status, problem.errors[0].pointer) == (422, "/scheme")
    assert not stored(counter, body["external_id"])


def test_a_known_scheme_without_policy_of_the_tenant_is_a_rejected_claim(counter: Counter) -> None:
    refused = counter.submit(claim(JIANGSU, scheme="local"))
    assert (refused.row.state, codes(refused)) == ("rejected", {"policy.in_force"})
    assert refused.row.policy_version is None


def test_a_claim_before_the_first_policy_is_rejected(counter: Counter) -> None:
    importer = Counter(counter.app, counter.vault, NOW, may_import=True)
    assert codes(importer.submit(claim(on=date(2023, 12, 31)))) == {"policy.in_force"}


def test_the_policy_date_is_the_day_in_shanghai(counter: Counter) -> None:
    importer = Counter(counter.app, counter.vault, NOW, may_import=True)
    before = claim(on=date(2024, 1, 1), submitted_at="2023-12-31T15:59:59Z")
    after = claim(on=date(2024, 1, 1), submitted_at="2023-12-31T16:00:00Z")
    assert importer.submit(before).row.policy_version is None
    assert importer.submit(after).row.policy_version == "jiangsu/provincial/2024-01-01"


def test_a_rejected_claim_is_restored_under_a_new_number(counter: Counter) -> None:
    body = claim()
    body["declarations"]["publicly_funded"] = True
    refused = counter.submit(body)
    body["declarations"]["publicly_funded"] = False
    restored = counter.submit(again(body, restores=str(refused.row.id)))
    assert (restored.row.state, restored.submission["restores"]) == ("in_review", str(refused.row.id))
    assert counter.view(refused).row == refused.row


def test_a_withdrawn_claim_is_restored_under_a_new_number(counter: Counter) -> None:
    body = claim()
    withdrawn = counter.withdraw(counter.submit(body))
    assert counter.submit(again(body, restores=str(withdrawn.row.id))).row.state == "in_review"


def test_a_live_claim_cannot_be_restored(counter: Counter) -> None:
    body = claim()
    live = counter.submit(body)
    problem = counter.refused(again(body, restores=str(live.row.id)))
    assert problem.errors[0].pointer == "/restores"


def test_neither_absent_nor_foreign_claims_can_be_restored_and_the_answers_are_equal(counter: Counter) -> None:
    party = buyer(WUJIANG)
    others = counter.withdraw(counter.submit(claim(WUJIANG, by=party)))
    neighbours = counter.withdraw(counter.submit(claim(JIANGSU)))
    answers = {
        str(counter.refused(claim(JIANGSU, by=party, restores=str(wanted))))
        for wanted in (uuid4(), others.row.id, neighbours.row.id)
    }
    assert len(answers) == 1


def test_a_claim_is_not_taken_for_restored_by_its_own_correction(counter: Counter) -> None:
    body = claim(submitted_at=noon(date(2024, 8, 29)))
    body["receipts"][0]["amount"] = "1.00"
    first = counter.submit(body)
    assert counter.refused(body | {"restores": str(first.row.id)}).errors[0].code == "restores.invalid"
