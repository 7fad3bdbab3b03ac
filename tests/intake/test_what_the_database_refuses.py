"""What the database itself refuses the application's role, whatever the application would do."""

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from psycopg import errors as pg
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError

from clearing.claims.records import ClaimView
from settlement import ledger
from tenants.kernel.database import broken_constraint
from tests.intake.bodies import WUJIANG, claim, receipt
from tests.intake.counter import Counter

APPEND_ONLY = ("audit_entry", "ledger_transfer", "claim_revision", "assessment", "review", "support_record")


@pytest.fixture
def jiangsu(app: Engine) -> Iterator[Connection]:
    """A transaction of the application's role, bound to one tenant; rolled back at the end."""
    with app.connect() as connection:
        connection.exec_driver_sql("select * from bind_scope('jiangsu', null)")
        yield connection
        connection.rollback()


def refused(connection: Connection, kind: type[Exception], statement: str, *values: object) -> str:
    """The database's words on a statement that it refuses."""
    with pytest.raises(DBAPIError) as error, connection.begin_nested():
        connection.exec_driver_sql(statement, values)
    assert isinstance(error.value.orig, kind), error.value.orig
    return str(error.value.orig)


def holding(connection: Connection, claim_id: UUID, kind: str) -> tuple[bytes, str]:
    digest, group = connection.exec_driver_sql(
        "select h.digest, h.exclusion_group from registry_holding h join registry_key using (digest, exclusion_group) "
        "where h.holder_id = %s and kind = %s",
        (claim_id, kind),
    ).one()
    return bytes(digest), group


TAKE = (
    "insert into registry_holding (digest, exclusion_group, holder_id, holder_kind, tenant, scheme, platform, "
    "enterprise_digest, month, status, claimed_fen, stated_fen) "
    "values (%s, %s, %s, 'claim', 'jiangsu', 'provincial', 'jssic', '\\x00', '2024-08', %s, %s, %s)"
)


@pytest.mark.parametrize("kind", ["invoice", "receipt"])
@pytest.mark.parametrize("claimed_fen", [1, 1_000_000, 10**18])
def test_no_second_claim_takes_a_fen_that_is_taken(
    counter: Counter, jiangsu: Connection, kind: str, claimed_fen: int
) -> None:
    first = counter.submit(claim())
    key = holding(jiangsu, first.row.id, kind)
    said = refused(jiangsu, pg.CheckViolation, TAKE, *key, uuid4(), "taken", claimed_fen, 10**18)
    assert "registry_key_fen_once" in said


def test_a_waiting_claim_cannot_be_made_to_hold_what_is_taken(counter: Counter, jiangsu: Connection) -> None:
    body = claim()
    counter.submit(body)
    other = claim()
    other["invoices"][0]["number"] = body["invoices"][0]["number"]
    waiting = counter.submit(other)
    said = refused(
        jiangsu, pg.CheckViolation, "update registry_holding set status = 'taken' where holder_id = %s", waiting.row.id
    )
    assert "registry_key_fen_once" in said


def test_a_claim_cannot_widen_its_holding_beyond_the_total(counter: Counter, jiangsu: Connection) -> None:
    first = counter.submit(claim())
    refused(
        jiangsu,
        pg.CheckViolation,
        "update registry_holding set claimed_fen = claimed_fen + 1 where holder_id = %s and stated_fen is not null",
        first.row.id,
    )


def test_the_sums_of_the_registry_are_nobodys_to_set(jiangsu: Connection) -> None:
    for column in ("taken_fen", "total_fen"):
        refused(jiangsu, pg.InsufficientPrivilege, f"update registry_key set {column} = 0")  # noqa: S608 - ours
    refused(jiangsu, pg.InsufficientPrivilege, "delete from registry_key")
    refused(jiangsu, pg.InsufficientPrivilege, "update registry_holding set stated_fen = 10000000000")
    refused(jiangsu, pg.InsufficientPrivilege, "truncate registry_holding")


