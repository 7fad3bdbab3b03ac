"""The whole interface against anything at all: never a fault of ours, nothing stored of what is refused.

A short run each time; ``--long`` for campaigns.
"""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any, Final
from urllib.parse import quote
from uuid import uuid4

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from clearing.app import create_app
from clearing.claims.vault import open_vault
from clearing.embedded import Addresses
from clearing.service import Service
from clearing.settings import Settings
from tenants.credentials import create_client, new_token, store_token
from tenants.kernel.clock import FixedClock
from tenants.kernel.database import open_engine
from tenants.kernel.secrets import load_secrets
from tenants.principal import SCOPES
from tests.intake.bodies import JIANGSU, WUJIANG, Body, Programme, claim, receipt
from tests.intake.prepared import prepared

NOW: Final = datetime.fromisoformat("2024-08-29T13:00:00+08:00")
SHORT: Final = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
LONG: Final = settings(max_examples=6000, deadline=None, suppress_health_check=list(HealthCheck))
STORES: Final = (
    "claim", "claim_revision", "assessment", "hold", "review", "registry_key", "registry_holding", "ledger_transfer",
    "audit_entry", "outbox", "support_record", "reservation", "number_series", "linked_region_list",
    "linked_region", "batch", "objection",
)  # fmt: skip
"""Tables in which a refused request leaves nothing."""


@dataclass(frozen=True)
class Interface:
    """The application with two callers that may do everything for Jiangsu and Wujiang."""

    app: Flask
    auditor: Engine
    platform: str
    person: str

    def call(self, method: str, path: str, data: bytes | None = None, **headers: str) -> TestResponse:
        """A call of the platform's, which must be no fault of ours."""
        given_ = {"Authorization": f"Bearer {self.platform}", "Content-Type": "application/json"}
        given_ |= {name.replace("_", "-"): value for name, value in headers.items()}
        reply = self.app.test_client().open(path, method=method, data=data, headers=given_)
        assert reply.status_code < 500, (method, path, data, headers, reply.get_data())
        return reply

    def stored(self) -> dict[str, int]:
        """How many rows each table has."""
        counts = ", ".join(f"(select count(*) from {table})" for table in STORES)  # noqa: S608 - our own tables
        with self.auditor.connect() as connection:
            [row] = connection.exec_driver_sql(f"select {counts}")
        return dict(zip(STORES, row, strict=True))


@pytest.fixture(scope="session")
def interface(servers: Addresses, data_dir: Path) -> Iterator[Interface]:
    prepared(servers, data_dir / "secrets")
    engine, auditor = open_engine(servers.app_url), open_engine(servers.auditor_url)
    secrets = load_secrets(data_dir / "secrets")
    options = Settings(servers.app_url, servers.redis_url, data_dir / "secrets", demonstration=True)
    service = Service(options, engine, Redis.from_url(servers.redis_url), secrets, open_vault(secrets), FixedClock(NOW))
    tokens = []
    with engine.begin() as connection:
        for platform, person in (("jssic", None), (None, "全权")):
            client = create_client(connection, platform, ("jiangsu", "wujiang"), SCOPES, person, NOW)
            tokens.append(new_token(sandbox=False))
            store_token(connection, tokens[-1], client.client_id, SCOPES, NOW)
    yield Interface(create_app(service), auditor, *tokens)
    engine.dispose()
    auditor.dispose()


# ------------------------------------------------------------------------------------------------------ what is hostile

