"""The structure that enforces the invariants: the list of it is that of the schema, and every weakening is found."""

import json
import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import make_url

from clearing.verification.examination import differences
from clearing.verification.snapshot import Snapshot
from clearing.verification.structure import EXPECTED, expected_structure, structure_differences
from tests.verification.story import Story

APPEND_ONLY = (
    "account_correction", "account_correction_decision", "agent_paid_in", "assessment", "audit_entry", "bank_answer", "bank_call",
    "bank_line", "bank_statement", "bank_statement_part", "bank_submission", "batch_file", "batch_file_part",
    "batch_settlement", "month_close", "suspense_decision", "suspense_part", "suspense_resolution",
    "calendar_year", "claim_revision", "clawback", "clawback_recovery", "clearing_cell", "clearing_debt",
    "clearing_carry", "clearing_order_end", "clearing_order_file", "clearing_order_outcome", "clearing_order_receipt",
    "clearing_order_part", "clearing_remedy", "clearing_remedy_decision", "objection_resolution",
    "objection_upholding", "objection_upholding_decision",
    "clearing_order", "first_release", "instruction", "instruction_claim", "instruction_outcome", "ledger_transfer",
    "linked_region", "matching_recovery",
    "objection", "platform_feed", "provider_reward", "receipt", "registry_probe", "release_signature", "reissue", "review", "sample",
    "similarity_model", "support_record", "trust_listing",
    "objection", "platform_feed", "provider_reward", "receipt", "registry_probe", "reissue", "review", "sample",
    "signed_request", "similarity_model", "support_record", "trust_listing", "instance",
)  # fmt: skip
NO_TENANT_OF_ITS_OWN = {
    "access_token": "found by its digest before anybody is known",
    "account_enrolment": "an invitation's own",
    "account_invitation": "found by its digest before anybody is known",
    "alembic_version": "the schema's revision",
    "clearing_cycle": "a window that all tenants of its set share; what they owe in it is theirs alone",
    "client_probes": "a client's own count; names no tenant",
    "console_account": "found by its name before anybody is known; names its tenants",
    "console_attempt": "an account's own",
    "console_session": "found by its digest before anybody is known",
    "client": "found by its id before anybody is known; names its tenants",
    "client_assertion": "one client's own",
    "client_key": "found by its client before anybody is known",
    "client_terms": "found by its client before anybody is known, of all its tenants at once",
    "idempotency_key": "one client's own",
    "instance": "what the whole database is",
    "outbox": "the relay's and the workers', who serve every tenant",
    "platform_feed": "a platform's, over all tenants it may ask for",
    "registry_holding": "the blind registry is one for all tenants",
    "registry_key_version": "one for all",
    "registry_key": "the blind registry is one for all tenants",
    "service_clock": "one for all",
    "signed_request": "one client's own, sealed; a body may hold claims of several tenants",
    "similarity_model": "one for all; it names nobody",
    "signing_key": "public halves are published, private ones sealed",
    "tenant": "the list of tenants",
}
"""Tables without row-level security, and why."""


@pytest.fixture
def owner(story: Story) -> Iterator["psycopg.Connection[Any]"]:
    """The owner, whose changes are rolled back."""
    url = make_url(story.addresses.owner_url)
    given: dict[str, Any] = {**url.translate_connect_args(username="user", database="dbname"), **url.query}
    with psycopg.connect(**given) as connection:
        yield connection
        connection.rollback()


def lines_of(kind: str) -> list[str]:
    return [line for line in expected_structure() if line.startswith(f"{kind} ")]


def test_the_list_is_that_of_a_migrated_database(owner: "psycopg.Connection[Any]") -> None:
    found = [each.place for each in structure_differences(Snapshot(owner))]
    assert found == [], "print the list anew: python -m clearing.verification.describe URL"


def test_the_list_is_sorted_and_says_nothing_twice() -> None:
    lines = json.loads(EXPECTED.read_text(encoding="utf-8"))
    assert lines == sorted(set(lines))


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_an_append_only_table_has_its_triggers_and_no_grant_to_change_it(table: str) -> None:
    triggers = [line for line in lines_of("trigger") if line.startswith(f"trigger {table}.")]
    assert sum("BEFORE DELETE OR UPDATE" in line and line.endswith("enabled") for line in triggers) == 1
    assert sum("BEFORE TRUNCATE" in line and line.endswith("enabled") for line in triggers) == 1
    grants = [line for line in lines_of("grant") if re.match(rf"grant on (table|column) {table}\b", line)]
    assert grants
    assert not any(word in line for line in grants for word in ("update", "delete", "truncate", "trigger"))


