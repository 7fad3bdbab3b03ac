"""Seal, release, instruct on the real database: signatures, chains, four eyes, kills, and what never changes."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from settlement import ledger
from settlement.batches.batch import Batch
from settlement.batches.batch_files import list_files, read_part
from settlement.batches.release import release
from settlement.batches.seal import FIRST_SEAL, seal
from settlement.formats.manifest import FIRST_PREVIOUS
from settlement.offline import verify_batch
from settlement.payouts.payout_account import seed_demonstration_accounts, show_payout_account
from settlement.signatures.keys import jwks, public_keys, revoke_key, rotate_key
from settlement.signatures.signing import SEAL, Purpose, verify_compact
from tenants.kernel.canonical import sha256
from tenants.kernel.errors import Conflict, Forbidden, Problem
from tenants.kernel.money import Money
from tests.settlement_service.bench import (
    CUT,
    DEBTOR,
    MAKER,
    OFFICE,
    OVER,
    RELEASER,
    SECOND_MAKER,
    Bench,
    shanghai,
)

SOON = shanghai("2024-10-11", 15)
LATER = shanghai("2024-10-12")


def download(bench: Bench, batch: Batch, folder: Path) -> Path:
    """The batch's files as a finance team pulls them."""

    def read(connection: Connection) -> None:
        for file in list_files(connection, bench.tenant, batch.id):
            parts = [read_part(connection, batch, file.name, part, OFFICE.sealer) for part in range(1, file.parts + 1)]
            content = b"".join(parts)
            assert (len(content), sha256(content).hex()) == (file.size_bytes, file.sha256)
            (folder / file.name).write_bytes(content)

    bench.do(read)
    return folder


def test_a_seal_needs_a_payout_account(bench: Bench) -> None:
    bench.approve("100.00")
    batch = bench.publish(bench.cut())
    with pytest.raises(Conflict) as refused:
        bench.seal(batch)
    assert refused.value.code == "payout_account.unset"
    assert bench.read(batch).state == "in_publicity"


def test_a_demonstration_account_pays_in_demonstration_mode_only(bench: Bench) -> None:
    bench.do(lambda c: seed_demonstration_accounts(c, {bench.tenant: "测试省"}, OFFICE, CUT))
    shown = bench.do(lambda c: show_payout_account(c, bench.tenant))
    assert shown.demonstration
    assert shown.account_name.startswith("演示账户")
    assert shown.account_number == "****0001"
    bench.approve("100.00")
    batch = bench.publish(bench.cut())
    real = type(OFFICE)(OFFICE.secrets, demonstration=False)
    with pytest.raises(Conflict) as refused:
        bench.do(lambda c: seal(c, bench.tenant, batch.id, real, MAKER, OVER), OVER)
    assert refused.value.code == "payout_account.demonstration"
    with pytest.raises(ValueError, match="demonstration"):
        bench.do(lambda c: seed_demonstration_accounts(c, {}, real, CUT))
    assert bench.seal(batch).state == "sealed"


def test_the_payout_account_is_sealed_at_rest_and_masked_in_view(bench: Bench) -> None:
    bench.set_account()
    [row] = bench.rows(
        "select account_number_sealed, account_number_tail from payout_account where tenant = %s", bench.tenant
    )
    assert DEBTOR.account_number.encode() not in bytes(row.account_number_sealed)
    assert row.account_number_tail == "****7890"


def test_seals_form_a_chain_signed_by_the_tenants_key(bench: Bench) -> None:
    first, second = bench.sealed("100.00"), bench.sealed("200.00", "300.00")
    assert (first.seal_no, first.previous_seal) == (1, FIRST_SEAL)
    assert (second.seal_no, second.previous_seal) == (2, first.seal_sha256)
    keys = bench.do(lambda c: public_keys(c, bench.tenant))
    assert second.seal_jws is not None
    payload, key = verify_compact(second.seal_jws, SEAL, keys)
    key.require_valid_at(OVER)
    record = json.loads(payload)
    assert record["merkle_root"] == second.merkle_root
    assert (record["count"], record["total"]) == (2, "500.00")
    assert sha256(second.seal_jws.encode()).hex() == second.seal_sha256


