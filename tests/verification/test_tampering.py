"""Every table, every column: one hand-made change of one row, past all constraints, is found and named."""

import json
import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any, Final

import pytest

from clearing.verification import Difference
from clearing.verification.structure import EXPECTED
from tests.verification.tampering import Row, Tamperer, other_values


def _columns() -> Iterator[tuple[str, str, str]]:
    """Table, column and type, from the list that ``test_structure`` compares with the migrated schema."""
    for line in json.loads(EXPECTED.read_text(encoding="utf-8")):
        found = re.fullmatch(r"column (\w+)\.(\w+): (.+?)( not null)?( default .*| generated .*)?", line)
        if found is not None and not (found[5] or "").startswith(" generated"):
            yield found[1], found[2], found[3]


COLUMNS: Final = tuple(_columns())
TABLES: Final = tuple(dict.fromkeys(table for table, _, _ in COLUMNS))

BY_STRUCTURE: Final = frozenset({"alembic_version"})
"""Part of the structure, see ``test_structure``."""

WORKED_WITH: Final = frozenset({"batch_draft", "batch_draft_part"})
"""What a worker keeps while it writes a batch's files. All that comes of it is verified before anybody sees it, and none
of it is left afterwards: see the test of one that is."""

UNWITNESSED: Final = {
    ("access_token", "token_sha256"): "a random value that nothing else is made from; tokens live for an hour",
    ("client_assertion", "expires_at"): "a used assertion, of which nothing else tells",
    ("client_assertion", "jti_sha256"): "a used assertion, of which nothing else tells",
    ("console_attempt", "confirm_step"): "what was tried at the door, of which nothing else tells",
    ("console_attempt", "failures"): "what was tried at the door, of which nothing else tells",
    ("console_attempt", "last_failed_at"): "what was tried at the door, of which nothing else tells",
    ("console_attempt", "sign_in_step"): "what was tried at the door, of which nothing else tells",
    ("console_session", "seen_at"): "when a session was last used: it moves without an entry",
    ("hold", "id"): "an id that nothing else names",
    ("idempotency_key", "created_at"): "a stored answer, of which nothing else tells",
    ("idempotency_key", "key"): "a stored answer, of which nothing else tells",
    ("idempotency_key", "request_sha256"): "a stored answer, of which nothing else tells",
    ("idempotency_key", "status"): "a stored answer, of which nothing else tells, unless it is a refusal",
    ("ledger_transfer", "id"): "an id that nothing else names, where nothing ends or reverses the transfer",
    ("objection", "source_digest"): "the keyed digest of an address that is kept nowhere",
    ("outbox", "done_at"): "when a notice was delivered; that it was, the feed tells",
    ("pull_progress", "answered_at"): "when a source was asked, and answered, nothing else tells",
    ("pull_progress", "next_poll_at"): "when a source is due, nothing else tells",
    ("pull_progress", "polled_at"): "when a source was asked, and answered, nothing else tells",
    ("payout_account", "demonstration"): "the chain's entry does not say it",
    ("review", "id"): "an id that nothing else names",
    ("service_clock", "demonstration_at"): "the demonstration clock may be moved forward at any time",
    ("service_clock", "set_at"): "the demonstration clock may be moved forward at any time",
    ("tenant", "divisions"): "shipped data, of which no entry tells",
    ("tenant", "name_en"): "shipped data, of which no entry tells",
    ("tenant", "name_zh"): "shipped data, of which no entry tells",
    ("webhook_message", "attempts"): "how often a message was tried, nothing else tells",
    ("webhook_message", "done_at"): "when a message was answered, nothing else tells",
    ("webhook_message", "next_attempt_at"): "when a message is due, nothing else tells",
    ("webhook_message", "queued_at"): "when a message was queued, or was to be told again, nothing else tells",
}
"""Columns without a second witness in the database, and why: a change of one of these alone is not seen."""

NAMED_ELSEWHERE: Final = {
    ("access_token", "client_id"): "client",
    ("client", "created_at"): "access_token",
    ("client_assertion", "client_id"): "client",
    ("client", "person"): "claim_revision",
    ("idempotency_key", "client_id"): "client",
    ("instruction", "id"): "instruction_claim",
    ("outbox", "id"): "platform_feed",
    ("registry_key", "key_version"): "registry_holding",
    ("registry_key", "kind"): "registry_holding",
    ("reservation", "platform"): "outbox",
}
"""Where a change is named by the table that contradicts it."""

CHOSEN: Final = {
    "client": "platform = 'jssic'",
    "ledger_account": "debits_posted_fen > 0 or debits_pending_fen > 0",
    "batch_item": "removed_at is null",
    "registry_key_version": "version = 2",
    "registry_holding": "holder_id in (select id from claim where state = 'in_review')",
    "tenant": "tenant = 'jiangsu'",
    "webhook_endpoint": "platform = 'jssic'",
    "pull_page": "seq = 2",
}
"""Which rows of a table the change is made to, where any would do for the others."""

COUNTED: Final = frozenset({"console_attempt", "pull_progress", "service_clock"})
"""Tables whose rows say nothing that has a second witness: two of them may exchange it."""

NEVER_MISSED: Final = {
    "access_token": "a token that was deleted or made up is one that was dropped or given: nothing else tells",
    "client_assertion": "a used assertion, of which nothing else tells",
    "idempotency_key": "a stored answer, of which nothing else tells",
}
"""Tables whose rows may come and go, and why."""


