from datetime import UTC, datetime
from uuid import UUID

import pytest

from connectors.notice import CLAIM_EVENTS, Notice, notice_json
from tenants.kernel.money import Money

NOTICE_ID = UUID("01920000-0000-7000-8000-000000000001")
CLAIM_ID = UUID("01920000-0000-7000-8000-000000000002")


def _notice(event: str) -> Notice:
    at = datetime(2024, 9, 27, 1, tzinfo=UTC)
    return Notice(NOTICE_ID, event, at, CLAIM_ID, "CL-JS-2024-000123", "CXQ1", "in_review", Money(14_000_000))


def test_a_notice_tells_the_platform_of_its_claim_and_nothing_more() -> None:
    assert notice_json(_notice("claim.in_review")) == {
        "id": str(NOTICE_ID),
        "type": "claim.in_review",
        "occurred_at": "2024-09-27T09:00:00+08:00",
        "claim_id": str(CLAIM_ID),
        "claim_no": "CL-JS-2024-000123",
        "external_id": "CXQ1",
        "state": "in_review",
        "award": "140000.00",
    }


def test_a_notice_of_an_unknown_event_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="no such event"):
        _notice("claim.lost")


def test_every_state_of_a_claim_s_life_has_its_event() -> None:
    assert {"claim.received", "claim.assessed", "claim.needs_correction", "claim.clawed_back"} <= CLAIM_EVENTS
    assert len(CLAIM_EVENTS) == 15