def test_only_somebody_who_made_nothing_of_it_releases_a_batch(bench: Bench) -> None:
    bench.approve("100.00")
    bench.set_account()
    batch = bench.publish(bench.cut(), actor="publisher")
    bench.seal(batch, actor=SECOND_MAKER)
    for maker in (MAKER, "publisher", SECOND_MAKER):
        with pytest.raises(Forbidden) as refused:
            bench.release(batch, actor=maker)
        assert refused.value.code == "batch.four_eyes"
    assert bench.release(batch).released_by == RELEASER


@pytest.mark.parametrize("column", ["cut_by", "published_by", "sealed_by"])
def test_the_database_itself_refuses_a_release_by_the_maker(bench: Bench, column: str) -> None:
    batch = bench.sealed("100.00")
    with pytest.raises(DBAPIError, match="batch_four_eyes"):
        bench.change(
            f"update batch set state = 'released', released_by = {column}, released_at = %s where id = %s",  # noqa: S608
            OVER,
            batch.id,
        )


def test_the_database_itself_refuses_a_seal_before_the_publicity_is_over(bench: Bench) -> None:
    bench.approve("100.00")
    batch = bench.publish(bench.cut())
    statement = (
        "update batch set state = 'sealed', sealed_by = 'x', sealed_at = %s, seal_no = 99, merkle_root = 'x', "
        "previous_seal = 'x', seal_jws = 'x', seal_sha256 = 'x', publicity_provisional = %s where id = %s"
    )
    for sealed_at, provisional in ((shanghai("2024-10-10", 23), False), (OVER, True)):
        with pytest.raises(DBAPIError, match="batch_publicity_over"):
            bench.change(statement, sealed_at, provisional, batch.id)


def test_a_release_makes_one_instruction_a_payee_and_puts_the_money_in_transit(bench: Bench) -> None:
    bench.approve("100.00", "50.00", payee=7)
    bench.approve("30.00")
    bench.approve("20.00", year=2025)
    batch = bench.released()
    made = bench.rows(
        "select line, claim_count, amount_fen from instruction where tenant = %s and batch_id = %s order by line",
        bench.tenant,
        batch.id,
    )
    assert [tuple(row) for row in made] == [(1, 2, 15000), (2, 1, 3000), (3, 1, 2000)]
    moved = bench.rows(
        "select debit, credit, sum(amount_fen)::bigint as fen from ledger_transfer "
        "where tenant = %s and credit like 'in-transit/%%' group by debit, credit order by debit",
        bench.tenant,
    )
    assert [tuple(row) for row in moved] == [
        (ledger.obligations_account("provincial", year), ledger.in_transit_account("provincial", year), fen)
        for year, fen in ((2024, 18000), (2025, 2000))
    ]
    jobs = bench.rows("select subject_id from outbox where tenant = %s and kind = 'batch.instruct'", bench.tenant)
    assert [row.subject_id for row in jobs] == [batch.id]


def test_instructing_writes_files_that_verify_offline_and_form_a_chain(bench: Bench, tmp_path: Path) -> None:
    bench.approve("100.00", "50.00", payee=7)
    first = bench.instruct(bench.released("30.00"))
    second = bench.instruct(bench.released("1.00"))
    assert (first.state, first.manifest_no, second.manifest_no) == ("instructed", 1, 2)
    keys = bench.do(lambda c: jwks(c, bench.tenant))
    previous = FIRST_PREVIOUS
    for batch in (first, second):
        folder = download(bench, batch, tmp_path)
        assert verify_batch(folder, keys, previous_manifest_sha256=previous) == []
        assert json.loads((folder / "manifest.json").read_bytes())["total"] == str(batch.total)
        previous = str(batch.manifest_sha256)