def transfer(connection: Connection, debit: str, credit: str, fen: int, kind: str = "pending", **more: object) -> None:
    columns = {
        "tenant": "jiangsu", "id": uuid4(), "kind": kind, "debit": debit, "credit": credit, "amount_fen": fen,
        "reason": "test", "subject_id": uuid4(), "at": "2024-09-01T00:00:00Z", **more,
    }  # fmt: skip
    names, marks = ", ".join(columns), ", ".join(["%s"] * len(columns))
    connection.exec_driver_sql(f"insert into ledger_transfer ({names}) values ({marks})", tuple(columns.values()))  # noqa: S608


def accounts(view: ClaimView) -> tuple[str, str]:
    row = view.row
    year = row.quota_year or 0
    return ledger.quota_account(row.scheme, year, row.enterprise_uscc), ledger.quota_used_account(row.scheme, year)


@pytest.mark.parametrize("kind", ["pending", "posted"])
def test_nothing_is_taken_beyond_an_enterprises_cap(counter: Counter, jiangsu: Connection, kind: str) -> None:
    debit, credit = accounts(counter.submit(claim()))
    transfer(jiangsu, debit, credit, 10_000_000 - 250_000, kind)
    with pytest.raises(DBAPIError, match="ledger_account_within_limit"), jiangsu.begin_nested():
        transfer(jiangsu, debit, credit, 1, kind)


@pytest.mark.parametrize(("fen", "same_account"), [(0, False), (-1, False), (100, True)])
def test_a_transfer_moves_something_from_one_account_to_another(
    counter: Counter, jiangsu: Connection, fen: int, *, same_account: bool
) -> None:
    debit, credit = accounts(counter.submit(claim()))
    with pytest.raises(DBAPIError, match="check constraint"), jiangsu.begin_nested():
        transfer(jiangsu, debit, debit if same_account else credit, fen)


def test_what_is_pending_ends_once_and_by_its_own_amount(counter: Counter, jiangsu: Connection) -> None:
    first = counter.submit(claim())
    debit, credit = accounts(first)
    pending_id = jiangsu.exec_driver_sql(
        "select id from ledger_transfer where subject_id = %s and debit = %s", (first.row.id, debit)
    ).scalar_one()
    with pytest.raises(DBAPIError, match="no such pending transfer"), jiangsu.begin_nested():
        transfer(jiangsu, debit, credit, 249_999, "void", pending_id=pending_id)
    transfer(jiangsu, debit, credit, 250_000, "void", pending_id=pending_id)
    with pytest.raises(DBAPIError, match="ledger_transfer_ends_once"), jiangsu.begin_nested():
        transfer(jiangsu, debit, credit, 250_000, "post", pending_id=pending_id)


def test_a_transfer_names_open_accounts_and_a_reversal_what_moved(counter: Counter, jiangsu: Connection) -> None:
    first = counter.submit(claim())
    debit, credit = accounts(first)
    for pair in ((debit, f"{credit}/none"), (f"{debit}/none", credit)):
        with pytest.raises(IntegrityError, match="is not open") as error, jiangsu.begin_nested():
            transfer(jiangsu, *pair, 100, "posted")
        assert broken_constraint(error.value) == "ledger_transfer_of_open_accounts"
    pending_id = jiangsu.exec_driver_sql(
        "select id from ledger_transfer where subject_id = %s and debit = %s", (first.row.id, debit)
    ).scalar_one()
    for reversed_id in (pending_id, uuid4()):
        with pytest.raises(IntegrityError, match="no such transfer to be reversed"), jiangsu.begin_nested():
            transfer(jiangsu, credit, debit, 250_000, "posted", reverses=reversed_id)


@pytest.mark.parametrize(
    "change", ["delete from ledger_account", "update ledger_account set code = code", "truncate ledger_account"]
)
def test_an_account_is_never_closed_or_renamed_not_even_by_the_owner(
    counter: Counter, owner: Engine, change: str
) -> None:
    counter.submit(claim())
    with owner.connect() as connection:
        connection.exec_driver_sql("select * from bind_scope('jiangsu', null)")
        with pytest.raises(DBAPIError, match="never closed or renamed"):
            connection.exec_driver_sql(change)