TEXTS: Final = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        (
            "", " ", "　", "\u0000", "\u202e", "\ufeff", "\u200b", "\ud800", "\udfff", "\U0010ffff", "A" * 300,
            "中" * 600,
            "' or 1=1 --", "$$", "%s", "%(x)s", "{0}", "../../etc/passwd", "\\", '"', "=1+1", "null", "NaN", "Infinity",
            "-0", "1e9", "0x1F", "１００.００", "10000.001", "-1.00", "99999999999999.99", "9999999999999.99", "0.00",
            "00.10", "1,000.00", "2024-02-30", "2024-W01-1", "２０２４-01-01", "0001-01-01", "9999-12-31",
            "2024-08-29T12:00:00", "2024-08-29T24:00:00Z", "2024-08-29T12:00:60Z", "2024-08-29T12:00:00+99:99",
            "91320115EAXE0JLX70", "00000000-0000-0000-0000-000000000000", "jiangsu", "wujiang", "atlantis",
        )
    ),
)  # fmt: skip
SCALARS: Final = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from((2**31, 2**53, 2**63, 2**64, -(2**63) - 1, 10**400)),
    st.floats(allow_nan=True, allow_infinity=True),
    TEXTS,
)
VALUES: Final = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value, the whole not included."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, inner in members for place in [(*path, key), *places(inner, (*path, key))]]


def written(value: Any) -> bytes:
    """The value as JSON text, whatever it holds: lone surrogates escaped, NaN as it is."""
    return json.dumps(value, ensure_ascii=True, allow_nan=True).encode()


@st.composite
def mutations(draw: st.DrawFn) -> Callable[[Body], Body]:
    """A few changes of any valid body: values replaced, members dropped, renamed, added, doubled, nested."""
    seeds = draw(
        st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from("rrrrdnaDN"), VALUES), min_size=1, max_size=3)
    )

    def change(body: Body) -> Body:
        changed = deepcopy(body)
        for number, way, value in seeds:
            known = places(changed)
            if known:
                _change(changed, known[number % len(known)], way, deepcopy(value))
        return changed

    return change


def _change(body: Any, place: tuple[Any, ...], way: str, value: Any) -> None:
    *outer, key = place
    inner = body
    for step in outer:
        inner = inner[step]
    match way:
        case "r":
            inner[key] = value
        case "d":
            del inner[key]
        case "n" if isinstance(inner, dict):
            inner[f"{key}x"] = inner.pop(key)
        case "a" if isinstance(inner, dict):
            inner["unheard_of"] = value
        case "D" if isinstance(inner, list):
            inner.extend(deepcopy(inner[key]) for _ in range(3))
        case _:
            inner[key] = [inner[key]]


# ----------------------------------------------------------------------------------------------------- what is promised


def check_claim(interface: Interface, body: Body) -> None:
    """One claim: stored as a whole and shown, or refused with places and nothing stored."""
    before = interface.stored()
    reply = interface.call("POST", "/v1/claims", written(body))
    if reply.status_code in {200, 201}:
        assert reply.get_json()["state"] in {"in_review", "on_hold", "needs_correction", "rejected", "approved"}
        assert interface.call("GET", reply.headers["Location"] + "/trace").status_code == 200
        return
    check_refusal(reply)
    assert interface.stored() == before, reply.get_data()
    if reply.status_code == 422:
        assert reply.get_json()["errors"]
        for error in reply.get_json()["errors"]:
            assert_place_exists(body, error["pointer"])


def check_refusal(reply: TestResponse) -> None:
    """A problem in both languages' form, saying nothing of the inside."""
    assert reply.mimetype == "application/problem+json", reply.get_data()
    problem = reply.get_json()
    assert {"type", "title", "status", "code", "detail"} <= set(problem)
    assert problem["status"] == reply.status_code
    for word in ("psycopg", "sqlalchemy", "Traceback", "SELECT", "select ", "marshmallow", "registry_key"):
        assert word not in reply.get_data(as_text=True)


def assert_place_exists(body: Any, pointer: str) -> None:
    """A pointer leads to a place of the body, or to a member that is missing from an object that is there."""
    assert pointer == "" or pointer.startswith("/")
    for part in pointer.split("/")[1:-1]:
        key = part.replace("~1", "/").replace("~0", "~")
        assert isinstance(body, dict | list), pointer
        body = body[int(key)] if isinstance(body, list) else body[key]
    if pointer and isinstance(body, list):
        assert int(pointer.rpartition("/")[2]) < len(body)


PROGRAMMES: Final = st.sampled_from((JIANGSU, WUJIANG))


