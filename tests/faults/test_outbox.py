"""Work that cannot be done: it is recorded, seen, tried again, and never dropped."""

import json
from uuid import uuid4

import pytest

from clearing.relay import STUCK_ATTEMPTS
from tests.faults.faults import database, events
from tests.intake.bodies import claim
from tests.service.running import RunningService, until

INSERT = (
    "insert into outbox (id, tenant, kind, platform, subject_id, payload, created_at, next_attempt_at) "
    "values (%s, 'jiangsu', %s, null, %s, '{}', '2024-09-01', '2024-09-01')"
)


def put(service: RunningService, kind: str) -> str:
    """Put a row into the outbox that no use case would write."""
    row = str(uuid4())
    with database(service) as connection:
        connection.execute(INSERT, (row, kind, str(uuid4())))
    return row


@pytest.mark.parametrize("kind", ["claim.in_review", "nonsense"])
def test_what_nobody_can_do_is_stuck_and_seen_and_holds_nothing_up(hurt: RunningService, kind: str) -> None:
    row = put(hurt, kind)
    listed = until(lambda: json.loads(hurt.run("outbox", "--stuck", "--json", check=False).stdout)["items"])
    assert [item["id"] for item in listed] == [row]
    assert hurt.run("outbox", "--stuck", check=False).returncode == 1
    assert f'clearing_outbox_stuck{{kind="{kind}"}} 1.0' in hurt.api.get("/metrics").body.decode()
    platform = hurt.platform("jssic")
    stored = platform.post("/v1/claims", claim()).json["id"]
    assert [event["subject_id"] for event in until(lambda: events(platform))] == [stored]


def test_a_job_that_fails_is_tried_again_later_and_says_why(hurt: RunningService) -> None:
    row = put(hurt, "batch.instruct")

    def stored() -> tuple[int, str, bool]:
        with database(hurt) as connection:
            asked = "select attempts, coalesce(last_error, ''), done_at is null from outbox where id = %s"
            attempts, error, is_open = connection.execute(asked, (row,)).fetchone() or (0, "", False)
        return attempts, error, is_open

    until(lambda: stored()[0] >= 2)
    attempts, error, is_open = until(lambda: stored() if stored()[1] else None)
    assert attempts < STUCK_ATTEMPTS
    assert "NotFound" in error
    assert is_open
    assert any(line.get("event") == "job_failed" and line.get("job") == row for line in hurt.log())