def _first(tamperer: Tamperer, table: str) -> Row:
    rows = tamperer.rows(table, CHOSEN.get(table, "true"))
    assert rows, f"the story leaves {table} empty"
    return rows[0]


def _names(found: list[Difference], table: str) -> bool:
    return any(each.place.split("/")[0] == table for each in found)


def test_nothing_is_found_before_anything_is_changed(tamperer: Tamperer) -> None:
    assert tamperer.sound() == []


def test_every_exception_is_a_column_that_there_is() -> None:
    known = {(table, column) for table, column, _ in COLUMNS}
    assert UNWITNESSED.keys() | NAMED_ELSEWHERE.keys() <= known
    assert CHOSEN.keys() | NEVER_MISSED.keys() | BY_STRUCTURE | WORKED_WITH <= set(TABLES)


WITNESSED: Final = tuple(
    (table, column, kind)
    for table, column, kind in COLUMNS
    if (table, column) not in UNWITNESSED and table not in BY_STRUCTURE | WORKED_WITH
)
LAST_OF_EACH: Final = tuple({table: (table, column, kind) for table, column, kind in WITNESSED}.values())


TOLD_BY_ITSELF: Final = {"registry_holding": "enterprise_digest"}
"""Of a support record nothing else says whose spending it was: its plain texts are kept nowhere."""


@pytest.mark.parametrize(("table", "column", "kind"), LAST_OF_EACH, ids=[f"{t}.{c}" for t, c, _ in LAST_OF_EACH])
def test_a_change_in_any_table_is_found_and_named(tamperer: Tamperer, table: str, column: str, kind: str) -> None:
    _change(tamperer, table, column, kind)


@pytest.mark.long
@pytest.mark.parametrize(("table", "column", "kind"), COLUMNS, ids=[f"{t}.{c}" for t, c, _ in COLUMNS])
def test_a_changed_column_is_found_and_named(tamperer: Tamperer, table: str, column: str, kind: str) -> None:
    if table not in BY_STRUCTURE | WORKED_WITH:
        _change(tamperer, table, column, kind)


def _change(tamperer: Tamperer, table: str, column: str, kind: str) -> None:
    row = _first(tamperer, table)
    for value in other_values(row[column], kind):
        found = tamperer.found_after_update(table, row, column, value)
        if (table, column) in UNWITNESSED:
            assert found == [], f"{table}.{column} is seen by now: take it off the list"
        else:
            assert _names(found, NAMED_ELSEWHERE.get((table, column), table)), [each.place for each in found]


@pytest.mark.parametrize("table", sorted(set(TABLES) - BY_STRUCTURE - WORKED_WITH))
def test_a_deleted_row_is_found_and_named(tamperer: Tamperer, table: str) -> None:
    found = tamperer.found_after_delete(table, _first(tamperer, table))
    assert _names(found, table) or (table in NEVER_MISSED and found == [])


@pytest.mark.parametrize("table", sorted(set(TABLES) - BY_STRUCTURE - WORKED_WITH))
def test_an_added_row_is_found_and_named(tamperer: Tamperer, table: str) -> None:
    row = dict(_first(tamperer, table))
    key = tamperer.keys[table][-1]
    kind = next(kind for of, column, kind in COLUMNS if (of, column) == (table, key))
    row[key] = other_values(row[key], kind)[0]
    found = tamperer.found_after_insert(table, row)
    assert _names(found, "audit_head" if table == "tenant" else table) or (
        table in {*NEVER_MISSED, "client"} and found == []
    )


@pytest.mark.parametrize("table", sorted(set(TABLES) - BY_STRUCTURE - WORKED_WITH - COUNTED))
def test_two_rows_that_exchange_what_they_say_are_found(tamperer: Tamperer, table: str) -> None:
    pair = _different_pair(tamperer, table)
    if pair is None:
        few = {"agent_paid_in", "client_probes", "exposure_hold", "instance", "instruction_claim", "similarity_model"}
        assert table in few, f"no two different rows of {table}"
        return
    found = tamperer.found_after_swap(table, *pair)
    assert found or table in NEVER_MISSED


def test_a_draft_that_is_left_behind_is_found(tamperer: Tamperer) -> None:
    [batch, *_] = tamperer.rows("batch", "state in ('instructed', 'settled')")
    draft = {"tenant": batch["tenant"], "batch_id": batch["id"], "section": 1, "made_at": batch["instructed_at"]}
    found = tamperer.found_after_insert("batch_draft", draft | {"terms": bytes(32), "mark": "{}"})
    assert _names(found, "batch_draft")


def _different_pair(tamperer: Tamperer, table: str) -> tuple[Row, Row] | None:
    """Two rows, of one tenant if there are, that say different things besides their keys and parents."""
    kept = tamperer.kept(table)

    def content(row: Row) -> dict[str, Any]:
        return {name: value for name, value in row.items() if name not in kept and name != TOLD_BY_ITSELF.get(table)}

    rows = tamperer.rows(table, limit=20)
    pairs = [pair for pair in combinations(rows, 2) if content(pair[0]) != content(pair[1])]
    near = [pair for pair in pairs if pair[0].get("tenant") == pair[1].get("tenant")]
    return next(iter(near or pairs), None)