@SHORT
@given(programme=PROGRAMMES, change=mutations())
def test_a_mutated_claim_is_stored_whole_or_refused_with_its_places(
    interface: Interface, programme: Programme, change: Callable[[Body], Body]
) -> None:
    check_claim(interface, change(claim(programme)))


@pytest.mark.long
@LONG
@given(programme=PROGRAMMES, change=mutations())
def test_many_mutated_claims_are_stored_whole_or_refused_with_their_places(
    interface: Interface, programme: Programme, change: Callable[[Body], Body]
) -> None:
    check_claim(interface, change(claim(programme)))


PIECES: Final = st.binary(max_size=12) | st.sampled_from((b"{", b"[" * 40, b'"a":1,', b"1e999,", b"\xed\xa0\x80"))


@st.composite
def spoilings(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """Some bytes of a valid body cut, changed, dropped or put in; or any bytes in place of it."""
    if draw(st.integers(0, 4)) == 0:
        anything = draw(st.binary(max_size=200))
        return lambda _: anything
    changes = draw(st.lists(st.tuples(st.integers(0, 5000), st.sampled_from("cbid"), PIECES), min_size=1, max_size=4))

    def spoil(valid: bytes) -> bytes:
        data = bytearray(valid)
        for number, way, piece in changes:
            at = number % (len(data) + 1)
            match way:
                case "c":
                    del data[at:]
                case "b":
                    data[at : at + 1] = bytes([number % 256])
                case "i":
                    data[at:at] = piece
                case _:
                    del data[at : at + 1 + len(piece)]
        return bytes(data)

    return spoil


def check_bytes(interface: Interface, data: bytes) -> None:
    before = interface.stored()
    reply = interface.call("POST", "/v1/claims", data)
    if reply.status_code not in {200, 201}:
        check_refusal(reply)
        assert interface.stored() == before


@SHORT
@given(spoil=spoilings())
def test_spoiled_bytes_are_stored_whole_or_refused(interface: Interface, spoil: Callable[[bytes], bytes]) -> None:
    check_bytes(interface, spoil(written(claim())))


@pytest.mark.long
@LONG
@given(spoil=spoilings())
def test_many_spoiled_bytes_are_stored_whole_or_refused(interface: Interface, spoil: Callable[[bytes], bytes]) -> None:
    check_bytes(interface, spoil(written(claim())))


LINES: Final = st.lists(
    st.one_of(
        st.just(lambda _: b""),
        spoilings().map(lambda spoil: lambda body: spoil(written(body)).replace(b"\n", b"")),
        mutations().map(lambda change: lambda body: written(change(body))),
    ),
    max_size=6,
)


@SHORT
@given(makers=LINES)
def test_lines_of_any_kind_are_answered_one_by_one(interface: Interface, makers: list[Callable[[Body], bytes]]) -> None:
    lines = [make(claim()) for make in makers]
    reply = interface.call("POST", "/v1/claims/bulk", b"\n".join(lines), Content_Type="application/x-ndjson")
    answers = [json.loads(one) for one in reply.get_data().splitlines()]
    assert [one["line"] for one in answers] == [number for number, one in enumerate(lines, 1) if one.strip()]
    for one in answers:
        assert one["status"] < 500
        assert ("claim" in one) is (one["status"] in {200, 201})


def bodies() -> dict[tuple[str, str], Body]:
    """Every other call that reads JSON, with a body that it takes."""
    body = claim(WUJIANG, mode="cross_redemption")
    shared = ("external_id", "tenant", "scheme", "mode", "enterprise", "provider", "contract")
    someone = uuid4()
    batch = f"/v1/tenants/jiangsu/batches/{someone}"
    return {
        ("POST", "/v1/reservations"): {name: body[name] for name in shared}
        | {"requested_at": "2024-08-29T12:00:00+08:00"},
        ("POST", "/v1/support-records"): {
            "platform": "jssic", "external_id": body["external_id"], "tenant": "jiangsu",
            "enterprise_uscc": body["enterprise"]["uscc"], "supported_on": "2024-06-03",
            "keys": [{"kind": "invoice", "value": "24322000000123456789", "amount": "1.00"}],
        },
        ("POST", f"/v1/claims/{someone}/reviews"): {
            "stage": "center", "outcome": "approve", "award": "1.00", "reason": "x",
        },
        ("POST", f"/v1/claims/{someone}/withdraw"): {"reason": "x"},
        ("POST", f"/v1/claims/{someone}/objections"): {"reason": "试探"},
        ("POST", f"/v1/claims/{someone}/holds/{someone}/resolution"): {"outcome": "clear", "reason": "x"},
        ("PUT", "/v1/tenants/jiangsu/schemes/none/budgets/2099"): {"amount": "1.00", "reason": "x"},
        ("PUT", "/v1/tenants/jiangsu/linked-regions/2099"): {"regions": {"320300": ["tech_sme"]}},
        ("POST", "/v1/tenants/jiangsu/linked-regions/2099/decision"): {
            "version": 1, "outcome": "reject", "reason": "x",
        },
        ("PUT", "/v1/tenants/jiangsu/payout-account"): {
            "account_name": "试", "account_number": "62220000111122", "bank_name": "行", "cnaps": "102100099996",
        },
        ("POST", "/v1/tenants/jiangsu/batches"): {
            "scheme": "provincial", "mode": "common_use", "cut_off": "2020-01-01",
        },
        ("POST", f"{batch}/cancel"): {"reason": "x"},
        ("POST", f"{batch}/publish"): {"reason": "x"},
        ("PUT", "/v1/demo/clock"): {"now": "2000-01-01T00:00:00+08:00"},
    }  # fmt: skip


def check_other(interface: Interface, number: int, change: Callable[[Body], Body]) -> None:
    known = list(bodies().items())
    (method, path), body = known[number % len(known)]
    for token in (interface.platform, interface.person):
        before = interface.stored()
        reply = interface.call(method, path, written(change(body)), Authorization=f"Bearer {token}")
        if reply.status_code >= 400:
            check_refusal(reply)
            assert interface.stored() == before


@SHORT
@given(number=st.integers(0, 100), change=mutations())
def test_every_other_body_mutated_is_taken_or_refused(
    interface: Interface, number: int, change: Callable[[Body], Body]
) -> None:
    check_other(interface, number, change)


@pytest.mark.long
@LONG
@given(number=st.integers(0, 100), change=mutations())
def test_every_other_body_mutated_at_length_is_taken_or_refused(
    interface: Interface, number: int, change: Callable[[Body], Body]
) -> None:
    check_other(interface, number, change)


QUERIES: Final = {
    "/v1/claims": (
        "tenant", "scheme", "mode", "state", "platform", "enterprise", "provider", "quota_year", "external_id",
        "claim_no", "submitted_from", "submitted_through", "limit", "cursor", "unheard_of",
    ),
    "/v1/reservations": ("limit", "cursor"),
    "/v1/quotas": ("tenant", "scheme", "enterprise", "year"),
    "/v1/events": ("after", "limit", "cursor"),
    "/v1/tenants/jiangsu/batches": ("state", "scheme", "mode", "limit", "cursor"),
    "/notices": ("tenant", "format", "cursor"),
}  # fmt: skip
GOOD_QUERIES: Final = {
    "/v1/quotas": {"tenant": "jiangsu", "scheme": "provincial", "enterprise": "91320115EAXE0JLX7F", "year": "2024"}
}
HOSTILE_VALUES: Final = (
    TEXTS
    | st.integers().map(str)
    | st.sampled_from(
        ("0", "99999", "-1", "1.5", "2147483648", "9223372036854775808", "MQ", "YWJj", "====", "AAAA" * 99)
    )
)


def status_of_query(interface: Interface, path: str, given_: dict[str, str]) -> int:
    """The answer's status; a refusal is checked to be a proper one."""
    values = GOOD_QUERIES.get(path, {}) | given_
    query = "&".join(f"{name}={quote(value.encode('utf-8', 'replace'))}" for name, value in values.items())
    reply = interface.call("GET", f"{path}?{query}")
    if reply.status_code >= 400:
        check_refusal(reply)
    return reply.status_code


@SHORT
@given(data=st.data())
def test_any_query_is_answered_or_refused(interface: Interface, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(QUERIES)))
    names = data.draw(st.lists(st.sampled_from(QUERIES[path]), min_size=1, max_size=3, unique=True))
    assert status_of_query(interface, path, {name: data.draw(HOSTILE_VALUES) for name in names}) < 500