def test_the_sums_of_an_account_are_nobodys_to_set(jiangsu: Connection) -> None:
    for column in ("debits_pending_fen", "debits_posted_fen", "credits_posted_fen", "counted"):
        refused(jiangsu, pg.InsufficientPrivilege, f"update ledger_account set {column} = {column}")  # noqa: S608
    refused(jiangsu, pg.InsufficientPrivilege, "delete from ledger_account")


def test_a_cap_cannot_be_set_below_what_is_taken(counter: Counter, jiangsu: Connection) -> None:
    debit, _ = accounts(counter.submit(claim()))
    refused(jiangsu, pg.CheckViolation, "update ledger_account set limit_fen = 249999 where code = %s", debit)


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("way", ["update", "delete", "truncate"])
def test_history_is_never_changed(jiangsu: Connection, table: str, way: str) -> None:
    statement = {
        "update": f"update {table} set tenant = tenant",  # noqa: S608 - our own tables
        "delete": f"delete from {table}",  # noqa: S608 - our own tables
        "truncate": f"truncate {table} cascade",
    }[way]
    refused(jiangsu, pg.InsufficientPrivilege, statement)


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("way", ["update", "delete", "truncate"])
def test_not_even_the_owner_changes_history(owner: Engine, counter: Counter, table: str, way: str) -> None:
    body = claim()
    body["receipts"] = [receipt("1.00")]
    counter.submit(body)
    counter.review(counter.submit(claim()))
    statement = {
        "update": f"update {table} set tenant = tenant",  # noqa: S608 - our own tables
        "delete": f"delete from {table}",  # noqa: S608 - our own tables
        "truncate": f"truncate {table} cascade",
    }[way]
    with owner.connect() as connection:
        connection.exec_driver_sql("select * from bind_scope('jiangsu,wujiang', null)")
        if way == "truncate" or connection.exec_driver_sql(f"select 1 from {table} limit 1").first():  # noqa: S608
            assert "append-only" in refused(connection, pg.InsufficientPrivilege, statement)
        connection.rollback()


TENANT_TABLES = (
    "claim", "claim_revision", "assessment", "hold", "review", "reservation", "support_record", "ledger_account",
    "ledger_transfer", "audit_entry", "audit_head", "policy_version", "linked_region", "standing", "calendar_year",
    "number_series", "payout_account", "obligation", "batch", "batch_item", "objection", "instruction",
    "instruction_claim", "batch_file", "batch_file_part",
)  # fmt: skip


@pytest.mark.parametrize("table", TENANT_TABLES)
def test_rows_of_a_foreign_tenant_do_not_exist(counter: Counter, jiangsu: Connection, table: str) -> None:
    counter.review(counter.submit(claim(WUJIANG)))
    seen = jiangsu.exec_driver_sql(f"select distinct tenant from {table}").scalars().all()  # noqa: S608 - ours
    assert set(seen) <= {"jiangsu"}


@pytest.mark.parametrize("table", TENANT_TABLES)
def test_without_a_scope_there_are_no_rows_at_all(counter: Counter, app: Engine, table: str) -> None:
    counter.submit(claim())
    with app.connect() as connection:
        assert connection.exec_driver_sql(f"select count(*) from {table}").scalar_one() == 0  # noqa: S608 - ours


def test_a_foreign_tenants_claim_can_be_neither_written_nor_referred_to(counter: Counter, jiangsu: Connection) -> None:
    foreign = counter.submit(claim(WUJIANG))
    row = (
        "insert into hold (tenant, id, claim_id, code, place, detail, opened_at) "
        "values (%s, %s, %s, 'x', '', '{}', now())"
    )
    said = refused(jiangsu, pg.InsufficientPrivilege, row, "wujiang", uuid4(), foreign.row.id)
    assert "row-level security" in said
    jiangsu.exec_driver_sql("set constraints all immediate")
    refused(jiangsu, pg.ForeignKeyViolation, row, "jiangsu", uuid4(), foreign.row.id)
    untouched = jiangsu.exec_driver_sql("update claim set award_fen = 0 where id = %s", (foreign.row.id,))
    assert untouched.rowcount == 0


