"""A claim is paid at most once: what the database refuses, whatever the application tries."""

from pathlib import Path

import pytest
from psycopg import errors as pg
from sqlalchemy.exc import DBAPIError

from tests.settlement_service.bank_files import FILES, open_desk
from tests.settlement_service.bench import Bench


def refused_by(bench: Bench, statement: str, *values: object) -> type[BaseException]:
    with pytest.raises(DBAPIError) as refused:
        bench.change(statement, *values)
    assert refused.value.orig is not None
    return type(refused.value.orig)


def test_the_database_pays_no_claim_by_two_instructions(bench: Bench) -> None:
    bench.instruct(bench.released("100.00", "50.00"))
    first, second = bench.rows(
        "select instruction_id, claim_id from instruction_claim where tenant = %s order by claim_id", bench.tenant
    )
    copy = (
        "insert into instruction_claim select (jsonb_populate_record(c, "
        "jsonb_build_object('instruction_id', %s::text))).* from instruction_claim c "
        "where c.tenant = %s and c.claim_id = %s"
    )
    for instruction_id in (first.instruction_id, second.instruction_id):
        found = refused_by(bench, copy, str(instruction_id), bench.tenant, first.claim_id)
        assert found is pg.UniqueViolation
    again = "insert into instruction select i.* from instruction i where i.tenant = %s and i.id = %s"
    assert refused_by(bench, again, bench.tenant, first.instruction_id) is pg.UniqueViolation
    moved = "update instruction_claim set instruction_id = %s where tenant = %s and claim_id = %s"
    assert issubclass(
        refused_by(bench, moved, second.instruction_id, bench.tenant, first.claim_id), pg.InsufficientPrivilege
    )


def test_the_database_gives_an_instruction_no_second_outcome(bench: Bench, tmp_path: Path) -> None:
    desk = open_desk(bench, tmp_path, "100.00")
    desk.hand_in(FILES["camt.053"](desk.payments))
    again = (
        "insert into instruction_outcome (tenant, instruction_id, outcome, amount_fen, statement_id, line, at) "
        "select tenant, instruction_id, outcome, amount_fen, statement_id, line, at + interval '1 day' "
        "from instruction_outcome where tenant = %s and outcome = 'paid'"
    )
    assert refused_by(bench, again, bench.tenant) is pg.UniqueViolation
    [count] = bench.rows("select count(*) as paid from instruction_outcome where tenant = %s", bench.tenant)
    assert count.paid == len(desk.payments)
