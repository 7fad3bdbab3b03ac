"""The first batch of a new database, whose tables have no statistics yet, is released by the right indexes."""

from sqlalchemy import Connection, Engine

from settlement.batches.release import release
from tests.settlement_service.bench import OFFICE, OVER, RELEASER, Bench

CLAIMS = 400
TABLES = ("batch_item", "obligation", "instruction", "instruction_claim")
READ = (
    "select coalesce(sum(pg_stat_get_xact_tuples_returned(i.indexrelid)), 0)::bigint from pg_index i "
    "where i.indrelid = any(%s::regclass[])"
)


def forget_statistics(owner: Engine) -> None:
    """Leave the planner as it is before the first ``analyze``."""
    with owner.begin() as connection:
        for table in TABLES:
            connection.exec_driver_sql("select pg_clear_relation_stats('public', %s)", (table,))


def test_what_a_first_release_reads_grows_with_its_claims_and_not_with_their_square(
    bench: Bench, owner: Engine
) -> None:
    batch = bench.sealed(*["100.00"] * CLAIMS)
    forget_statistics(owner)

    def read_in_release(connection: Connection) -> int:
        release(connection, bench.tenant, batch.id, OFFICE, RELEASER, OVER)
        read: int = connection.exec_driver_sql(READ, ([*TABLES],)).scalar_one()
        return read

    read = bench.do(read_in_release, OVER)
    assert CLAIMS <= read < 40 * CLAIMS