def test_one_changed_byte_of_any_file_is_found(bench: Bench, tmp_path: Path) -> None:
    batch = bench.instruct(bench.released("100.00", "200.00"))
    keys = bench.do(lambda c: jwks(c, bench.tenant))
    folder = download(bench, batch, tmp_path)
    names = {path.name for path in folder.iterdir()}
    assert {"pain.001.xml", "payouts.csv", "payouts.xlsx", "payouts.jsonl", "manifest.json"} <= names
    for name in names:
        path = folder / name
        whole = path.read_bytes()
        middle = len(whole) // 2
        path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
        assert verify_batch(folder, keys), name
        path.write_bytes(whole)
    assert verify_batch(folder, keys) == []


def test_the_database_holds_no_account_number_in_clear(bench: Bench) -> None:
    bench.instruct(bench.released("100.00"))
    for table in ("obligation", "instruction", "batch", "batch_file", "batch_file_part", "audit_entry", "outbox"):
        for row in bench.rows(f"select to_jsonb(t)::text as text from {table} t where tenant = %s", bench.tenant):  # noqa: S608
            assert "6222000000000001" not in row.text
            assert DEBTOR.account_number not in row.text


def test_instructing_again_answers_the_same_batch(bench: Bench) -> None:
    batch = bench.instruct(bench.released("100.00"))
    assert bench.instruct(batch, at=LATER) == batch


def test_a_key_revoked_before_the_instruction_signs_nothing_until_it_is_rotated(bench: Bench) -> None:
    batch = bench.released("100.00")
    kid = bench.payout_kid()
    revoked = bench.do(lambda c: revoke_key(c, bench.tenant, kid, "operator", "stolen", SOON), SOON)
    assert revoked.revoked_at == SOON
    with pytest.raises(Conflict) as refused:
        bench.instruct(batch, at=SOON)
    assert refused.value.code == "key.revoked"
    assert bench.read(batch).state == "released"
    bench.do(lambda c: rotate_key(c, bench.tenant, Purpose.PAYOUT, OFFICE, "operator", LATER), LATER)
    assert bench.instruct(batch, at=LATER).state == "instructed"


def test_rotated_keys_stay_published_and_old_batches_verify(bench: Bench, tmp_path: Path) -> None:
    old = bench.instruct(bench.released("100.00"))
    bench.do(lambda c: rotate_key(c, bench.tenant, Purpose.PAYOUT, OFFICE, "operator", LATER), LATER)
    keys = bench.do(lambda c: jwks(c, bench.tenant))
    assert json.dumps(keys).count('"purpose": "payout"') == 2
    assert verify_batch(download(bench, old, tmp_path), keys) == []


def test_a_sealed_batch_never_changes_whatever_the_application_tries(bench: Bench) -> None:
    claim_ids = bench.approve("100.00", "200.00")
    bench.set_account()
    batch = bench.seal(bench.publish(bench.cut()))
    [other] = bench.approve("1.00")
    attempts = (
        ("update batch set total_fen = 1 where id = %s", (batch.id,)),
        ("update batch set cut_off_at = now() where id = %s", (batch.id,)),
        ("update batch set state = 'in_publicity' where id = %s", (batch.id,)),
        ("update batch set sealed_at = null where id = %s", (batch.id,)),
        ("delete from batch where id = %s", (batch.id,)),
        ("update batch_item set removed_at = now() where batch_id = %s", (batch.id,)),
        ("update batch_item set amount_fen = 1 where batch_id = %s", (batch.id,)),
        ("delete from batch_item where batch_id = %s", (batch.id,)),
        (
            "insert into batch_item (tenant, batch_id, line, claim_id, amount_fen) values (%s, %s, 99, %s, 1)",
            (bench.tenant, batch.id, other),
        ),
        ("update obligation set amount_fen = 1 where id = %s", (claim_ids[0],)),
        ("update obligation set account_sealed = 'x' where id = %s", (claim_ids[0],)),
        ("update obligation set batch_id = null where id = %s", (claim_ids[0],)),
        ("update obligation set released_at = now() where id = %s", (claim_ids[0],)),
        ("delete from obligation where id = %s", (claim_ids[0],)),
        ("truncate batch_item", ()),
    )
    for statement, values in attempts:
        with pytest.raises(DBAPIError):
            bench.change(statement, *values)
    assert bench.read(batch) == batch
    bench.instruct(bench.release(batch))
    for statement in (
        "update instruction set amount_fen = 1",
        "delete from instruction",
        "update instruction_claim set claim_id = gen_random_uuid()",
        "update batch_file set sha256 = ''",
        "update batch_file_part set sealed = ''",
        "update batch set released_by = 'other' where id = %s",
        "update batch set manifest_sha256 = 'x' where id = %s",
    ):
        with pytest.raises(DBAPIError):
            bench.change(statement, *([batch.id] if "%s" in statement else []))


