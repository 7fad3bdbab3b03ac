"""The ledger as a finance team reads it over HTTP: accounts, statements, journals."""

from typing import Any

import pytest
from beancount import loader

from tests.settlement_service.bench import CUT, Bench
from tests.settlement_service.desk import Desk

BUDGET = "budget/provincial/2024"


def get(desk: Desk, what: str, **query: Any) -> dict[str, Any]:
    answer = desk.get("maker", f"/v1/tenants/{desk.tenant}/ledger/{what}", query_string=query)
    assert answer.status_code == 200, answer.get_json()
    body: dict[str, Any] = answer.get_json()
    return body


def test_a_statement_is_read_page_by_page_to_its_closing(desk: Desk, bench: Bench) -> None:
    bench.approve("100.00", "200.50", "0.01", "7.00")
    query = {"account": BUDGET, "from": "2024-01-01", "through": "2024-12-31"}
    first = get(desk, "statement", **query, limit=3)
    assert (first["opening"], first["debits"], first["closing"], first["count"]) == ("0.00", "307.51", "-307.51", 4)
    last = get(desk, "statement", **query, limit=3, cursor=first["next_cursor"])
    assert last["next_cursor"] is None
    lines = first["items"] + last["items"]
    assert [line["balance"] for line in lines] == ["-100.00", "-300.50", "-300.51", "-307.51"]
    assert {line["other_account"] for line in lines} == {"obligations/provincial/2024"}


def test_the_accounts_are_listed_with_their_sums(desk: Desk, bench: Bench) -> None:
    bench.approve("100.00")
    first = get(desk, "accounts", limit=1)
    assert [each["account"] for each in first["items"]] == [BUDGET]
    rest = get(desk, "accounts", cursor=first["next_cursor"])
    assert [(each["account"], each["balance"]) for each in rest["items"]] == [("obligations/provincial/2024", "100.00")]
    assert get(desk, "accounts", prefix="nothing/")["items"] == []


@pytest.mark.parametrize("dialect", ["hledger", "beancount"])
def test_the_journal_is_a_download_that_its_program_reads(desk: Desk, bench: Bench, dialect: str) -> None:
    bench.approve("100.00", "200.00")
    answer = desk.get("maker", f"/v1/tenants/{desk.tenant}/ledger/journal", query_string={"format": dialect})
    text = answer.get_data(as_text=True)
    assert answer.mimetype == "text/plain"
    assert desk.tenant in answer.headers["Content-Disposition"]
    assert text.count("posted: award") == 2
    if dialect == "beancount":
        assert loader.load_string(text)[1] == []


@pytest.mark.parametrize(
    ("what", "query", "status", "code"),
    [
        ("statement", {}, 422, "input.invalid"),
        ("statement", {"account": "budget/none/2024"}, 404, "not_found"),
        ("statement", {"account": BUDGET, "from": "2024-13-01"}, 422, "input.invalid"),
        ("statement", {"account": BUDGET, "from": "2024-02-02", "through": "2024-02-01"}, 422, "input.invalid"),
        ("statement", {"account": BUDGET, "cursor": "MjAyNC0wMS0wMQ"}, 422, "input.invalid"),
        ("statement", {"account": "x\x00"}, 400, "address.control_character"),
        ("accounts", {"cursor": "!!"}, 422, "input.invalid"),
        ("accounts", {"prefix": "x" * 201}, 422, "input.invalid"),
        ("accounts", {"cursor": "AA"}, 422, "input.invalid"),
        ("journal", {"format": "gnucash"}, 422, "input.invalid"),
    ],
)
def test_a_faulty_query_is_refused(
    desk: Desk, bench: Bench, what: str, query: dict[str, str], status: int, code: str
) -> None:
    bench.approve("1.00", at=CUT)
    answer = desk.get("maker", f"/v1/tenants/{desk.tenant}/ledger/{what}", query_string=query)
    assert (answer.status_code, answer.get_json()["code"]) == (status, code)


def test_a_ledger_of_another_tenant_answers_like_an_absent_one(desk: Desk, bench: Bench) -> None:
    bench.approve("1.00")
    desk.hire("stranger", "audit:read", tenant="jiangsu")
    paths = [
        f"/v1/tenants/{tenant}/ledger/{what}"
        for tenant in (desk.tenant, "atlantis")
        for what in ("accounts", "journal")
    ]
    assert {desk.get("stranger", path).status_code for path in paths} == {404}
