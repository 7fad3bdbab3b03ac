"""HTTP message signatures (RFC 9421): what holds is kept as evidence; every other kind is refused and does nothing."""

import base64
import gzip
import hashlib
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import ECKey
from sqlalchemy import Engine

from connectors.client import Caller, ClientSecret, Platform
from tenants.message_signature import sign_message
from tenants.request_signature import sign
from tests.intake.bodies import claim
from tests.scenarios.callers import Callers
from tests.scenarios.test_signed_requests import CLAIMS, JSON, ON, ask_for_signatures, count, printed, register
from tests.scenarios.test_signed_requests import Signer as JwsSigner
from tests.service.running import Api, Reply, RunningService


@dataclass(frozen=True)
class Signer:
    """A client of Jiangsu's platform of which the tenant asks for signatures; it signs by itself, as RFC 9421 says."""

    api: Api
    key: ECKey

    def send(self, body: bytes, headers: dict[str, str], path: str = CLAIMS, **more: str) -> Reply:
        given = {name.replace("-", "_"): value for name, value in headers.items()}
        return self.api.call("POST", path, body, **{"Content_Type": JSON} | given | more)

    def headers(self, body: bytes, **changed: Any) -> dict[str, str]:
        """The three headers of a ``POST`` of the body; what is named is made otherwise."""
        components = {
            '"@method"': "POST", '"@target-uri"': f"{self.api.address}{CLAIMS}", '"content-digest"': digest(body),
        } | changed.get("components", {})  # fmt: skip
        covered = changed.get("covered", list(components))
        now = int((datetime.now(UTC) + changed.get("shift", timedelta(0))).timestamp())
        nonce = secrets.token_urlsafe(16)
        given = {"created": now, "keyid": self.key.thumbprint(), "nonce": nonce} | changed.get("parameters", {})
        text = "".join(f";{name}={_printed(value)}" for name, value in given.items() if value is not None)
        parameters = f"({' '.join(covered)}){text}"
        lines = [f"{name}: {components[name]}" for name in covered if name in components]
        base = "\n".join([*lines, f'"@signature-params": {parameters}'])
        made = changed.get("signature", raw_signature(changed.get("key", self.key), base.encode()))
        label = changed.get("label", "sig1")
        return {
            "Content-Digest": changed.get("digest", digest(body)),
            "Signature-Input": f"{label}={parameters}",
            "Signature": f"{label}=:{base64.b64encode(made).decode()}:",
        }


def _printed(value: object) -> str:
    return str(value) if isinstance(value, int) else f'"{value}"'


def digest(body: bytes, name: str = "sha256") -> str:
    field = {"sha256": "sha-256", "sha512": "sha-512", "md5": "md5"}[name]
    return f"{field}=:{base64.b64encode(hashlib.new(name, body).digest()).decode()}:"


def raw_signature(key: ECKey, signed: bytes) -> bytes:
    private: Any = key.private_key
    r, s = decode_dss_signature(private.sign(signed, ec.ECDSA(SHA256())))
    return bytes(r.to_bytes(32) + s.to_bytes(32))


@pytest.fixture(scope="module")
def signer(callers: Callers, admin: Api) -> Signer:
    one = Signer(callers.platform("jssic", "jiangsu"), ECKey.generate_key("P-256"))
    register(callers.engine, str(one.api.client_id), one.key)
    ask_for_signatures(admin, one.api)
    return one


@pytest.fixture
def kept(signer: Signer, callers: Callers, auditor: Engine) -> Iterator[None]:
    """What the test sends is never stored, nor kept as evidence."""
    of = JwsSigner(signer.api, signer.key, callers.engine)
    before = count(auditor, of)
    yield
    assert count(auditor, of) == before


def test_the_client_library_signs_messages_single_and_bulk_packed_or_not_and_the_auditor_believes_it(
    signer: Signer, service: RunningService
) -> None:
    secret = ClientSecret(str(signer.api.client_id), signer.api.client_secret)
    for packs in (False, True):
        with Caller(signer.api.address, secret, packs=packs, signs_with=signer.key, signs_messages=True) as caller:
            platform = Platform(caller)
            made = platform.submit(claim(on=ON))
            assert made.state == "in_review"
            assert [one.status for one in platform.submit_all([claim(on=ON) for _ in range(3)])] == [201] * 3
            assert platform.withdraw(made.id).state == "withdrawn"
    assert json.loads(service.run("verify", "--json").stdout)["differences"] == 0


