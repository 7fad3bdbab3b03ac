"""Signed requests: what holds is kept as evidence; what is altered, foreign, stale, used or missing does nothing."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from joserfc.jwk import ECKey
from joserfc.util import json_b64decode, json_b64encode
from sqlalchemy import Engine

from connectors.client import Caller, CallError, ClientSecret, Patience, Platform
from tenants.client_keys import add_key, revoke_key
from tenants.kernel.clock import SystemClock
from tenants.kernel.database import Scope, run
from tenants.request_signature import HEADER, sign
from tests.intake.bodies import Body, claim
from tests.scenarios.callers import TENANTS, Callers
from tests.service.running import Api, Reply, RunningService

ON = date(2024, 9, 30)
CLAIMS = "/v1/claims"
JSON = "application/json"


@dataclass(frozen=True)
class Signer:
    """A client of Jiangsu's platform from which the tenant asks for signatures, and its key."""

    api: Api
    key: ECKey
    engine: Engine

    @property
    def client_id(self) -> str:
        """Its name."""
        assert self.api.client_id is not None
        return self.api.client_id

    def send(self, body: bytes, signature: str | None, path: str = CLAIMS, kind: str = JSON, **more: str) -> Reply:
        """One call with this signature."""
        headers = {} if signature is None else {HEADER.replace("-", "_"): signature}
        return self.api.call("POST", path, body, Content_Type=kind, **headers, **more)

    def signed(self, body: bytes, path: str = CLAIMS, at: datetime | None = None) -> str:
        """The signature of a ``POST`` of the body."""
        return sign(self.key, "POST", path, body, at or datetime.now(UTC))


def register(engine: Engine, client_id: str, key: ECKey) -> str:
    jwk = key.as_dict(private=False)
    return str(run(engine, Scope(TENANTS), SystemClock(), lambda work: add_key(work, client_id, jwk, "陈值班")))


def ask_for_signatures(admin: Api, client: Api, tenant: str = "jiangsu") -> None:
    terms = {"signature_required": True, "networks": [], "ceiling": None}
    assert admin.put(f"/v1/tenants/{tenant}/clients/{client.client_id}/terms", terms).status == 200


@pytest.fixture(scope="module")
def signer(callers: Callers, admin: Api) -> Signer:
    api, key = callers.platform("jssic", "jiangsu"), ECKey.generate_key("P-256")
    one = Signer(api, key, callers.engine)
    register(callers.engine, one.client_id, key)
    ask_for_signatures(admin, api)
    return one


@pytest.fixture
def kept(signer: Signer, auditor: Engine) -> Iterator[None]:
    """What the test sends is never stored, nor kept as evidence."""
    before = count(auditor, signer)
    yield
    assert count(auditor, signer) == before


COUNTS = (
    "select (select count(*) from signed_request where client_id = %s), "
    "(select count(*) from claim_revision where client_id = %s)"
)


def count(auditor: Engine, signer: Signer) -> tuple[int, int]:
    """What is kept of the client's signatures, and of its claims."""
    with auditor.connect() as connection:
        signed, claimed = connection.exec_driver_sql(COUNTS, (signer.client_id,) * 2).one()
    return signed, claimed


def printed(body: Body) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()


def test_the_client_library_signs_single_and_bulk_packed_or_not_and_every_other_write(
    signer: Signer, service: RunningService
) -> None:
    secret = ClientSecret(signer.client_id, signer.api.client_secret)
    for packs in (False, True):
        with Caller(signer.api.address, secret, packs=packs, signs_with=signer.key) as caller:
            platform = Platform(caller)
            made = platform.submit(claim(on=ON))
            assert made.state == "in_review"
            assert [one.status for one in platform.submit_all([claim(on=ON) for _ in range(3)])] == [201] * 3
            assert platform.withdraw(made.id).state == "withdrawn"
            assert platform.claim(made.id).state == "withdrawn"
    assert json.loads(service.run("verify", "--json").stdout)["differences"] == 0


def test_what_was_signed_is_told_by_the_chain(signer: Signer, callers: Callers) -> None:
    body = printed(claim(on=ON))
    assert signer.send(body, signer.signed(body)).status == 201
    watcher = callers.person("沈计", "audit:read")
    told = watcher.get("/v1/audit?tenant=jiangsu&action=request.signed&limit=500").json["items"]
    assert signer.client_id in {one["details"]["client_id"] for one in told}


@pytest.mark.usefixtures("kept")
def test_a_request_without_a_signature_is_refused_and_reading_needs_none(signer: Signer) -> None:
    refused = signer.send(printed(claim(on=ON)), None)
    assert (refused.status, refused.code) == (403, "signature.missing")
    assert HEADER in signer.api.post(CLAIMS, {}, Accept_Language="en").json["detail"]
    assert signer.api.get(CLAIMS).status == 200


@pytest.mark.usefixtures("kept")
def test_an_altered_body_is_refused(signer: Signer) -> None:
    body = printed(claim(on=ON))
    refused = signer.send(body.replace(b"10000.00", b"90000.00") + b" ", signer.signed(body))
    assert (refused.status, refused.code) == (403, "signature.wrong")
    lines = gzip.compress(body)
    other = signer.send(gzip.compress(body, 1), signer.signed(lines), Content_Encoding="gzip")
    assert (other.status, other.code) == (403, "signature.wrong")


