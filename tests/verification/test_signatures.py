"""The auditor's verification of signatures: every way in which one may be wrong is refused with its reason."""

import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clearing.verification.signatures import (
    MANIFEST,
    SEAL,
    BadSignatureError,
    VerifyingKey,
    decoded,
    key_of_jwk,
    opened,
    signed_over,
)
from settlement.signatures.key_custody import make_key, open_key
from settlement.signatures.signing import Purpose, SigningKey, compact_signer, signature_entry
from settlement.signatures.suites import SUITES

KEK = bytes(range(32))
AT = datetime(2024, 9, 1, tzinfo=UTC)


def made(tenant: str = "jiangsu", algorithm: str = "Ed25519") -> tuple[SigningKey, VerifyingKey]:
    """A signing key of the service, and the auditor's reading of its public half."""
    key = make_key(tenant, Purpose.PAYOUT, AT, KEK, SUITES[algorithm])
    return open_key(key.private_sealed, key.public, KEK), key_of_jwk(key.public.jwk(), None)


def keys_of(*keys: VerifyingKey) -> dict[str, VerifyingKey]:
    return {key.kid: key for key in keys}


@pytest.mark.parametrize("algorithm", ["Ed25519", "ES256"])
def test_what_the_service_signs_is_opened_with_the_public_key_alone(algorithm: str) -> None:
    signing, public = made(algorithm=algorithm)
    token = compact_signer(signing, SEAL)(b'{"a":1}')
    assert opened(token, SEAL, keys_of(public)) == (b'{"a":1}', public)
    entry = signature_entry(signing, MANIFEST, b"{}")
    assert signed_over(entry, b"{}", MANIFEST, keys_of(public)) == public


def _part(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _broken(token: str, public: VerifyingKey) -> dict[str, str]:
    protected, payload, signature = token.split(".")
    header = {"alg": public.algorithm, "kid": public.kid, "typ": SEAL}
    return {
        "two parts": f"{protected}.{payload}",
        "another payload": f"{protected}.{_part(b'{}')}.{signature}",
        "no signature": f"{protected}.{payload}.",
        "a signature cut short": f"{protected}.{payload}.{_part(decoded(signature)[:-1])}",
        "padding": f"{protected}.{payload}.{signature}=",
        "another spelling": f"{protected}.{payload}.{signature[:-1]}{chr(ord(signature[-1]) + 1)}",
        "no algorithm": f"{_part(json.dumps(header | {'alg': 'none'}).encode())}.{payload}.{signature}",
        "a symmetric algorithm": f"{_part(json.dumps(header | {'alg': 'HS256'}).encode())}.{payload}.{signature}",
        "another key": f"{_part(json.dumps(header | {'kid': 'x'}).encode())}.{payload}.{signature}",
        "another type": f"{_part(json.dumps(header | {'typ': MANIFEST}).encode())}.{payload}.{signature}",
        "a critical header": f"{_part(json.dumps(header | {'crit': ['b64']}).encode())}.{payload}.{signature}",
        "no header": f"{_part(b'[]')}.{payload}.{signature}",
        "no JSON": f"{_part(b'x')}.{payload}.{signature}",
        "no base64": f"§.{payload}.{signature}",
    }


@pytest.mark.parametrize("algorithm", ["Ed25519", "ES256"])
@pytest.mark.parametrize("way", list(_broken("e30.e30.e30", made()[1])))
def test_a_token_that_is_not_as_it_was_signed_is_refused(algorithm: str, way: str) -> None:
    signing, public = made(algorithm=algorithm)
    token = compact_signer(signing, SEAL)(b'{"a":1}')
    with pytest.raises(BadSignatureError):
        opened(_broken(token, public)[way], SEAL, keys_of(public))


def test_a_seal_is_no_manifest() -> None:
    signing, public = made()
    with pytest.raises(BadSignatureError, match="made for"):
        opened(compact_signer(signing, SEAL)(b"{}"), MANIFEST, keys_of(public))


def test_a_key_of_another_tenant_before_its_time_or_from_its_revocation_on_is_refused() -> None:
    key = make_key("jiangsu", Purpose.PAYOUT, AT, KEK)
    public = key_of_jwk(key.public.jwk(), AT + timedelta(days=1))
    assert public.refusal("jiangsu", AT) is None
    assert public.refusal("jiangsu", AT + timedelta(days=1) - timedelta(microseconds=1)) is None
    assert "revoked" in str(public.refusal("jiangsu", AT + timedelta(days=1)))
    assert "not active" in str(public.refusal("jiangsu", AT - timedelta(seconds=1)))
    assert "one of jiangsu" in str(public.refusal("wujiang", AT))


@pytest.mark.parametrize(
    "change",
    [{"kid": "x"}, {"x": "AAAA"}, {"crv": "X25519"}, {"alg": "HS256"}, {"kty": "oct"}, {"active_from": "yesterday"}, {"x": None}],
    ids=str,
)  # fmt: skip
def test_a_published_key_that_is_not_what_its_id_names_is_refused(change: dict[str, Any]) -> None:
    jwk = make_key("jiangsu", Purpose.PAYOUT, AT, KEK).public.jwk()
    with pytest.raises(BadSignatureError):
        key_of_jwk(jwk | change, None)