def test_a_signature_that_an_engineer_makes_by_hand_is_taken_in_either_form_of_the_target(signer: Signer) -> None:
    body = printed(claim(on=ON))
    assert signer.send(body, signer.headers(body)).status == 201
    host = signer.api.address.removeprefix("http://")
    parts = {'"@authority"': host, '"@path"': CLAIMS, '"@query"': "?", '"content-type"': JSON}
    covered = ['"@query"', '"@path"', '"@authority"', '"content-digest"', '"@method"', '"content-type"']
    other = printed(claim(on=ON))
    wide = digest(other, "sha512")
    headers = signer.headers(
        other, components=parts | {'"content-digest"': wide}, covered=covered, digest=wide,
        parameters={"alg": "ecdsa-p256-sha256", "expires": int(datetime.now(UTC).timestamp()) + 60, "tag": "x"},
    )  # fmt: skip
    assert signer.send(other, headers).status == 201


def test_a_digest_is_of_the_content_as_it_is_sent(signer: Signer) -> None:
    lines = printed(claim(on=ON)) + b"\n"
    packed, path = gzip.compress(lines), f"{CLAIMS}/bulk"
    kind = {"Content_Type": "application/x-ndjson", "Content_Encoding": "gzip"}
    target = {'"@target-uri"': f"{signer.api.address}{path}"}
    of_unpacked = signer.headers(lines, components=target)
    assert signer.send(packed, of_unpacked, path, **kind).code == "signature.digest"
    assert signer.send(packed, signer.headers(packed, components=target), path, **kind).status == 200


def test_a_signature_is_good_once_for_ever(signer: Signer) -> None:
    body = printed(claim(on=ON))
    headers = signer.headers(body)
    assert signer.send(body, headers).status == 201
    again = signer.send(body, headers)
    assert (again.status, again.code) == (409, "signature.replayed")
    same_nonce = signer.headers(
        body, parameters={"nonce": headers["Signature-Input"].split('nonce="')[1].split('"')[0]}
    )
    assert signer.send(body, same_nonce).code == "signature.replayed"


PARTS = ['"@method"', '"@target-uri"', '"content-digest"']
MALFORMED: dict[str, dict[str, Any]] = {
    "no method": {"covered": PARTS[1:]},
    "no target": {"covered": [PARTS[0], PARTS[2]]},
    "no digest": {"covered": PARTS[:2]},
    "nothing covered": {"covered": []},
    "a path without its query": {
        "components": {'"@path"': CLAIMS, '"@authority"': "x"},
        "covered": ['"@method"', '"@authority"', '"@path"', '"content-digest"'],
    },
    "a component twice": {"covered": [*PARTS, '"@method"']},
    "a component with a parameter": {"covered": [*PARTS[:2], '"content-digest";sf']},
    "a member of the digest": {"covered": [*PARTS[:2], '"content-digest";key="sha-256"']},
    "the request of a response": {"covered": ['"@method";req', *PARTS[1:]]},
    "a credential": {"covered": [*PARTS, '"authorization"'], "components": {'"authorization"': "x"}},
    "an unknown component": {"covered": [*PARTS, '"@nothing"'], "components": {'"@nothing"': "x"}},
    "a response's status": {"covered": [*PARTS, '"@status"'], "components": {'"@status"': "200"}},
    "no keyid": {"parameters": {"keyid": None}},
    "no created": {"parameters": {"created": None}},
    "no nonce": {"parameters": {"nonce": None}},
    "an empty nonce": {"parameters": {"nonce": ""}},
    "a long nonce": {"parameters": {"nonce": "x" * 300}},
    "created as text": {"parameters": {"created": "1700000000"}},
    "created too far": {"parameters": {"created": 2**40}},
    "created before the epoch": {"parameters": {"created": -1}},
    "an unknown parameter": {"parameters": {"scope": "all"}},
    "another algorithm": {"parameters": {"alg": "hmac-sha256"}},
    "an algorithm of another key": {"parameters": {"alg": "ed25519"}},
    "no algorithm": {"parameters": {"alg": "none"}},
    "a keyid that is a path": {"parameters": {"keyid": "../../etc/passwd"}},
}


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("changed", MALFORMED.values(), ids=MALFORMED)
def test_what_is_not_of_the_profile_is_refused(signer: Signer, changed: dict[str, Any]) -> None:
    body = printed(claim(on=ON))
    refused = signer.send(body, signer.headers(body, **changed))
    assert (refused.status, refused.code) == (400, "signature.malformed")


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(
    ("input_field", "signature_field"),
    [
        ("", ""), ("x", "x"), ("sig1", "sig1=:AA==:"), ("sig1=()", "sig1=:AA==:"), ("sig1=5", "sig1=:AA==:"),
        ("{input}", ""), ("", "{signature}"), ("{input}", "other=:AA==:"), ("{input}", "sig1=AA"),
        ("{input}", "sig1=:not base64:"), ("{input}, {input}", "{signature}"), ("{input}", "{signature}, {signature}"),
        ("{input}, sig2=()", "{signature}, sig2=:AA==:"), ("{input}", "{signature};x"), ("{input}", "sig1=(:AA==:)"),
        ('{input};tag="' + "x" * 5000 + '"', "{signature}"), ("{input}, " + "a=()," * 500 + "b=()", "{signature}"),
        ("{input}\u00ff", "{signature}"), ("(" * 3000, "{signature}"),
    ],
)  # fmt: skip
def test_what_is_no_one_signature_is_refused(signer: Signer, input_field: str, signature_field: str) -> None:
    body = printed(claim(on=ON))
    good = signer.headers(body)
    names = {"input": good["Signature-Input"], "signature": good["Signature"]}
    bad = {"Signature-Input": input_field.format(**names), "Signature": signature_field.format(**names)}
    refused = signer.send(body, good | bad)
    assert (refused.status, refused.code) == (400, "signature.malformed")


