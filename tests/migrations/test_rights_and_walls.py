"""What the schema lets the application's role do, and what keeps tenants apart, read from the catalogue itself."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine

SHARED = {
    "tenant": "the list of tenants itself",
    "registry_holding": "the blind registry is one for all tenants",
    "outbox": "the workers serve every tenant",
    "platform_feed": "belongs to a platform, whichever tenant wrote to it",
    "client_terms": "found by its client before anybody is known, of all its tenants at once",
    "signing_key": "public halves are public, private halves sealed",
}
"""Tables with a column ``tenant`` and no row-level security, and why."""

TWO_SIDED = {"duplicate_case"}
"""Tables whose rows concern two tenants: each of them sees the row, and no other."""

MAY_DELETE = {"access_token", "registry_holding", "client_assertion", "batch_draft", "batch_draft_part"}
MAY_UPDATE = {
    "service_clock": None,
    "policy_version": {
        "state",
        "document",
        "content_sha256",
        "author",
        "approver",
        "recorded_at",
        "approved_at",
        "submitter",
        "submitted_at",
        "reason",
    },
    "payout_account": None,
    "linked_region_list": {"state", "decided_by", "decided_at", "reason"},
    "client": {"revoked_at"},
    "client_key": {"revoked_by", "revoked_at"},
    "client_terms": {"signature_required", "networks", "ceiling_fen", "set_by", "set_at"},
    "audit_head": None,
    "idempotency_key": None,
    "number_series": None,
    "outbox": {"next_attempt_at", "attempts", "last_error", "done_at"},
    "ledger_account": {"limit_fen"},
    "registry_key": {"key_version"},
    "registry_key_version": {"state", "check_value", "filled_at", "retiring_at", "retired_at"},
    "client_probes": {"probes"},
    "similar_pair": {"resolved_at", "resolved_by", "outcome", "reason"},
    "registry_holding": {"status", "claimed_fen"},
    "reservation": {"state", "confirmed_at", "confirmed_by", "amount_fen", "lowered_reason"},
    "claim": None,
    "batch": None,
    "hold": {"resolved_at", "resolved_by", "outcome", "reason"},
    "signing_key": {"retired_at", "revoked_at"},
    "obligation": None,
    "batch_item": {"removed_at", "removed_reason"},
    "duplicate_case": {
        "later_owner",
        "earlier_owner",
        "resolved_at",
        "resolved_by",
        "resolved_for",
        "outcome",
        "reason",
    },
    "qualification": {
        "name",
        "division", "enterprise_type",
        "proof",
        "policy_version",
        "at_once",
        "state",
        "from_on",
        "through_on",
        "entered_by",
        "entered_at",
        "decided_by",
        "decided_at",
        "reason",
    },
    "admission": {
        "name",
        "division",
        "kind",
        "direct",
        "established_on",
        "on_platform",
        "platform_number",
        "proofs",
        "policy_version",
        "state",
        "from_on",
        "through_on",
        "publicity_through_on",
        "calendar_version",
        "exit_ground",
        "entered_by",
        "entered_at",
        "decided_by",
        "decided_at",
        "reason",
    },
    "trust_list": {"state", "decided_by", "decided_at", "reason"},
    "interest": {"ended_by", "ended_at", "end_reason"},
    "sample_item": {
        "outcome", "reason", "decided_by", "decided_at", "consequence", "clawback_id", "asked_fen", "sanction_until",
    },
    "reviewer_district": {"ended_by", "ended_at", "end_reason"},
    "linkage": {"state", "decided_by", "decided_at", "reason"},
    "agreement": {
        "state", "approved_by", "approved_at", "accepted_by", "accepted_at", "refused_by", "refused_at",
        "refused_reason",
    },
    "clearing_cycle": {"state", "closed_by", "closed_at", "confirmed_at", "settled_by", "settled_at"},
    "clearing_position": {"confirmed_by", "confirmed_at"},
    "exposure_hold": {"lifted_by", "lifted_at", "reason"},
    "webhook_endpoint": {"fed_through_seq", "disabled_by", "disabled_at"},
    "webhook_message": {"queued_at", "next_attempt_at", "attempts", "last_answer", "done_at", "gave_up"},
    "pull_source": {"token_sealed", "disabled_by", "disabled_at"},
    "pull_progress": {"next_poll_at", "polled_at", "answered_at", "failures", "last_error"},
    "dead_letter": {"state", "decided_by", "decided_at", "reason"},
    "release_limit": None,
    "matching_due": {
        "paid_on", "paid_document", "paid_by", "paid_at", "due_on", "obligation_id", "waiting_fen", "freed_fen",
        "recover_fen", "changed_by", "changed_at",
    },
    "account_proposal": {"state", "decided_by", "decided_at", "reason"},
    "console_account": {
        "password_hash", "totp_sealed", "changed_at", "credentials_at", "revoked_at", "roles", "roles_set_by",
    },
    "console_attempt": {"sign_in_step", "confirm_step", "failures", "last_failed_at"},
    "console_session": {"seen_at", "ended_at"},
}  # fmt: skip
"""What the application may change, by column; ``None`` for every column."""

WRITTEN_FROM_OUTSIDE = "registry_probe"
"""Read by the tenant that was looked at, written by the side that looks."""

NEVER_CHANGED = {
    "audit_entry", "ledger_transfer", "support_record", "claim_revision", "assessment", "review", "platform_feed",
    "objection", "instruction", "instruction_claim", "batch_file", "batch_file_part", "clearing_debt",
    "agent_paid_in", "clearing_order_receipt", "clearing_cell", "clearing_order",
    "clearing_order_part", "clearing_order_file", "clearing_order_outcome",
    "clearing_remedy", "clearing_remedy_decision", "clearing_order_end", "clearing_carry", "objection_resolution",
    "objection_upholding", "objection_upholding_decision",
    "bank_submission", "bank_call", "bank_answer", "bank_statement",
    "bank_statement_part", "bank_line", "instruction_outcome", "account_correction", "account_correction_decision",
    "reissue", "first_release", "release_signature", "provider_reward", "receipt", "clawback", "clawback_recovery",
    "registry_probe", "similarity_model", "trust_listing", "sample", "calendar_year", "linked_region",
    "matching_recovery",
    "pull_page",
    "batch_settlement", "suspense_resolution",
    "suspense_part", "suspense_decision", "month_close",
    "signed_request", "instance", "account_invitation", "account_enrolment",
}  # fmt: skip

OF_A_CITY = {
    "claim", "claim_revision", "assessment", "hold", "review", "objection", "clawback", "sample_item", "qualification",
}  # fmt: skip
"""What a reviewer who is bound to a city sees only of its claims and enterprises."""

BETWEEN_TENANTS = {
    "clearing_debt_mirrored": "the creditor's side of a debt is a transfer in the creditor's books",
    "clearing_carry_of_order": "what is owed again is carried from another tenant's order too",
    "clearing_order_end_remedied": "a cancelled pay-in makes another tenant's pay-out smaller",
    "clearing_order_end_explained": "an over-payment makes another tenant's pay-out larger",
    "clearing_order_receipt_amount": "what arrives is another tenant's order",
    "clearing_order_receipt_named": "what arrives is another tenant's order",
    "suspense_resolution_order": "what arrived otherwise than ordered is another tenant's order",
    "clearing_debt_handed_on": "what the creditor pays for the debtor is an obligation in the creditor's books",
    "matching_due_handed_on": "what a linked region owes is an obligation in its own books",
}
"""References whose tenant on this side is another column than ``tenant``, and why."""


@pytest.fixture
def catalogue(owner: Engine) -> Iterator[Connection]:
    with owner.connect() as connection:
        yield connection


def tables(catalogue: Connection) -> set[str]:
    return set(
        catalogue.exec_driver_sql(
            "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') "
            "and relname <> 'alembic_version'"
        ).scalars()
    )


def tenant_tables(catalogue: Connection) -> set[str]:
    """Tables with a column ``tenant``, but those that are shared."""
    found = set(
        catalogue.exec_driver_sql(
            "select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant' "
            "where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')"
        ).scalars()
    )
    assert set(SHARED) <= found
    return found - set(SHARED)


def test_the_applications_role_owns_nothing_and_is_a_member_of_nothing(catalogue: Connection) -> None:
    owned = (
        "select relname::text from pg_class where relowner = 'clearing_app'::regrole "
        "union all select proname::text from pg_proc where proowner = 'clearing_app'::regrole "
        "union all select nspname::text from pg_namespace where nspowner = 'clearing_app'::regrole "
        "union all select datname::text from pg_database where datdba = 'clearing_app'::regrole"
    )
    assert catalogue.exec_driver_sql(owned).all() == []
    assert (
        catalogue.exec_driver_sql(
            "select count(*) from pg_auth_members where member = 'clearing_app'::regrole"
        ).scalar_one()
        == 0
    )
    role = catalogue.exec_driver_sql(
        "select rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication from pg_roles "
        "where rolname = 'clearing_app'"
    ).one()
    assert tuple(role) == (False,) * 5


def test_the_application_deletes_only_where_it_must(catalogue: Connection) -> None:
    allowed = {
        table
        for table in tables(catalogue)
        if catalogue.exec_driver_sql("select has_table_privilege('clearing_app', %s, 'DELETE')", (table,)).scalar_one()
    }
    assert allowed == MAY_DELETE


@pytest.mark.parametrize("right", ["TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN"])
def test_the_application_never_empties_nor_builds_on_a_table(catalogue: Connection, right: str) -> None:
    for table in tables(catalogue):
        statement = "select has_table_privilege('clearing_app', %s, %s)"
        assert not catalogue.exec_driver_sql(statement, (table, right)).scalar_one(), table


def test_the_application_updates_only_the_columns_that_change(catalogue: Connection) -> None:
    rows = catalogue.exec_driver_sql(
        "select c.relname, a.attname, has_column_privilege('clearing_app', c.oid, a.attnum, 'UPDATE') as may "
        "from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped "
        "where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')"
    ).all()
    for table, column, may in rows:
        columns = MAY_UPDATE.get(table, set())
        assert may == (columns is None or column in columns), (table, column)


def test_nothing_is_left_to_the_public(catalogue: Connection) -> None:
    assert (
        catalogue.exec_driver_sql(
            "select grantee, table_name from information_schema.role_table_grants "
            "where table_schema = 'public' and grantee = 'PUBLIC' and table_name <> 'alembic_version'"
        ).all()
        == []
    )
    callable_by_app = catalogue.exec_driver_sql(
        "select proname from pg_proc where pronamespace = 'public'::regnamespace "
        "and has_function_privilege('clearing_app', oid, 'EXECUTE')"
    ).scalars()
    assert set(callable_by_app) == {
        "bind_scope", "bound_tenants", "bound_platform", "bound_districts", "in_district", "payout_state",
        "fill_registry", "drop_registry_version", "claimed_fen_of", "end_to_end_id", "not_paid_in",
        "take_free_keys", "take_keys", "waits_for_pay_in", "order_named", "orders_paid_to", "order_unexplained",
    }  # fmt: skip
    for right in ("CREATE", "TEMPORARY"):
        kind = "schema" if right == "CREATE" else "database"
        name = "public" if right == "CREATE" else "clearing"
        assert not catalogue.exec_driver_sql(
            f"select has_{kind}_privilege('clearing_app', %s, %s)",
            (name, right),
        ).scalar_one()


def test_the_auditor_reads_and_nothing_more(catalogue: Connection) -> None:
    for table in tables(catalogue):
        assert catalogue.exec_driver_sql(
            "select has_table_privilege('clearing_auditor', %s, 'SELECT'), "
            "has_any_column_privilege('clearing_auditor', %s, 'INSERT, UPDATE'), "
            "has_table_privilege('clearing_auditor', %s, 'DELETE, TRUNCATE')",
            (table,) * 3,
        ).one() == (True, False, False), table


def test_what_never_changes_is_guarded_by_triggers_for_rows_and_for_the_whole(catalogue: Connection) -> None:
    rows = catalogue.exec_driver_sql(
        "select tgrelid::regclass::text as name, tgtype from pg_trigger "
        "where tgfoid = 'refuse_change'::regproc and tgenabled = 'O'"
    ).all()
    per_row = {row.name for row in rows if row.tgtype & 1 and row.tgtype & 8 and row.tgtype & 16}
    whole = {row.name for row in rows if not row.tgtype & 1 and row.tgtype & 32}
    assert per_row == whole == NEVER_CHANGED


def test_every_tenant_table_hides_other_tenants_rows_even_from_its_owner(catalogue: Connection) -> None:
    rows = catalogue.exec_driver_sql(
        "select relname, relrowsecurity, relforcerowsecurity from pg_class "
        "where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"
    ).all()
    secured = {row.relname for row in rows if row.relrowsecurity and row.relforcerowsecurity}
    assert secured == tenant_tables(catalogue) | TWO_SIDED
    assert {row.relname for row in rows if row.relrowsecurity != row.relforcerowsecurity} == set()
    views = catalogue.exec_driver_sql(
        "select relname, reloptions from pg_class where relnamespace = 'public'::regnamespace and relkind = 'v'"
    ).all()
    assert views
    assert all("security_invoker=true" in (view.reloptions or []) for view in views)


def test_every_policy_binds_reading_and_writing_to_the_bound_tenants(catalogue: Connection) -> None:
    policies = catalogue.exec_driver_sql(
        "select tablename, cmd, permissive, roles, qual, with_check from pg_policies where schemaname = 'public'"
    ).all()
    ours = [policy for policy in policies if "clearing_app" in policy.roles]
    from_outside = [policy for policy in ours if policy.tablename == WRITTEN_FROM_OUTSIDE]
    assert {(policy.cmd, policy.with_check) for policy in from_outside} == {("SELECT", None), ("INSERT", "true")}
    assert ["tenant = ANY" in policy.qual for policy in from_outside if policy.cmd == "SELECT"] == [True]
    narrowing = [policy for policy in ours if policy.permissive == "RESTRICTIVE"]
    assert {(policy.tablename, policy.cmd) for policy in narrowing} == {(table, "SELECT") for table in OF_A_CITY}
    assert all("bound_districts() AS bound_districts) IS NULL" in policy.qual for policy in narrowing)
    ours = [policy for policy in ours if policy not in from_outside and policy not in narrowing]
    assert sorted(policy.tablename for policy in ours) == sorted(
        tenant_tables(catalogue) - {WRITTEN_FROM_OUTSIDE} | TWO_SIDED
    )
    for policy in ours:
        assert policy.cmd == "ALL"
        assert policy.with_check is None
        assert "tenant = ANY" in policy.qual
        assert "bound_tenants()" in policy.qual


def test_the_tenant_stands_first_in_every_primary_key(catalogue: Connection) -> None:
    rows = catalogue.exec_driver_sql(
        "select r.conrelid::regclass::text as name, a.attname from pg_constraint r "
        "join pg_attribute a on a.attrelid = r.conrelid and a.attnum = r.conkey[1] where r.contype = 'p'"
    ).all()
    first = {row.name: row.attname for row in rows}
    assert tables(catalogue) <= set(first)
    assert {first[table] for table in tenant_tables(catalogue)} == {"tenant"}


def test_every_reference_between_tenant_tables_includes_the_tenant_on_both_sides(catalogue: Connection) -> None:
    rows = catalogue.exec_driver_sql(
        "select r.conname, r.conrelid::regclass::text as child, r.confrelid::regclass::text as parent, "
        "array(select attname::text from unnest(r.conkey) with ordinality k(n, o) join pg_attribute "
        "on attrelid = r.conrelid and attnum = k.n order by k.o) as here, "
        "array(select attname::text from unnest(r.confkey) with ordinality k(n, o) join pg_attribute "
        "on attrelid = r.confrelid and attnum = k.n order by k.o) as there "
        "from pg_constraint r where r.contype = 'f' and r.connamespace = 'public'::regnamespace"
    ).all()
    apart = tenant_tables(catalogue)
    between = [row for row in rows if row.child in apart and row.parent in apart]
    assert len(between) >= 15
    for row in between:
        others = ("creditor", "linked", "order_tenant", "remedy_tenant", "resolution_tenant")
        here = others if row.conname in BETWEEN_TENANTS else ("tenant",)
        assert any((side, "tenant") in zip(row.here, row.there, strict=True) for side in here), row.conname
    assert not [row.conname for row in rows if row.child in SHARED and row.parent in apart]


def test_every_amount_is_a_whole_number_of_fen_and_no_column_is_a_float(catalogue: Connection) -> None:
    rows = catalogue.exec_driver_sql(
        "select table_name, column_name, data_type from information_schema.columns where table_schema = 'public'"
    ).all()
    amounts = [row for row in rows if row.column_name.endswith("_fen")]
    assert len(amounts) > 10
    assert {row.data_type for row in amounts} == {"bigint"}
    assert not [row for row in rows if row.data_type in {"real", "double precision", "numeric", "money"}]


def test_every_instant_has_a_zone_and_every_day_has_none(catalogue: Connection) -> None:
    rows = catalogue.exec_driver_sql(
        "select column_name, data_type from information_schema.columns where table_schema = 'public' "
        "and (column_name like '%%\\_at' or column_name like '%%\\_on' or data_type like 'timestamp%%')"
    ).all()
    for name, kind in rows:
        wanted = "date" if name.endswith("_on") else "timestamp with time zone"
        assert kind == wanted or (name.endswith("_on") and kind == "boolean"), name