@pytest.mark.parametrize("path", QUERIES)
def test_every_parameter_of_every_list_survives_what_numbers_and_names_are_not(interface: Interface, path: str) -> None:
    worst = (
        "",
        "\0",
        "0",
        "-1",
        "99999",
        "9" * 30,
        "1e3",
        "１",
        "YWJj",
        "\ud800".encode("utf-8", "replace").decode(),
        "'",
        "x" * 3000,
    )
    for name in QUERIES[path]:
        for value in worst:
            assert status_of_query(interface, path, {name: value}) < 500


PATHS: Final = (
    "/v1/claims/{}", "/v1/claims/{}/trace", "/v1/reservations/{}", "/v1/tenants/{}/schemes/provincial/policies",
    "/v1/tenants/jiangsu/schemes/{}/policies", "/v1/tenants/jiangsu/schemes/provincial/policies/{}",
    "/v1/tenants/jiangsu/schemes/{}/budgets/2024", "/v1/tenants/jiangsu/schemes/provincial/budgets/{}",
    "/v1/tenants/jiangsu/linked-regions/{}", "/v1/tenants/jiangsu/batches/{}", "/notices/{}/1", "/notices/jiangsu/{}",
    "/.well-known/jwks/{}.json", "/{}",
)  # fmt: skip