@pytest.mark.usefixtures("kept")
def test_another_key_is_refused_whoever_it_belongs_to(signer: Signer, callers: Callers) -> None:
    body, stranger = printed(claim(on=ON)), ECKey.generate_key("P-256")
    unknown = signer.send(body, replace(signer, key=stranger).signed(body))
    assert (unknown.status, unknown.code) == (403, "signature.key_unknown")
    register(callers.engine, str(callers.platform("delta", "wujiang").client_id), stranger)
    foreign = signer.send(body, replace(signer, key=stranger).signed(body))
    assert (foreign.status, foreign.body) == (403, unknown.body)
    header = json_b64decode(signer.signed(body).partition("..")[0].encode())
    lying = sign_as(stranger, header, body)
    refused = signer.send(body, lying)
    assert (refused.status, refused.code) == (403, "signature.wrong")


def sign_as(key: ECKey, header: Any, body: bytes) -> str:
    """A signature with this header, as an engineer's own program might make it."""
    from joserfc.jws import default_registry
    from joserfc.util import urlsafe_b64encode

    encoded = json_b64encode(header)
    made = default_registry.get_alg("ES256").sign(encoded + b"." + body, key)
    return f"{encoded.decode()}..{urlsafe_b64encode(made).decode()}"


@pytest.mark.usefixtures("kept")
def test_a_signature_of_another_request_or_another_time_is_refused(signer: Signer) -> None:
    body = printed(claim(on=ON))
    elsewhere = signer.send(body, signer.signed(body, f"{CLAIMS}/bulk"))
    assert (elsewhere.status, elsewhere.code) == (403, "signature.other_request")
    query = signer.send(body, signer.signed(body), f"{CLAIMS}?more=1")
    assert (query.status, query.code) == (403, "signature.other_request")
    for shift in (timedelta(minutes=-6), timedelta(minutes=6)):
        stale = signer.send(body, signer.signed(body, at=datetime.now(UTC) + shift))
        assert (stale.status, stale.code) == (403, "signature.stale")


def test_a_signature_is_good_once_for_ever(signer: Signer) -> None:
    body = printed(claim(on=ON))
    signature = signer.signed(body)
    assert signer.send(body, signature).status == 201
    again = signer.send(body, signature)
    assert (again.status, again.code) == (409, "signature.replayed")
    assert signer.send(body, signer.signed(body)).status == 200


def test_a_signed_claim_for_a_tenant_that_is_not_the_client_s_is_refused_at_its_place(signer: Signer) -> None:
    body = printed(claim(on=ON) | {"tenant": "wujiang"})
    refused = signer.send(body, signer.signed(body))
    assert (refused.status, refused.json["errors"][0]["pointer"]) == (422, "/tenant")


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(
    "changed",
    [
        {"alg": "none"}, {"alg": "HS256"}, {"b64": True}, {"crit": []}, {"crit": ["b64", "iat"]}, {"jti": ""},
        {"jti": "x" * 300}, {"jti": 5}, {"iat": "now"}, {"iat": 2**70}, {"iat": -1}, {"iat": True}, {"kid": "../x"},
        {"kid": None}, {"path": None}, {"method": 1}, {"jwk": {}}, {"jti": None}, {"iat": 1.5},
    ],
    ids=str,
)  # fmt: skip
def test_a_header_that_says_anything_else_is_refused(signer: Signer, changed: dict[str, Any]) -> None:
    body = printed(claim(on=ON))
    header = json_b64decode(signer.signed(body).partition("..")[0].encode()) | changed
    refused = signer.send(
        body, sign_as(signer.key, {name: value for name, value in header.items() if value is not None}, body)
    )
    assert (refused.status, refused.code) == (400, "signature.malformed")


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(
    "signature", ["", "x", "..", "a..b", "e30..", "W10..AA", "x" * 9000, "a.b.c", "\u00ff..\u00ff"]
)
def test_what_is_no_signature_at_all_is_refused(signer: Signer, signature: str) -> None:
    refused = signer.send(printed(claim(on=ON)), signature)
    assert (refused.status, refused.code) == (400, "signature.malformed")


def test_a_key_that_is_revoked_signs_no_more(callers: Callers, admin: Api) -> None:
    one = Signer(callers.platform("jssic", "jiangsu"), ECKey.generate_key("P-256"), callers.engine)
    kid = register(callers.engine, one.client_id, one.key)
    ask_for_signatures(admin, one.api)
    body = printed(claim(on=ON))
    assert one.send(body, one.signed(body)).status == 201
    run(callers.engine, Scope(TENANTS), SystemClock(), lambda work: revoke_key(work, one.client_id, kid, "陈值班"))
    refused = one.send(body, one.signed(body))
    assert (refused.status, refused.code) == (403, "signature.key_unknown")


def test_who_need_not_sign_may_and_is_held_to_it(callers: Callers) -> None:
    one = Signer(callers.platform("jssic", "jiangsu"), ECKey.generate_key("P-256"), callers.engine)
    register(callers.engine, one.client_id, one.key)
    body = printed(claim(on=ON))
    refused = one.send(body + b" ", one.signed(body))
    assert (refused.status, refused.code) == (403, "signature.wrong")
    assert one.send(body, one.signed(body)).status == 201
    assert one.send(body, None).status == 200


def test_one_of_several_tenants_that_asks_for_signatures_is_enough(callers: Callers, admin: Api) -> None:
    api = callers.platform("delta", "wujiang", "qingpu")
    ask_for_signatures(admin, api, "qingpu")
    secret = ClientSecret(str(api.client_id), api.client_secret)
    with (
        Caller(api.address, secret, Patience(attempts=1)) as caller,
        pytest.raises(CallError, match=r"signature\.missing"),
    ):
        list(Platform(caller).submit_all([claim(on=ON)]))
