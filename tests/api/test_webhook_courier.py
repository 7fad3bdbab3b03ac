"""The courier with a clock that the test moves: three days of trying, and leases that end."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from clearing.webhooks.courier import LEASE, LONGEST_TRIED, Courier
from clearing.workers import deliver_notices
from tenants.kernel.database import Scope, run
from tests.api.door import NOW, Caller, Door
from tests.intake.bodies import claim
from tests.scenarios.receiver import Receiver, listening

ON = date(2024, 8, 29)
CLOSED = "http://127.0.0.1:1999/nobody"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as one:
        yield one


def messages(owner: Engine, endpoint_id: str) -> list[Any]:
    with owner.begin() as connection:
        connection.exec_driver_sql("select bind_scope('jiangsu', null)")
        return list(
            connection.exec_driver_sql(
                "select seq, attempts, last_answer, done_at, gave_up from webhook_message where endpoint_id = %s "
                "order by seq",
                (endpoint_id,),
            ).all()
        )


def two_events(door: Door, url: str) -> tuple[Caller, dict[str, Any], str]:
    """A platform with an endpoint, and a claim with two events that wait to be told."""
    platform = door.platform()
    deliver_notices(door.service)
    endpoint = platform.post("/v1/webhooks", json={"tenant": "jiangsu", "url": url}).get_json()
    made = platform.post("/v1/claims", json=claim(on=ON)).get_json()
    assert platform.post(f"/v1/claims/{made['id']}/withdraw", json={"reason": "撤回"}).status_code == 200
    deliver_notices(door.service)
    return platform, endpoint, made["id"]


def end(platform: Caller, endpoint: dict[str, Any]) -> None:
    assert platform.post(f"/v1/webhooks/{endpoint['id']}/disable").status_code == 200


def test_a_message_is_tried_for_three_days_before_the_next_of_its_claim_has_its_turn(door: Door, owner: Engine) -> None:
    _, endpoint, _ = two_events(door, CLOSED)
    courier = Courier(door.service)
    courier.round()
    first, second = messages(owner, endpoint["id"])
    assert (first.attempts, first.done_at, second.attempts) == (1, None, 0)
    assert "connection" in first.last_answer
    door.clock.move_to(NOW + LONGEST_TRIED - timedelta(seconds=1))
    courier.round()
    door.clock.move_to(NOW + LONGEST_TRIED + timedelta(hours=1))
    courier.round()
    first, second = messages(owner, endpoint["id"])
    assert (first.attempts, first.gave_up, second.attempts) == (3, True, 0)
    courier.round()
    assert messages(owner, endpoint["id"])[1].attempts == 1
    end(door.platform(), endpoint)  # the first caller's token has run out


def test_a_message_whose_courier_was_killed_is_due_again_when_its_lease_ends(
    door: Door, owner: Engine, receiver: Receiver
) -> None:
    platform, endpoint, claim_id = two_events(door, receiver.address)
    killed = Courier(door.service)
    for step in (killed._queue, killed._lease):  # and then it dies, before it has sent anything
        run(door.service.engine, Scope(("jiangsu",)), door.clock, step)
    other = Courier(door.service)
    other.round()
    assert receiver.of(claim_id) == []
    door.clock.move_to(NOW + LEASE + timedelta(seconds=1))
    other.round()
    other.round()
    assert [one["type"] for one in receiver.of(claim_id)] == ["claim.in_review", "claim.withdrawn"]
    assert [row.attempts for row in messages(owner, endpoint["id"])] == [2, 1]
    end(platform, endpoint)


def test_two_couriers_at_once_tell_everything_once(door: Door, owner: Engine, receiver: Receiver) -> None:
    platform, endpoint, claim_id = two_events(door, receiver.address)
    couriers = [Courier(door.service) for _ in range(3)]
    for _ in range(3):
        for courier in couriers:
            courier.round()
    assert [one["type"] for one in receiver.of(claim_id)] == ["claim.in_review", "claim.withdrawn"]
    assert [row.attempts for row in messages(owner, endpoint["id"])] == [1, 1]
    end(platform, endpoint)


def test_the_database_refuses_to_change_what_a_message_says_or_to_give_it_up_early(door: Door, owner: Engine) -> None:
    platform, endpoint, _ = two_events(door, CLOSED)
    Courier(door.service).round()
    for change, refusal in (
        ("update webhook_message set subject_id = endpoint_id", "never changes"),
        ("update webhook_endpoint set url = 'https://elsewhere.example'", "never changes"),
        ("delete from webhook_message", "never deleted"),
        ("update webhook_message set gave_up = true, done_at = queued_at, attempts = 1", "webhook_message_tried_long"),
    ):
        key = "endpoint_id" if "webhook_message" in change else "id"
        with pytest.raises(DBAPIError, match=refusal):
            _change(owner, f"{change} where {key} = %s", endpoint["id"])
    end(platform, endpoint)


def _change(owner: Engine, statement: str, endpoint_id: str) -> None:
    with owner.begin() as connection:
        connection.exec_driver_sql("select bind_scope('jiangsu', null)")
        connection.exec_driver_sql(statement, (endpoint_id,))