@SHORT
@given(path=st.sampled_from(PATHS), value=HOSTILE_VALUES)
def test_any_path_is_answered_or_refused(interface: Interface, path: str, value: str) -> None:
    reply = interface.call("GET", path.format(quote(value.encode("utf-8", "replace"), safe="")))
    if reply.status_code >= 400:
        check_refusal(reply)


HEADERS: Final = (
    "Idempotency_Key", "If_Match", "If_None_Match", "Accept_Language", "Content_Type", "Accept", "X_Request_Id",
    "traceparent", "Content_Encoding", "Range", "X_Forwarded_For", "X_HTTP_Method_Override",
)  # fmt: skip
HEADER_TEXTS: Final = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=300)


@SHORT
@given(given_=st.dictionaries(st.sampled_from(HEADERS), HEADER_TEXTS, min_size=1, max_size=4))
def test_any_header_is_taken_or_refused(interface: Interface, given_: dict[str, str]) -> None:
    for method, path, data in (("POST", "/v1/claims", written(claim())), ("GET", "/v1/claims?limit=1", None)):
        reply = interface.call(method, path, data, **given_)
        if reply.status_code >= 400:
            check_refusal(reply)


@SHORT
@given(token=HEADER_TEXTS)
def test_any_token_is_refused(interface: Interface, token: str) -> None:
    assert interface.call("GET", "/v1/claims", Authorization=f"Bearer {token}").status_code == 401


def test_the_generator_reaches_stored_claims_and_refusals_alike(interface: Interface) -> None:
    """What the fuzz above draws from is neither always refused nor never."""
    rng = Random(5)
    seen = set()
    for number in range(60):
        body = claim()
        known = places(body)
        _change(body, known[rng.randrange(len(known))], "rdnaDN"[number % 6], rng.choice((None, "x", [], 1)))
        seen.add(interface.call("POST", "/v1/claims", written(body)).status_code)
    assert seen >= {201, 422}
    short = claim(receipts=[receipt("1.00")])
    assert interface.call("POST", "/v1/claims", written(short)).get_json()["state"] == "needs_correction"
