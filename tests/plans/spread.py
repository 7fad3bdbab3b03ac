"""Very many claims of one tenant spread over batches and what banks said, made by SQL past every check."""

from typing import Final

from sqlalchemy import Connection

TABLES: Final = (
    "claim", "batch", "obligation", "instruction", "instruction_claim", "instruction_outcome", "clawback", "reissue",
)  # fmt: skip
RARE: Final = ("approved", "batched", "in_publicity", "payable", "instructed", "paid", "returned", "clawed_back")
"""States of which there are ``FEW`` claims each, behind all the others."""
FEW: Final = 3
STATES: Final = {
    "approved": None, "batched": "cut", "in_publicity": "in_publicity", "payable": "sealed", "instructed": "instructed",
    "paid": "settled", "returned": "settled", "clawed_back": "closed",
}  # fmt: skip
"""The state of the batch in which such a claim is."""
_CLAIM: Final = (
    "with made as (insert into claim (tenant, id, claim_no, platform, external_id, scheme, mode, state, revision, "
    "content_mac, quota_year, enterprise_uscc, enterprise_name, provider_uscc, provider_name, division, base_fen, "
    "computed_fen, award_fen, matching_fen, submitted_at, received_at, changed_at) "
    "select %(t)s, gen_random_uuid(), %(t)s || %(first)s + n, 'jssic', %(t)s || %(first)s + n, 'provincial', "
    "'common_use', 'approved', 1, '\\x00', 2024, 'U' || n %% 500, 'e', 'P' || n %% 100, 'p', '320100', 1, 1, 1, 0, "
    "'2024-01-02'::timestamptz + n * interval '1 minute', now(), now() from generate_series(1, %(n)s) n returning *) "
    "insert into obligation (tenant, id, claim_no, platform, scheme, mode, quota_year, enterprise_name, provider_name, "
    "provider_uscc, payee_name, account_name, account_sealed, payee_digest, bank_name, cnaps, amount_fen, approved_at, "
    "batch_id) select tenant, id, claim_no, platform, scheme, mode, 2024, 'e', 'p', 'u', 'e', 'e', '\\x00', "
    "sha256('x'), 'b', 'c', 1, now(), %(batch)s from made"
)
_BATCH: Final = (
    "insert into batch (tenant, id, batch_no, scheme, mode, kind, state, cut_off_at, item_count, total_fen, cut_by, "
    "cut_at, state_by, instructed_at) select %(t)s, %(batch)s, %(batch)s::text, 'provincial', 'common_use', "
    "'common_use', %(state)s, now(), %(n)s, 1, 'x', now(), 'x', "
    "case when %(state)s in ('settled', 'closed') then now() when %(state)s = 'instructed' then now() + '1 hour' end"
)
_INSTRUCTION: Final = (
    "with paid as (select tenant, id, gen_random_uuid() as instruction, row_number() over () as line from obligation "
    "where tenant = %(t)s and batch_id = %(batch)s), told as (insert into instruction (tenant, id, batch_id, line, "
    "payee_claim_id, claim_count, amount_fen, created_at) select tenant, instruction, %(batch)s, line, id, 1, 1, now() "
    "from paid) insert into instruction_claim (tenant, claim_id, instruction_id) "
    "select tenant, id, instruction from paid"
)
_OUTCOME: Final = (
    "insert into instruction_outcome (tenant, instruction_id, outcome, amount_fen, call_id, at) "
    "select tenant, id, o, 1, gen_random_uuid(), now() from instruction, unnest(%(outcomes)s::text[]) o "
    "where tenant = %(t)s and batch_id = %(batch)s"
)
_CLAWBACK: Final = (
    "insert into clawback (tenant, id, claim_id, amount_fen, reason, made_by, made_at) select tenant, "
    "gen_random_uuid(), id, 1, 'x', 'x', now() from obligation where tenant = %(t)s and batch_id = %(batch)s"
)


def unchecked(connection: Connection) -> None:
    """Take the checks of these tables away, but for their keys: the database is the test's own."""
    rows = connection.exec_driver_sql(
        "select conrelid::regclass::text as of, conname from pg_constraint where contype in ('c', 'f') "
        "and conrelid = any(%s::regclass[]) and conparentid = 0",
        ([*TABLES],),
    ).all()
    for table, name in rows:
        connection.exec_driver_sql(f'alter table {table} drop constraint if exists "{name}" cascade')
    for table in TABLES:
        connection.exec_driver_sql(f"alter table {table} disable trigger user")


def fill(connection: Connection, tenant: str, rows: int, most: str, batches: int) -> None:
    """So many claims in the state ``most``, in so many batches, and a few in each other state, whose ids come last."""
    connection.exec_driver_sql("select * from bind_scope(%s, null)", (tenant,))
    first = 0
    for _ in range(batches):
        _some(connection, tenant, first, rows // batches, most)
        first += rows // batches
    for state in RARE:
        _some(connection, tenant, first, FEW, state)
        first += FEW


def _some(connection: Connection, tenant: str, first: int, count: int, state: str) -> None:
    of = STATES[state]
    batch = None if of is None else connection.exec_driver_sql("select gen_random_uuid()").scalar_one()
    values = {"t": tenant, "first": first, "n": count, "batch": batch, "state": of}
    connection.exec_driver_sql(_CLAIM, values)
    if of is not None:
        connection.exec_driver_sql(_BATCH, values)
    if of in {"instructed", "settled", "closed"}:
        connection.exec_driver_sql(_INSTRUCTION, values)
    told = {"paid": ["paid"], "returned": ["paid", "returned"], "clawed_back": ["paid"]}.get(state)
    if told is not None:
        connection.exec_driver_sql(_OUTCOME, values | {"outcomes": told})
    if state == "clawed_back":
        connection.exec_driver_sql(_CLAWBACK, values)
