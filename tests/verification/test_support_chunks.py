"""Chunks of support records: whatever is done to one of their rows is found, and the very row is named."""

import hashlib
from typing import Any
from uuid import UUID

import orjson
import pytest

from clearing.verification import Difference
from tests.verification.registry_story import IN_BULK
from tests.verification.tampering import Row, Tamperer, other_values

CHUNKED = "external_id like '支持%%'"


@pytest.fixture(scope="module")
def chunk(tamperer: Tamperer) -> list[Row]:
    """The records of one chunk, in the order of their ids."""
    rows = sorted(tamperer.rows("support_record", CHUNKED, limit=100), key=lambda row: row["id"])
    assert len(rows) == IN_BULK
    assert len({row["chunk_id"] for row in rows}) == 1
    return rows


def named(found: list[Difference], subject: str) -> list[str]:
    return [one.place for one in found if one.subject == subject]


def place(row: Row) -> str:
    return f"support_record/{row['tenant']}/{row['id']}"


COLUMNS = {
    "external_id": "text", "content_mac": "bytea", "supported_on": "date", "keys": "integer", "red_letter": "boolean",
    "seen": "text",
}  # fmt: skip


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("position", [0, 11, IN_BULK - 1])
def test_the_record_that_was_changed_is_named_and_no_other(
    tamperer: Tamperer, chunk: list[Row], column: str, position: int
) -> None:
    row = chunk[position]
    found = tamperer.found_after_update("support_record", row, column, other_values(row[column], COLUMNS[column])[0])
    assert named(found, "support.changed") == [place(row)]
    assert named(found, "support.chunk")[0] == f"{place(chunk[0])}/root"


@pytest.mark.parametrize("column", ["platform", "client_id", "received_at"])
def test_what_the_whole_chunk_has_in_common_is_compared_for_each(
    tamperer: Tamperer, chunk: list[Row], column: str
) -> None:
    row = chunk[7]
    kind = "timestamp with time zone" if column == "received_at" else "text"
    found = tamperer.found_after_update("support_record", row, column, other_values(row[column], kind)[0])
    assert f"{place(row)}/{column}" in named(found, "support.witness")


@pytest.mark.parametrize("position", [0, 11, IN_BULK - 1])
def test_the_record_that_is_missing_is_named(tamperer: Tamperer, chunk: list[Row], position: int) -> None:
    found = tamperer.found_after_delete("support_record", chunk[position])
    assert named(found, "support.missing") == [place(chunk[position])]
    assert named(found, "support.changed") == []


@pytest.mark.parametrize("beside", [-1, IN_BULK])
def test_a_record_that_was_slipped_in_is_named(tamperer: Tamperer, chunk: list[Row], beside: int) -> None:
    foreign = chunk[3] | {"id": UUID(int=chunk[0]["id"].int + beside), "external_id": "slipped in"}
    found = tamperer.found_after_insert("support_record", foreign)
    assert named(found, "support.foreign") == [place(foreign)]


def test_a_record_of_a_chunk_that_there_is_not_is_named(tamperer: Tamperer, chunk: list[Row]) -> None:
    row = chunk[4]
    found = tamperer.found_after_update("support_record", row, "chunk_id", UUID(int=7))
    assert named(found, "support.foreign") == [f"{place(row)}/chunk_id"]
    assert named(found, "support.missing") == [place(row)]


def test_a_record_that_was_taken_out_of_its_chunk_needs_an_entry_of_its_own(
    tamperer: Tamperer, chunk: list[Row]
) -> None:
    found = tamperer.found_after_update("support_record", chunk[4], "chunk_id", None)
    assert place(chunk[4]) in named(found, "support.witness")
    assert named(found, "support.missing") == [place(chunk[4])]


def test_two_records_cannot_change_places(tamperer: Tamperer, chunk: list[Row]) -> None:
    found = tamperer.found_after_swap("support_record", chunk[5], chunk[6])
    assert named(found, "support.changed") == [place(chunk[5]), place(chunk[6])]


def _append(tamperer: Tamperer, action: str, subject: UUID, details: dict[str, Any], client: str, at: Any) -> None:
    """An entry as a service with another history would have written it, behind the chain's last."""
    head = tamperer.connection.execute("select seq, hash from audit_head where tenant = 'wujiang'").fetchone()
    assert head is not None
    body = orjson.dumps(
        {
            "seq": head["seq"] + 1, "tenant": "wujiang", "at": at.isoformat(timespec="microseconds"), "actor": client,
            "action": action, "subject": str(subject), "from": None, "to": "live", "reason": None, "details": details,
        },
        option=orjson.OPT_SORT_KEYS,
    ).decode()  # fmt: skip
    digest = hashlib.sha256(b"clearing-audit-v1\n" + bytes(head["hash"]) + body.encode()).digest()
    tamperer.connection.execute(
        "insert into audit_entry (tenant, seq, at, action, subject_id, body, hash) "
        "values ('wujiang', %s, %s, %s, %s, %s, %s)",
        (head["seq"] + 1, at, action, subject, body, digest),
    )
    tamperer.connection.execute(
        "update audit_head set seq = seq + 1, hash = %s, at = %s where tenant = 'wujiang'", (digest, at)
    )


@pytest.mark.parametrize("telling", [{}, {"external_id": "another"}, {"keys": 2}, {"red_letter": True}])
def test_a_record_with_an_entry_of_its_own_stays_valid_and_verified(
    tamperer: Tamperer, chunk: list[Row], telling: dict[str, Any]
) -> None:
    """What was stored before there were chunks has one entry a record."""
    row = chunk[2]
    old = row | {"id": UUID(int=11 << 64), "external_id": "alone", "chunk_id": None, "red_letter": None}
    with tamperer.connection.transaction(force_rollback=True):
        at = tamperer.connection.execute("select at from audit_head where tenant = 'wujiang'").fetchone()
        assert at is not None
        old["received_at"] = at["at"]
        details = {"platform": old["platform"], "external_id": "alone", "keys": 1} | telling
        _append(tamperer, "support_record.registered", old["id"], details, old["client_id"], at["at"])
        tamperer.connection.execute(
            "insert into registry_holding select digest, exclusion_group, %s, holder_kind, tenant, scheme, platform, "
            "enterprise_digest, month, 'contending', claimed_fen, stated_fen from registry_holding where holder_id = %s",
            (old["id"], row["id"]),
        )
        found = tamperer.found_after_insert("support_record", old)
    if telling:
        assert found
        assert all(str(old["id"]) in one.place for one in found)
    else:
        assert found == []


def test_an_entry_that_says_twice_what_a_chunk_is_contradicts_itself(tamperer: Tamperer, chunk: list[Row]) -> None:
    with tamperer.connection.transaction(force_rollback=True):
        at = tamperer.connection.execute("select at from audit_head where tenant = 'wujiang'").fetchone()
        assert at is not None
        _append(tamperer, "support_records.registered", chunk[0]["chunk_id"], {}, chunk[0]["client_id"], at["at"])
        assert named(tamperer.sound(), "support.chunk") == [place(chunk[0])]
