"""With 10,000 rows of several tenants the hot queries go by an index, row-level security included."""

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, Engine, event

from clearing import relay
from clearing.auditing.search import Wanted, found_by, search
from clearing.claims import districts, reservation_list
from clearing.claims.listing import Filter, list_claims, totals_of
from clearing.claims.queue import next_in_review, waiting_claims
from clearing.claims.records import by_external_id
from clearing.operating import jobs, receipts
from clearing.tenancy import waiting
from clearing.tenancy.admissions import ADMISSIONS
from clearing.tenancy.qualifications import QUALIFICATIONS
from settlement.batches.preview import open_amounts
from settlement.cycles.exposure import exposures
from settlement.ledger import lock_accounts, lock_limited
from settlement.matching_list import overdue_count
from tests.plans.steps import plan, touched, walked
from tests.settlement_service.bench import new_tenant

ROWS = 10_000
BIG = {
    "claim", "hold", "ledger_account", "ledger_transfer", "audit_entry", "obligation", "outbox", "idempotency_key",
    "qualification", "admission", "reservation", "receipt", "reviewer_district",
}  # fmt: skip
CLAIM = (
    "insert into claim (tenant, id, claim_no, platform, external_id, scheme, mode, state, next_stage, revision, "
    "content_mac, enterprise_uscc, enterprise_name, provider_uscc, provider_name, division, base_fen, computed_fen, "
    "award_fen, matching_fen, submitted_at, received_at, changed_at) "
    "select %(t)s, gen_random_uuid(), %(t)s || n, 'jssic', %(t)s || n, 'provincial', 'common_use', "
    "case when n %% 50 = 0 then 'in_review' else 'withdrawn' end, case when n %% 50 = 0 then 'center' end, 1, '\\x00', "
    "'U' || n, 'e', 'P' || n %% 100, 'p', '320100', 1, 1, 1, 0, now(), now(), now() from generate_series(1, %(n)s) n"
)
FILL = (
    CLAIM,
    (
        "insert into hold (tenant, id, claim_id, code, place, detail, opened_at) "
        "select tenant, gen_random_uuid(), id, 'x', '', '{}', now() from claim where tenant = %(t)s"
    ),
    "insert into ledger_account (tenant, code, counted) select %(t)s, 'a/' || n, true from generate_series(1, %(n)s) n",
    (
        "insert into ledger_transfer (tenant, id, kind, debit, credit, amount_fen, reason, subject_id, at) "
        "select %(t)s, gen_random_uuid(), 'pending', 'a/' || n, 'a/1', 1, 'x', gen_random_uuid(), now() "
        "from generate_series(2, %(n)s) n"
    ),
    (
        "insert into audit_entry (tenant, seq, at, action, subject_id, body, hash) "
        "select %(t)s, n, now(), 'x', gen_random_uuid(), '{}', sha256('x') from generate_series(1, %(n)s) n"
    ),
    (
        "insert into obligation (tenant, id, claim_no, platform, scheme, mode, quota_year, enterprise_name, "
        "provider_name, provider_uscc, payee_name, account_name, account_sealed, payee_digest, bank_name, cnaps, "
        "amount_fen, approved_at, released_at) "
        "select tenant, id, claim_no, platform, scheme, mode, 2024, 'e', 'p', 'u', 'e', 'e', '\\x00', "
        "sha256('x'), 'b', 'c', 1, now(), case when next_stage is null then now() end from claim where tenant = %(t)s"
    ),
    (
        "insert into outbox (id, tenant, kind, subject_id, payload, created_at, next_attempt_at, done_at) "
        "select gen_random_uuid(), %(t)s, 'batch.instruct', gen_random_uuid(), '{}', now(), now(), "
        "case when n %% 50 <> 0 then now() end from generate_series(1, %(n)s) n"
    ),
    (
        "insert into qualification (tenant, id, scheme, year, uscc, name, division, enterprise_type, proof, "
        "policy_version, at_once, state, from_on, through_on, entered_by, entered_at) "
        "select %(t)s, gen_random_uuid(), 'provincial', 2024, 'U' || n, 'e', '320100', 'tech_sme', '{}', 'x', "
        "n %% 50 <> 0, case when n %% 50 = 0 then 'applied' else 'admitted' end, '2024-01-01', '2024-12-31', "
        "'p', now() from generate_series(1, %(n)s) n"
    ),
    (
        "insert into admission (tenant, id, scheme, uscc, name, division, kind, direct, proofs, policy_version, state, "
        "from_on, entered_by, entered_at) "
        "select %(t)s, gen_random_uuid(), 'provincial', 'U' || n, 'e', '320100', 'university', n %% 50 <> 0, '[]', "
        "'x', case when n %% 50 = 0 then 'applied' else 'admitted' end, '2024-01-01', 'p', now() "
        "from generate_series(1, %(n)s) n"
    ),
    (
        "insert into reservation (tenant, id, reservation_no, platform, external_id, scheme, mode, state, "
        "enterprise_uscc, enterprise_name, provider_uscc, provider_name, contract_number, request, quota_year, "
        "amount_fen, computed_fen, expires_on, requested_at) select %(t)s, gen_random_uuid(), %(t)s || n, 'jssic', "
        "%(t)s || n, 'provincial', 'common_use', 'requested', 'U' || n, 'e', 'P', 'p', 'c', '{}', 2024, 1, 1, "
        "'2024-12-31', now() from generate_series(1, %(n)s) n"
    ),
    (
        "insert into receipt (tenant, id, platform, day_on, submissions, claimed_fen, issued_at) "
        "select %(t)s, gen_random_uuid(), 'jssic', '1990-01-01'::date + n, 1, 1, now() from generate_series(1, %(n)s) n"
    ),
    (
        "insert into reviewer_district (tenant, id, person, division, ground, set_by, set_at) "
        "select %(t)s, gen_random_uuid(), 'p' || n, '320300', 'g', 's', now() from generate_series(1, %(n)s) n"
    ),
)


