"""Events of payment: one that is missing, doubled, or says another amount, claim, platform or hour is found."""

import pytest

from tests.verification.tampering import Tamperer

KINDS = ("payout.paid", "payout.returned", "payout.rejected", "payout.reissued")


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_of_payment_is_missed_and_never_surplus(tamperer: Tamperer, kind: str) -> None:
    [row, *_] = tamperer.rows("outbox", f"kind = '{kind}'")
    gone = tamperer.found_after_delete("outbox", row)
    assert "outbox.payout" in {one.subject for one in gone}
    twice = tamperer.found_after_insert("outbox", row | {"id": "01a21b88-31b2-7047-bfe5-c861c1c0d99c"})
    assert "outbox.payout" in {one.subject for one in twice}


@pytest.mark.parametrize("column", ["kind", "platform", "subject_id", "payload", "created_at"])
def test_an_event_of_payment_tells_what_the_bank_told(tamperer: Tamperer, column: str) -> None:
    [row, *_] = tamperer.rows("outbox", "kind = 'payout.paid'")
    value = {
        "kind": "payout.returned", "platform": "delta", "subject_id": "01a21b88-31b2-7047-bfe5-c861c1c0d99c",
        "payload": row["payload"].replace('"payment":1', '"payment":2'),
        "created_at": row["created_at"].replace(year=2025),
    }[column]  # fmt: skip
    found = tamperer.found_after_update("outbox", row, column, value)
    assert "outbox.payout" in {one.subject for one in found}, found