def test_rows_changed_by_the_schemas_owner_stop_the_instruction(bench: Bench, owner: Engine) -> None:
    batch = bench.released("100.00", "200.00")
    with owner.begin() as connection:
        connection.exec_driver_sql("select * from bind_scope(%s, null)", (bench.tenant,))
        connection.exec_driver_sql("alter table batch_item disable trigger user")
        connection.exec_driver_sql(
            "update batch_item set amount_fen = amount_fen + 100 where tenant = %s and line = 1", (bench.tenant,)
        )
        connection.exec_driver_sql(
            "update batch_item set amount_fen = amount_fen - 100 where tenant = %s and line = 2", (bench.tenant,)
        )
        connection.exec_driver_sql("alter table batch_item enable trigger user")
    with pytest.raises(Conflict) as refused:
        bench.instruct(batch)
    assert refused.value.code == "batch.root_differs"


def test_of_two_people_who_click_at_once_exactly_one_does_it(bench: Bench) -> None:
    bench.approve("100.00")
    bench.set_account()
    batch = bench.publish(bench.cut())

    def attempt(use_case: object, actor: str) -> str:
        try:
            done = bench.do(lambda c: use_case(c, actor), OVER)  # type: ignore[operator]  # one of the two below
        except Problem as problem:
            return problem.code
        return str(done.state)

    def both(use_case: object, actors: tuple[str, str]) -> list[str]:
        with ThreadPoolExecutor(2) as threads:
            return sorted(threads.map(lambda actor: attempt(use_case, actor), actors))

    sealing = both(lambda c, actor: seal(c, bench.tenant, batch.id, OFFICE, actor, OVER), (MAKER, SECOND_MAKER))
    assert sealing == ["batch.state", "sealed"]
    releasing = both(
        lambda c, actor: release(c, bench.tenant, batch.id, OFFICE, actor, OVER), (RELEASER, "releaser-zhou")
    )
    assert releasing == ["batch.state", "released"]
    made = bench.rows("select 1 from instruction where tenant = %s", bench.tenant)
    assert len(made) == 1


def test_cuts_at_once_share_the_claims_without_taking_one_twice(bench: Bench) -> None:
    bench.approve(*["1.00"] * 40)
    with ThreadPoolExecutor(4) as threads:
        batches = list(threads.map(lambda _: bench.cut(), range(4)))
    assert sum(batch.item_count for batch in batches) == 40
    assert sorted(batch.batch_no[-4:] for batch in batches) == ["0001", "0002", "0003", "0004"]


def test_a_claim_of_the_cross_redemption_batch_is_paid_to_the_provider_kind(bench: Bench) -> None:
    bench.approve("100.00", mode="cross_redemption")
    bench.set_account()
    batch = bench.seal(bench.publish(bench.cut(mode="cross_redemption")))
    instructed = bench.instruct(bench.release(batch))
    assert (instructed.mode, instructed.total) == ("cross_redemption", Money(10000))