def test_a_claim_cannot_be_moved_to_a_foreign_tenant(counter: Counter, jiangsu: Connection) -> None:
    own = counter.submit(claim())
    said = refused(jiangsu, pg.InsufficientPrivilege, "update claim set tenant = 'wujiang' where id = %s", own.row.id)
    assert "never deleted or renamed" in said


@pytest.mark.parametrize("change", ["delete from claim", "update claim set id = id", "truncate claim cascade"])
def test_a_claim_is_never_deleted_or_renamed_not_even_by_the_owner(
    counter: Counter, owner: Engine, change: str
) -> None:
    counter.submit(claim())
    with owner.connect() as connection:
        connection.exec_driver_sql("select * from bind_scope('jiangsu', null)")
        with pytest.raises(DBAPIError, match="never deleted or renamed"):
            connection.exec_driver_sql(change)


REVISION = (
    "insert into claim_revision (tenant, claim_id, revision, submission, sealed, client_id, received_at) "
    "select 'jiangsu', %s, 7, submission, sealed, client_id, received_at from claim_revision where claim_id = %s"
)
ASSESSMENT = (
    "insert into assessment "
    "(tenant, claim_id, seq, revision, policy_version, facts, result, result_sha256, reason, at) "
    "select 'jiangsu', %s, 7, revision, policy_version, facts, result, result_sha256, reason, at from assessment "
    "where claim_id = %s"
)


@pytest.mark.parametrize(
    ("row", "constraint"),
    [(REVISION, "claim_revision_tenant_claim_id_fkey"), (ASSESSMENT, "assessment_tenant_claim_id_fkey")],
)
def test_a_revision_and_an_assessment_are_of_a_claim_of_their_tenant(
    counter: Counter, jiangsu: Connection, row: str, constraint: str
) -> None:
    own, foreign = counter.submit(claim()), counter.submit(claim(WUJIANG))
    for claim_id in (uuid4(), foreign.row.id):
        with pytest.raises(IntegrityError, match="no such claim") as error, jiangsu.begin_nested():
            jiangsu.exec_driver_sql(row, (claim_id, own.row.id))
        assert broken_constraint(error.value) == constraint
    assert jiangsu.exec_driver_sql(row, (own.row.id, own.row.id)).rowcount == 1


TAKE_KEYS = (
    "select take_keys('claim', %s, 'jssic', array[decode(%s, 'hex')], array['national'], array['invoice'], "
    "array[1]::smallint[], array[%s]::uuid[], array['\\x00'::bytea], array['provincial'], array['2024-08'], "
    "array[%s]::bigint[], array[100]::bigint[])"
)


def test_keys_are_taken_at_once_only_where_nobody_ever_held_them(counter: Counter, jiangsu: Connection) -> None:
    digest, group = holding(jiangsu, counter.submit(claim()).row.id, "invoice")
    assert group == "national"
    with pytest.raises(IntegrityError, match="known already") as error, jiangsu.begin_nested():
        jiangsu.exec_driver_sql(TAKE_KEYS, ("jiangsu", digest.hex(), uuid4(), 1))
    assert broken_constraint(error.value) == "registry_key_pkey"
    assert jiangsu.exec_driver_sql(TAKE_KEYS, ("jiangsu", digest.hex(), None, 1)).scalar_one() == 0
    free, holder = uuid4().hex, uuid4()
    assert jiangsu.exec_driver_sql(TAKE_KEYS, ("jiangsu", free, holder, 60)).scalar_one() == 1
    assert jiangsu.exec_driver_sql(
        "select k.taken_fen, k.total_fen, h.holder_id, h.status from registry_key k "
        "join registry_holding h using (digest, exclusion_group) where k.digest = decode(%s, 'hex')",
        (free,),
    ).one() == (60, 100, holder, "taken")


