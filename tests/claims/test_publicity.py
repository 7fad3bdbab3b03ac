from datetime import date, datetime, timedelta, timezone

import pytest

from clearing.claims.publicity import may_seal, notice_of
from tenants.kernel.workdays import official_calendar
from tenants.policy import Policy
from tenants.policy_document import load_shipped

SHANGHAI = timezone(timedelta(hours=8))
POLICIES = [each.policy for each in load_shipped()]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda each: each.version)
def test_a_notice_runs_the_policy_s_working_days_and_names_clause_and_calendar(policy: Policy) -> None:
    notice = notice_of(policy, date(2024, 9, 27), official_calendar())
    assert (notice.through_on, notice.working_days, notice.provisional) == (date(2024, 10, 10), 5, False)
    assert notice.cite == policy.payout.publicity_days.cite
    assert notice.calendar_version == official_calendar().version


def test_sealing_waits_until_the_last_day_has_passed_in_shanghai() -> None:
    notice = notice_of(POLICIES[0], date(2024, 9, 27), official_calendar())
    assert not may_seal(notice, datetime(2024, 10, 10, 23, 59, 59, tzinfo=SHANGHAI))
    assert may_seal(notice, datetime(2024, 10, 11, 0, 0, 0, tzinfo=SHANGHAI))


def test_nothing_is_sealed_on_a_provisional_date() -> None:
    notice = notice_of(POLICIES[0], date(2026, 12, 30), official_calendar())
    assert notice.provisional
    assert not may_seal(notice, datetime(2030, 1, 1, tzinfo=SHANGHAI))