def test_no_table_with_a_tenant_is_open_but_for_those_with_a_reason() -> None:
    with_tenant = {match[1] for line in lines_of("column") if (match := re.match(r"column (\w+)\.tenant:", line))}
    forced = {
        match[1]
        for line in lines_of("table")
        if (match := re.match(r"table (\w+): .* row-level security forced", line))
    }
    tables = {match[1] for line in lines_of("table") if (match := re.match(r"table (\w+):", line))}
    assert tables - forced == NO_TENANT_OF_ITS_OWN.keys()
    assert forced - {"duplicate_case"} <= with_tenant  # which has two, one on each side


def test_the_service_owns_nothing_and_is_no_superuser() -> None:
    assert "role clearing_app: logs in" in expected_structure()
    assert not any("owner clearing_app" in line for line in expected_structure())
    assert not any(line.startswith("member: clearing_app") for line in expected_structure())
    assert not any("truncate" in line for line in lines_of("grant") if "clearing_app" in line)


def test_every_tables_owner_is_the_migrator() -> None:
    assert all("owner clearing_owner" in line for line in lines_of("table"))


CHANGES = {
    "a trigger is disabled": ("alter table audit_entry disable trigger audit_entry_append_only", "trigger audit_entry"),
    "a trigger is dropped": ("drop trigger batch_kept on batch", "trigger batch.batch_kept"),
    "a check is dropped": ("alter table claim drop constraint claim_award_within_base", "constraint claim.claim_award"),
    "a check is weakened": (
        "alter table registry_key drop constraint registry_key_fen_once, "
        "add constraint registry_key_fen_once check (true)",
        "constraint registry_key.registry_key_fen_once",
    ),
    "a unique index is dropped": ("drop index ledger_transfer_ends_once", "index CREATE UNIQUE INDEX ledger_transfer"),
    "row-level security is off": ("alter table claim disable row level security", "table claim"),
    "row-level security is not forced": ("alter table claim no force row level security", "table claim"),
    "a policy is opened": ("alter policy tenant_only on claim using (true)", "policy claim.tenant_only"),
    "a policy is added": ("create policy all_of_it on claim for select to clearing_app using (true)", "policy claim"),
    "the service may delete": ("grant delete on audit_entry to clearing_app", "grant on table audit_entry"),
    "the service may change a column": (
        "grant update (amount_fen) on ledger_transfer to clearing_app", "grant on column ledger_transfer.amount_fen",
    ),
    "anybody may read": ("grant select on claim to public", "grant on table claim"),
    "a function is replaced": (
        "create or replace function refuse_change() returns trigger language plpgsql as $$ begin return new; end $$",
        "function refuse_change()",
    ),
    "a function tells who is bound something else": (
        "create or replace function bound_tenants() returns text[] language sql stable as "
        "$$ select array(select tenant from public.tenant) $$",
        "function bound_tenants()",
    ),
    "a rule swallows deletions": ("create rule quiet as on delete to hold do instead nothing", "rule hold.quiet"),
    "a table is added": ("create table aside (tenant text)", "table aside"),
    "a column loses its not null": ("alter table claim alter award_fen drop not null", "column claim.award_fen"),
    "a counter starts elsewhere": (
        "alter table ledger_account alter debits_posted_fen set default 5", "column ledger_account.debits_posted_fen",
    ),
    "a table is given away": ("alter table hold owner to clearing_owner; grant all on hold to clearing_auditor", "grant on table hold"),
    "the revision is another": ("update alembic_version set version_num = '0000'", "schema revision"),
    "the view shows as its owner": ("alter view claim_now set (security_invoker = false)", "options of claim_now"),
}  # fmt: skip
"""What an administrator may do to the structure, and the beginning of what names it."""


@pytest.mark.parametrize(("change", "named"), CHANGES.values(), ids=CHANGES.keys())
def test_a_weakened_structure_is_found_and_named(owner: "psycopg.Connection[Any]", change: str, named: str) -> None:
    owner.execute(change.encode())
    found = [each.place for each in structure_differences(Snapshot(owner))]
    assert any(place.startswith(f"structure/{named}") for place in found), found


def test_a_database_without_tables_is_said_to_be_empty(owner: "psycopg.Connection[Any]") -> None:
    owner.execute("alter table alembic_version rename to elsewhere")
    assert [each.subject for each in differences(Snapshot(owner), None, None)] == ["structure.empty"]