def test_keys_are_taken_at_once_neither_beyond_their_fen_nor_for_another_tenant(jiangsu: Connection) -> None:
    refused(jiangsu, pg.CheckViolation, TAKE_KEYS, "jiangsu", uuid4().hex, uuid4(), 101)
    refused(jiangsu, pg.InsufficientPrivilege, TAKE_KEYS, "wujiang", uuid4().hex, uuid4(), 1)


def test_a_platform_sees_its_own_claims_only(counter: Counter, app: Engine) -> None:
    own = counter.submit(claim())
    with app.connect() as connection:
        connection.exec_driver_sql("select * from bind_scope('jiangsu', 'delta')")
        assert connection.exec_driver_sql("select 1 from claim where id = %s", (own.row.id,)).first() is None
        assert set(connection.exec_driver_sql("select platform from claim").scalars()) <= {"delta"}


def test_an_award_above_its_computation_is_refused(counter: Counter, jiangsu: Connection) -> None:
    own = counter.submit(claim())
    said = refused(
        jiangsu, pg.CheckViolation, "update claim set award_fen = computed_fen + 1 where id = %s", own.row.id
    )
    assert "claim_award_within_base" in said


def test_what_is_computed_is_never_above_the_base(counter: Counter, jiangsu: Connection) -> None:
    own = counter.submit(claim())
    said = refused(jiangsu, pg.CheckViolation, "update claim set computed_fen = base_fen + 1 where id = %s", own.row.id)
    assert "claim_award_within_base" in said


def test_award_and_matching_are_never_above_the_base_together(counter: Counter, jiangsu: Connection) -> None:
    own = counter.submit(claim())
    room = "update claim set matching_fen = base_fen - award_fen + %s where id = %s"
    jiangsu.exec_driver_sql(room, (0, own.row.id))
    with pytest.raises(IntegrityError, match="claim_legs_within_base"):
        jiangsu.exec_driver_sql(room, (1, own.row.id))


def test_a_scope_is_bound_once_in_a_transaction(jiangsu: Connection) -> None:
    said = refused(jiangsu, pg.InsufficientPrivilege, "select * from bind_scope('wujiang', null)")
    assert "already bound" in said
    assert jiangsu.exec_driver_sql("select bound_tenants()").scalar_one() == ["jiangsu"]


def test_a_scope_ends_with_its_transaction(app: Engine) -> None:
    with app.connect() as connection:
        connection.exec_driver_sql("select * from bind_scope('jiangsu', null)")
        connection.commit()
        assert connection.exec_driver_sql("select bound_tenants()").scalar_one() is None
        connection.exec_driver_sql("select * from bind_scope('wujiang', null)")
        assert connection.exec_driver_sql("select bound_tenants()").scalar_one() == ["wujiang"]


def test_the_scope_cannot_be_set_by_a_function(jiangsu: Connection) -> None:
    refused(jiangsu, pg.InsufficientPrivilege, "select set_config('clearing.tenants', 'wujiang', true)")


def test_stacked_statements_are_refused(app: Engine) -> None:
    with app.connect() as connection:
        for statement in ("select 1; select 2", "select 1; set clearing.tenants = 'wujiang'"):
            refused(connection, pg.SyntaxError, statement)


@pytest.mark.parametrize(
    "statement",
    [
        "create table mine (x integer)",
        "create temporary table mine (x integer)",
        "create function f() returns integer language sql as 'select 1'",
        "do $$ begin perform 1; end $$",
        "alter table claim disable row level security",
        "alter table claim disable trigger all",
        "set role clearing_owner",
        "set session_replication_role = replica",
        "copy claim to program 'true'",
        "select lo_import('/etc/passwd')",
        "select pg_read_file('/etc/passwd')",
        "drop table claim",
    ],
)
def test_the_application_has_no_right_to_more_than_its_rows(jiangsu: Connection, statement: str) -> None:
    assert refused(jiangsu, pg.InsufficientPrivilege, statement)