@pytest.mark.usefixtures("kept")
def test_another_request_than_the_signed_one_is_refused(signer: Signer) -> None:
    body = printed(claim(on=ON))
    for changed in (
        {"components": {'"@method"': "PUT"}},
        {"components": {'"@target-uri"': f"{signer.api.address}{CLAIMS}?more=1"}},
        {"components": {'"@target-uri"': f"https://elsewhere.example{CLAIMS}"}},
        {"signature": b"\0" * 64},
        {"signature": b""},
        {"signature": b"x" * 63},
        {"key": ECKey.generate_key("P-256")},
    ):
        refused = signer.send(body, signer.headers(body, **changed))
        assert (refused.status, refused.code) == (403, "signature.wrong"), changed
    query = signer.send(body, signer.headers(body), f"{CLAIMS}?more=1")
    assert (query.status, query.code) == (403, "signature.wrong")
    host = signer.send(body, signer.headers(body), Host="localhost:1")
    assert (host.status, host.code) == (403, "signature.wrong")


@pytest.mark.usefixtures("kept")
def test_an_altered_body_and_an_altered_digest_are_refused(signer: Signer) -> None:
    body, other = printed(claim(on=ON)), printed(claim(on=ON, amount="90000.00"))
    assert signer.send(other, signer.headers(body)).code == "signature.digest"
    assert signer.send(other, signer.headers(body, digest=digest(other))).code == "signature.wrong"
    for given in ("", "sha-256", "sha-256=:AAAA:", digest(body, "md5"), f"{digest(body)}, {digest(body)}",
                  f"{digest(body)}, {digest(other, 'sha512')}", f"{digest(body)};x"):  # fmt: skip
        made = signer.headers(body, components={'"content-digest"': given}, digest=given)
        assert signer.send(body, made).code == "signature.digest", given


@pytest.mark.usefixtures("kept")
def test_another_time_is_refused(signer: Signer) -> None:
    body, now = printed(claim(on=ON)), int(datetime.now(UTC).timestamp())
    for changed in (
        {"shift": timedelta(minutes=-6)},
        {"shift": timedelta(minutes=6)},
        {"parameters": {"expires": now - 1}},
        {"parameters": {"expires": 0}},
    ):
        stale = signer.send(body, signer.headers(body, **changed))
        assert (stale.status, stale.code) == (403, "signature.stale"), changed


@pytest.mark.usefixtures("kept")
def test_another_clients_key_is_as_unknown_as_none(signer: Signer, callers: Callers) -> None:
    body, stranger = printed(claim(on=ON)), ECKey.generate_key("P-256")
    made = {"key": stranger, "parameters": {"keyid": stranger.thumbprint()}}
    unknown = signer.send(body, signer.headers(body, **made))
    assert (unknown.status, unknown.code) == (403, "signature.key_unknown")
    register(callers.engine, str(callers.platform("delta", "wujiang").client_id), stranger)
    foreign = signer.send(body, signer.headers(body, **made))
    assert (foreign.status, foreign.body) == (403, unknown.body)


@pytest.mark.usefixtures("kept")
def test_two_ways_of_signing_at_once_are_refused(signer: Signer) -> None:
    body = printed(claim(on=ON))
    jws = sign(signer.key, "POST", CLAIMS, body, datetime.now(UTC))
    refused = signer.send(body, signer.headers(body), X_Signature=jws)
    assert (refused.status, refused.code) == (400, "signature.ambiguous")


@pytest.mark.usefixtures("kept")
def test_what_was_signed_by_our_client_for_another_service_is_refused_here(signer: Signer) -> None:
    body = printed(claim(on=ON))
    headers = sign_message(signer.key, "POST", f"https://other.example{CLAIMS}", body, JSON, datetime.now(UTC))
    assert signer.send(body, headers).code == "signature.wrong"
