"""What the rows of a batch name is there, stays there, and keeps its key: without foreign keys row by row."""

from uuid import UUID, uuid4

import pytest
from psycopg import errors as pg
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from settlement.batches.batch import Batch
from tests.settlement_service.bench import Bench

ITEM = "insert into batch_item (tenant, batch_id, line, claim_id, amount_fen) values (%s, %s, %s, %s, 1)"
INSTRUCTION = (
    "insert into instruction (tenant, id, batch_id, line, payee_claim_id, claim_count, amount_fen, created_at) "
    "values (%s, %s, %s, %s, %s, 1, 1, now())"
)
PAID = "insert into instruction_claim (tenant, claim_id, instruction_id) values (%s, %s, %s)"


def refused(bench: Bench, kind: type[Exception], statement: str, *values: object) -> str:
    with pytest.raises(DBAPIError) as error:
        bench.change(statement, *values)
    assert isinstance(error.value.orig, kind), error.value.orig
    return str(error.value.orig.diag.constraint_name)  # type: ignore[attr-defined]  # of psycopg's errors


@pytest.fixture
def cut(bench: Bench) -> tuple[Batch, list[UUID]]:
    """A batch that was cut, and the claims in it."""
    claim_ids = bench.approve("100.00", "200.00")
    return bench.cut(), claim_ids


def test_an_item_is_of_a_batch_and_a_claim_that_there_are(bench: Bench, cut: tuple[Batch, list[UUID]]) -> None:
    batch, _ = cut
    [other] = bench.approve("1.00")
    assert refused(bench, pg.ForeignKeyViolation, ITEM, bench.tenant, uuid4(), 3, other) == "batch_item_batch"
    assert refused(bench, pg.ForeignKeyViolation, ITEM, bench.tenant, batch.id, 3, uuid4()) == "batch_item_claim"
    assert bench.change(ITEM, bench.tenant, batch.id, 3, other) == 1


def test_of_many_items_one_that_names_nothing_is_found(bench: Bench, cut: tuple[Batch, list[UUID]]) -> None:
    batch, _ = cut
    many = bench.approve(*["1.00"] * 50)
    statement = (
        "insert into batch_item (tenant, batch_id, line, claim_id, amount_fen) "
        "select %s, %s, 100 + place, claim, 1 from unnest(%s::uuid[]) with ordinality w(claim, place)"
    )
    wrong = [*many[:49], uuid4()]
    assert refused(bench, pg.ForeignKeyViolation, statement, bench.tenant, batch.id, wrong) == "batch_item_claim"
    assert bench.change(statement, bench.tenant, batch.id, many) == 50


def test_an_obligation_is_in_a_batch_that_there_is(bench: Bench, cut: tuple[Batch, list[UUID]]) -> None:
    _, (taken, _) = cut
    [other] = bench.approve("1.00")
    move = "update obligation set batch_id = %s where id = %s"
    assert refused(bench, pg.ForeignKeyViolation, move, uuid4(), other) == "obligation_batch"
    both = "update obligation set batch_id = %s where id = any(%s)"
    assert refused(bench, pg.ForeignKeyViolation, both, uuid4(), [other, taken]) == "obligation_batch"
    copied = (
        "insert into obligation (tenant, id, claim_no, platform, scheme, mode, quota_year, enterprise_name, "
        "provider_name, provider_uscc, payee_name, account_name, account_sealed, payee_digest, bank_name, cnaps, "
        "amount_fen, approved_at, batch_id) select tenant, %s, claim_no, platform, scheme, mode, quota_year, "
        "enterprise_name, provider_name, provider_uscc, payee_name, account_name, account_sealed, payee_digest, "
        "bank_name, cnaps, amount_fen, approved_at, %s from obligation where id = %s"
    )
    assert refused(bench, pg.ForeignKeyViolation, copied, uuid4(), uuid4(), other) == "obligation_batch"


def test_an_instruction_is_of_a_batch_and_claims_that_there_are(bench: Bench, cut: tuple[Batch, list[UUID]]) -> None:
    batch, (claim_id, _) = cut
    made, tenant = uuid4(), bench.tenant
    violated = pg.ForeignKeyViolation
    assert refused(bench, violated, INSTRUCTION, tenant, made, uuid4(), 1, claim_id) == "instruction_batch"
    assert refused(bench, violated, INSTRUCTION, tenant, made, batch.id, 1, uuid4()) == "instruction_payee_claim"
    bench.change(INSTRUCTION, tenant, made, batch.id, 1, claim_id)
    assert refused(bench, violated, PAID, tenant, claim_id, uuid4()) == "instruction_claim_instruction"
    assert refused(bench, violated, PAID, tenant, uuid4(), made) == "instruction_claim_claim"
    assert bench.change(PAID, tenant, claim_id, made) == 1


@pytest.mark.parametrize("table", ["batch", "obligation"])
def test_what_is_named_never_gets_another_key(bench: Bench, cut: tuple[Batch, list[UUID]], table: str) -> None:
    assert cut[0].item_count == 2
    for statement in (
        f"update {table} set id = gen_random_uuid()",  # noqa: S608 - ours
        f"update {table} set tenant = tenant",  # noqa: S608 - ours
        f"delete from {table}",  # noqa: S608 - ours
    ):
        refused(bench, pg.InsufficientPrivilege, statement)


@pytest.mark.parametrize("table", ["batch", "obligation"])
def test_not_even_the_owner_empties_what_is_named(owner: Engine, table: str) -> None:
    with owner.connect() as connection, pytest.raises(DBAPIError, match="keeps its key"):
        connection.exec_driver_sql(f"truncate {table} cascade")


def test_the_platforms_that_were_told_of_the_cut_are_told_of_every_later_step(bench: Bench) -> None:
    bench.approve("100.00", "200.00")
    bench.set_account()
    batch = bench.release(bench.seal(bench.publish(bench.cut())))
    told = bench.do(
        lambda c: c.exec_driver_sql(
            "select kind, platform from outbox where subject_id = %s and platform is not null order by id", (batch.id,)
        ).all()
    )
    kinds = [kind for kind, _ in told]
    assert kinds == ["batch.cut", "batch.in_publicity", "batch.sealed", "batch.released"]
    assert len({platform for _, platform in told}) == 1