@pytest.fixture(scope="module")
def tenant(owner: Engine) -> str:
    """A tenant with so many rows in each table, beside another with a quarter of them."""
    names = [new_tenant(owner), new_tenant(owner)]
    with owner.begin() as connection:
        connection.exec_driver_sql("select * from bind_scope(%s, null)", (",".join(names),))
        for name, rows in zip(names, (ROWS, ROWS // 4), strict=True):
            for statement in FILL:
                connection.exec_driver_sql(statement, {"t": name, "n": rows})
    with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("analyze")
    return names[0]


@pytest.fixture
def bound(app: Engine, tenant: str) -> Iterator[Connection]:
    with app.connect() as connection:
        connection.exec_driver_sql("select * from bind_scope(%s, 'jssic')", (tenant,))
        yield connection
        connection.rollback()


WHERE_ONE = "= (select id from claim where external_id = %(t)s || '77')"
HOT = {
    "a claim by its id": (f"select * from claim_now where id {WHERE_ONE}", 10),  # noqa: S608 - our own words
    "a claim under its lock": (f"select id from claim where id {WHERE_ONE} for no key update", 10),  # noqa: S608 - our own words
    "claims by their ids": (
        (
            "select * from claim_now c where c.id = any(array(select id from claim where external_id = any(array["
            "%(t)s || '7', %(t)s || '8'])))"
        ),
        20,
    ),
    "holds of a claim": (f"select * from hold where claim_id {WHERE_ONE}", 10),  # noqa: S608 - our own words
    "claims of an enterprise": ("select id from claim_now where enterprise_uscc = 'U77' order by id limit 51", 10),
    "what waits for a review": (
        "select id from claim where tenant = %(t)s and state = 'in_review' order by id limit 51",
        ROWS // 50,  # those that wait: where they lie scattered, reading them all by the index and sorting is cheaper
    ),
    "transfers of a claim": (
        (
            "select id from ledger_transfer t where t.tenant = %(t)s and t.subject_id = any(array["
            "'00000000-0000-7000-8000-000000000000'::uuid]) "
            "and t.kind = 'pending' and not exists (select 1 from ledger_transfer e where e.tenant = t.tenant "
            "and e.pending_id = t.id)"
        ),
        10,
    ),
    "history of a claim": (
        (
            "select body from audit_entry where tenant = %(t)s and subject_id in ("
            "select gen_random_uuid() union all select batch_id from batch_item where tenant = %(t)s "
            "and claim_id = gen_random_uuid()) order by seq"
        ),
        20,
    ),
    "the end of the chain": ("select hash from audit_entry where tenant = %(t)s order by seq desc limit 1", 5),
    "what a batch takes": (
        (
            "select id from obligation where tenant = %(t)s and scheme = 'provincial' and mode = 'common_use' "
            "and approved_at <= now() and batch_id is null and released_at is null"
        ),
        ROWS // 50 + 10,
    ),
}


@pytest.mark.parametrize("name", HOT)
def test_a_hot_query_walks_no_table_and_touches_few_rows(bound: Connection, tenant: str, name: str) -> None:
    statement, most = HOT[name]
    steps = plan(bound, statement, {"t": tenant})
    assert walked(steps) & BIG == set()
    assert touched(steps) <= most


def test_the_statements_of_the_intake_walk_no_table(bound: Connection, tenant: str) -> None:
    for query in (
        by_external_id("jssic", [f"{tenant}7", f"{tenant}8"]),
        lock_limited(tenant, ["a/7", "a/8"]),
    ):
        steps = plan(bound, query.statement, query.values)
        assert walked(steps) & BIG == set()
        assert touched(steps) <= 10
    assert set(lock_accounts(bound, tenant, ["a/7", "a/8", "absent"])) == {"a/7", "a/8"}


def test_the_relay_finds_what_is_open_without_walking_what_is_done(bound: Connection, tenant: str) -> None:
    for statement, values in (
        (relay._OPEN_KINDS, ()),
        (relay._DUE_JOBS, (["batch.instruct"], "2100-01-01", 200)),
        (relay._OLDEST_DUE, (["batch.instruct"], "2100-01-01")),
    ):
        steps = plan(bound, statement, values)
        assert walked(steps) & BIG == set()
        assert touched(steps) <= 1000
    assert relay.open_kinds(bound)


def test_what_waits_for_people_is_found_without_walking_a_table(bound: Connection, tenant: str) -> None:
    sent: list[tuple[str, Any]] = []

    def keep(*call: Any) -> None:
        sent.append((call[2], call[3]))

    event.listen(bound, "before_cursor_execute", keep)
    next_in_review(bound, "nobody", None)
    waiting_claims(bound, date(2024, 1, 1))
    totals_of(bound, Filter.from_query({"state": "in_review"}))
    open_amounts(bound)
    search(bound, tenant, Wanted(on_from=date(2100, 1, 1)), 500, 50)
    found_by(bound, tenant, Wanted(actor="nobody", action="claim."), 50)
    waiting.account_proposals_waiting(bound, "nobody")
    waiting.policies_waiting(bound, "nobody")
    waiting.trust_lists_waiting(bound, "nobody")
    assert waiting.applications_waiting(bound) == (ROWS // 50, ROWS // 50)
    waiting.open_cases(bound, date(2100, 1, 1))
    waiting.stuck_jobs(bound, relay.STUCK_ATTEMPTS)
    event.remove(bound, "before_cursor_execute", keep)
    assert len(sent) == 14
    for statement, values in sent:
        steps = plan(bound, statement, values)
        assert walked(steps) & BIG == set(), statement
        assert touched(steps) <= ROWS // 10, statement


def test_operators_find_open_jobs_without_walking_what_is_done(bound: Connection, tenant: str) -> None:
    sent: list[tuple[str, Any]] = []

    def keep(*call: Any) -> None:
        sent.append((call[2], call[3]))

    event.listen(bound, "before_cursor_execute", keep)
    assert len(jobs.list_jobs(bound, [tenant], {}, None, 51)) == 51
    assert jobs.job_totals(bound, [tenant], {"state": "stuck"}) == (0, 0)
    event.remove(bound, "before_cursor_execute", keep)
    for statement, values in sent:
        steps = plan(bound, statement, values)
        assert walked(steps) & BIG == set(), statement
        assert touched(steps) <= ROWS // 10, statement


@pytest.mark.parametrize("after", [None, UUID("00000000-0000-7000-8000-000000000000")])
def test_a_page_of_claims_goes_by_an_index_in_the_order_of_ids(
    bound: Connection, tenant: str, after: UUID | None
) -> None:
    sent: list[tuple[str, Any]] = []

    def keep(*call: Any) -> None:
        sent.append((call[2], call[3]))

    event.listen(bound, "before_cursor_execute", keep)
    list_claims(bound, Filter((), ()), after, 51)
    event.remove(bound, "before_cursor_execute", keep)
    steps = plan(bound, *sent[0])
    assert walked(steps) & BIG == set()
    assert touched(steps) <= 60


def keeping(bound: Connection, use: Callable[[], object]) -> list[tuple[str, Any]]:
    """The statements that were sent meanwhile."""
    sent: list[tuple[str, Any]] = []

    def keep(*call: Any) -> None:
        sent.append((call[2], call[3]))

    event.listen(bound, "before_cursor_execute", keep)
    use()
    event.remove(bound, "before_cursor_execute", keep)
    return sent


LIMIT = 51
LISTS: dict[str, Callable[[Connection, str, int], tuple[object, object]]] = {
    "claims": lambda c, _t, most: (list_claims(c, Filter((), ()), None, LIMIT), totals_of(c, Filter((), ()), most)),
    "ended claims": lambda c, _t, most: _claims(c, most, {"state": "withdrawn"}),
    "rejected claims, of which there is none": lambda c, _t, most: _claims(c, most, {"state": "rejected"}),
    "open claims": lambda c, _t, most: _claims(c, most, {"state": "in_review,on_hold"}),
    "claims of a provider": lambda c, _t, most: _claims(c, most, {"provider": "P77"}),
    "claims of an enterprise": lambda c, _t, most: _claims(c, most, {"enterprise": "U77"}),
    "one claim": lambda c, t, most: _claims(c, most, {"claim_no": f"{t}77"}),
    "qualifications": lambda c, t, most: (
        QUALIFICATIONS.listed(c, t, {}, None, LIMIT), QUALIFICATIONS.total(c, t, {}, most),
    ),
    "qualifications that wait": lambda c, t, most: (
        None, QUALIFICATIONS.total(c, t, {"state": "applied"}, most),
    ),
    "admissions": lambda c, t, most: (
        ADMISSIONS.listed(c, t, {}, None, LIMIT), ADMISSIONS.total(c, t, {}, most),
    ),
    "reservations": lambda c, _t, most: (
        reservation_list.listed(c, {}, None, LIMIT), reservation_list.reservation_totals(c, {}, most),
    ),
    "receipts": lambda c, t, most: (
        receipts.list_receipts(c, [t], {}, None, LIMIT), receipts.receipt_totals(c, [t], {}, most),
    ),
    "jobs": lambda c, t, most: (jobs.list_jobs(c, [t], {}, None, LIMIT), jobs.job_totals(c, [t], {}, most)),
    "districts": lambda c, t, most: (
        districts.listed(c, t, {}, None, LIMIT), districts.district_totals(c, t, {}, most),
    ),
}  # fmt: skip


def _claims(connection: Connection, most: int, query: dict[str, str]) -> tuple[object, object]:
    wanted = Filter.from_query(query)
    return list_claims(connection, wanted, None, LIMIT), totals_of(connection, wanted, most)


@pytest.mark.parametrize("name", LISTS)
def test_a_list_and_its_bounded_sums_touch_no_more_rows_than_they_show(
    bound: Connection, tenant: str, name: str
) -> None:
    sent = keeping(bound, lambda: LISTS[name](bound, tenant, LIMIT))
    assert sent
    for statement, values in sent:
        steps = plan(bound, statement, values)
        assert touched(steps) <= 6 * LIMIT, (touched(steps), statement)


def test_what_home_says_of_other_regions_is_found_in_windows_and_by_the_day_that_is_due(
    bound: Connection, tenant: str
) -> None:
    sent = keeping(bound, lambda: (exposures(bound, [tenant]), overdue_count(bound, tenant, date(2100, 1, 1), LIMIT)))
    assert len(sent) == 2
    read = [step["Relation Name"] for statement, values in sent for step in plan(bound, statement, values)
            if "Relation Name" in step]  # fmt: skip
    assert {"clearing_cycle", "matching_due"} <= set(read)
    owing = plan(bound, *sent[0])
    assert any(step.get("Filter") or step.get("Index Cond") for step in owing if step.get("Relation Name"))
