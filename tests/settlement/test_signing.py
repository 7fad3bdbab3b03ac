"""Signatures: what they cover, which key they need, and every way to cheat."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.signatures.key_custody import CustodyError, NewKey, make_key, open_key, seal_private
from settlement.signatures.signing import (
    CHECKPOINT,
    INSTRUCTION,
    MANIFEST,
    SEAL,
    PublicKey,
    Purpose,
    SignatureRefused,
    SigningKey,
    compact_signer,
    sign_file,
    sign_general,
    signature_entry,
    verify_compact,
    verify_entry,
    verify_file,
    verify_general,
)
from settlement.signatures.suites import SUITES, thumbprint
from tests.settlement.making import CREATED_AT, KEK

PAYLOAD = '{"amount":"140000.00","payee":"𠮷"}'.encode()


def new_key(algorithm: str = "Ed25519", purpose: Purpose = Purpose.PAYOUT) -> tuple[NewKey, SigningKey]:
    made = make_key("jiangsu", purpose, CREATED_AT, KEK, SUITES[algorithm])
    return made, open_key(made.private_sealed, made.public, KEK)


def code_of(token: str, typ: str, *keys: PublicKey) -> str:
    with pytest.raises(SignatureRefused) as refused:
        verify_compact(token, typ, {key.kid: key for key in keys})
    assert refused.value.text.zh
    assert refused.value.text.en
    return refused.value.code


def part(data: object) -> str:
    return urlsafe_b64encode(json.dumps(data).encode()).rstrip(b"=").decode()


@pytest.fixture(params=SUITES)
def algorithm(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_signature_verifies_with_the_published_key_alone(algorithm: str) -> None:
    made, key = new_key(algorithm)
    published = PublicKey.from_jwk(json.loads(json.dumps(made.public.jwk())))
    token = compact_signer(key, INSTRUCTION)(PAYLOAD)
    payload, signer = verify_compact(token, INSTRUCTION, {published.kid: published})
    assert payload == PAYLOAD
    assert signer is published


@pytest.mark.parametrize("algorithm", ["Ed25519", "ES256"])
def test_the_same_bytes_are_signed_the_same_way(algorithm: str) -> None:
    _, key = new_key(algorithm)
    sign = compact_signer(key, INSTRUCTION)
    assert sign(PAYLOAD) == sign(PAYLOAD)


def test_the_header_names_algorithm_key_and_content_and_nothing_else(algorithm: str) -> None:
    made, key = new_key(algorithm)
    header = compact_signer(key, INSTRUCTION)(PAYLOAD).split(".")[0]
    assert json.loads(urlsafe_b64decode(header + "==")) == {
        "alg": algorithm,
        "kid": made.public.kid,
        "typ": "clearing-instruction+jws",
    }


def test_the_key_id_is_the_thumbprint_of_rfc_8037() -> None:
    members = {"crv": "Ed25519", "kty": "OKP", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    assert thumbprint(members) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_a_signature_for_one_thing_does_not_pass_for_another() -> None:
    made, key = new_key()
    token = compact_signer(key, SEAL)(PAYLOAD)
    assert code_of(token, INSTRUCTION, made.public) == "signature.type"


def test_a_key_signs_nothing_outside_its_purpose() -> None:
    made, payout = new_key()
    _, checkpoint = new_key(purpose=Purpose.CHECKPOINT)
    with pytest.raises(ValueError, match="does not sign"):
        compact_signer(payout, CHECKPOINT)
    with pytest.raises(ValueError, match="does not sign"):
        compact_signer(checkpoint, INSTRUCTION)
    with pytest.raises(ValueError, match="does not sign"):
        compact_signer(payout, "JWT")
    other = replace(made.public, purpose=Purpose.CHECKPOINT)
    assert code_of(compact_signer(payout, INSTRUCTION)(PAYLOAD), INSTRUCTION, other) == "signature.type"


@pytest.mark.parametrize("claimed", ["none", "EdDSA", "ES256", "HS256", ""])
def test_the_header_does_not_choose_the_algorithm(claimed: str) -> None:
    made, key = new_key()
    _, payload, signature = compact_signer(key, INSTRUCTION)(PAYLOAD).split(".")
    header = part({"alg": claimed, "kid": key.kid, "typ": INSTRUCTION})
    assert code_of(f"{header}.{payload}.{signature}", INSTRUCTION, made.public) == "signature.algorithm"


def test_a_well_made_signature_under_another_algorithm_name_is_refused() -> None:
    """Even the key's own holder cannot make a header that renames the algorithm."""
    made, key = new_key()
    header = part({"alg": "EdDSA", "kid": key.kid, "typ": INSTRUCTION})
    content = f"{header}.{part({'amount': '1.00'})}"
    signature = urlsafe_b64encode(key.sign(content.encode())).rstrip(b"=").decode()
    assert code_of(f"{content}.{signature}", INSTRUCTION, made.public) == "signature.algorithm"


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "Ed25519", "kid": "K"},
        {"alg": "Ed25519", "kid": "K", "typ": INSTRUCTION, "crit": ["b64"], "b64": False},
        {"alg": "Ed25519", "kid": "K", "typ": INSTRUCTION, "jwk": {}},
        ["alg", "kid", "typ"],
        "x",
    ],
)
def test_a_header_with_other_members_is_refused(header: Any) -> None:
    made, key = new_key()
    if isinstance(header, dict):
        header["kid"] = key.kid
    content = f"{part(header)}.{part('x')}"
    signature = urlsafe_b64encode(key.sign(content.encode())).rstrip(b"=").decode()
    assert code_of(f"{content}.{signature}", INSTRUCTION, made.public) == "signature.malformed"


@pytest.mark.parametrize("kid", [None, 5, [], {}])
def test_a_key_id_of_another_type_names_no_key(kid: Any) -> None:
    made, _ = new_key()
    header = part({"alg": "Ed25519", "kid": kid, "typ": INSTRUCTION})
    assert code_of(f"{header}.e30.AAAA", INSTRUCTION, made.public) == "key.unknown"


@pytest.mark.parametrize("token", ["", ".", "..", "a.b", "a.b.c.d", "é.e30.AA", "e30.é.AA", "e30=.e30.AA", "!!.e30.AA"])
def test_what_is_no_token_is_refused(token: str) -> None:
    assert code_of(token, INSTRUCTION, new_key()[0].public) == "signature.malformed"


def test_a_token_with_characters_outside_ascii_is_refused() -> None:
    made, key = new_key()
    header, payload, signature = compact_signer(key, INSTRUCTION)(PAYLOAD).split(".")
    for token in (
        f"{header}.{payload}é.{signature}",
        f"{header}.{payload}.{signature}é",
        f"é{header}.{payload}.{signature}",
    ):
        assert code_of(token, INSTRUCTION, made.public) == "signature.malformed"


@given(st.data())
def test_no_character_of_a_token_can_be_changed(data: st.DataObject) -> None:
    made, key = new_key(data.draw(st.sampled_from(sorted(SUITES))))
    token = compact_signer(key, INSTRUCTION)(PAYLOAD)
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(
        st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.").filter(
            lambda character: character != token[place]
        )
    )
    code_of(token[:place] + other + token[place + 1 :], INSTRUCTION, made.public)


def test_an_unknown_key_is_refused() -> None:
    _, key = new_key()
    assert code_of(compact_signer(key, INSTRUCTION)(PAYLOAD), INSTRUCTION, new_key()[0].public) == "key.unknown"


def test_a_key_is_refused_before_its_time_and_from_its_revocation_on() -> None:
    made, _ = new_key()
    revoked = replace(made.public, revoked_at=CREATED_AT + timedelta(days=1))
    revoked.require_valid_at(CREATED_AT)
    revoked.require_valid_at(CREATED_AT + timedelta(days=1, microseconds=-1))
    for at, code in (
        (CREATED_AT - timedelta(microseconds=1), "key.not_yet_active"),
        (CREATED_AT + timedelta(days=1), "key.revoked"),
    ):
        with pytest.raises(SignatureRefused) as refused:
            revoked.require_valid_at(at)
        assert refused.value.code == code
    assert PublicKey.from_jwk(revoked.jwk()).revoked_at == revoked.revoked_at


@pytest.mark.parametrize(
    "change",
    [
        {"alg": "EdDSA"},
        {"alg": "RS256"},
        {"crv": "Ed448"},
        {"kty": "EC"},
        {"x": "AAAA"},
        {"x": None},
        {"kid": "another"},
        {"tenant": None},
        {"purpose": "signing"},
        {"active_from": "2024-01-01"},
        {"active_from": "2024-01-01T00:00:00"},
        {"revoked_at": "never"},
    ],
)
def test_a_published_key_of_another_form_is_refused(change: dict[str, Any]) -> None:
    jwk = {**new_key()[0].public.jwk(), **change}
    with pytest.raises(ValueError, match=r"."):
        PublicKey.from_jwk({name: value for name, value in jwk.items() if value is not None})


def test_two_people_sign_the_same_seal() -> None:
    (maker, maker_key), (releaser, releaser_key) = new_key(), new_key("ES256")
    keys = {each.public.kid: each.public for each in (maker, releaser)}
    token = sign_general(PAYLOAD, SEAL, maker_key, releaser_key)
    payload, signers = verify_general(json.loads(json.dumps(token)), SEAL, keys)
    assert payload == PAYLOAD
    assert [signer.kid for signer in signers] == [maker_key.kid, releaser_key.kid]
    token["signatures"][1]["signature"] = token["signatures"][0]["signature"]
    with pytest.raises(SignatureRefused):
        verify_general(token, SEAL, keys)
    with pytest.raises(SignatureRefused):
        verify_general({**token, "signatures": []}, SEAL, keys)


def test_an_entry_covers_exactly_its_payload() -> None:
    made, key = new_key()
    entry = signature_entry(key, MANIFEST, PAYLOAD)
    keys = {key.kid: made.public}
    assert verify_entry(entry, PAYLOAD, MANIFEST, keys).kid == key.kid
    with pytest.raises(SignatureRefused):
        verify_entry(entry, PAYLOAD + b" ", MANIFEST, keys)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 3 * 2**18 - 1, 3 * 2**18, 3 * 2**18 + 1, 2_000_000])
def test_a_detached_signature_covers_the_exact_bytes_of_a_file(size: int, tmp_path: Path, algorithm: str) -> None:
    made, key = new_key(algorithm)
    path = tmp_path / "pain.001.xml"
    content = bytes(place % 251 for place in range(size))
    path.write_bytes(content)
    token = sign_file(key, path)
    keys = {key.kid: made.public}
    assert verify_file(token, path, keys).kid == key.kid
    protected, nothing, signature = token.split(".")
    assert nothing == ""
    encoded = urlsafe_b64encode(content).rstrip(b"=").decode()
    assert verify_compact(f"{protected}.{encoded}.{signature}", "clearing-file+jws", keys)[0] == content
    path.write_bytes(content + b"\n")
    with pytest.raises(SignatureRefused):
        verify_file(token, path, keys)


def test_a_private_key_opens_only_where_it_was_sealed() -> None:
    made, key = new_key()
    other, _ = new_key()
    assert key.kid == made.public.kid
    for public in (
        replace(made.public, tenant="shanxi-hainan"),
        replace(made.public, purpose=Purpose.CHECKPOINT),
        other.public,
    ):
        with pytest.raises(CustodyError):
            open_key(made.private_sealed, public, KEK)
    with pytest.raises(CustodyError):
        open_key(made.private_sealed, made.public, bytes(32))


@given(st.data())
def test_no_byte_of_a_sealed_key_can_be_changed(data: st.DataObject) -> None:
    made, _ = new_key()
    sealed = bytearray(made.private_sealed)
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CustodyError):
        open_key(bytes(sealed), made.public, KEK)


def test_a_sealed_key_that_holds_another_key_is_refused() -> None:
    made, _ = new_key()
    stranger = SUITES["Ed25519"].generate()
    swapped = seal_private(stranger, "jiangsu", Purpose.PAYOUT, made.public.kid, KEK)
    with pytest.raises(CustodyError, match="another key"):
        open_key(swapped, made.public, KEK)


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x02" + bytes(60), b"\x01" + bytes(12)])
def test_what_is_no_sealed_key_is_refused(sealed: bytes) -> None:
    with pytest.raises(CustodyError):
        open_key(sealed, new_key()[0].public, KEK)


def test_a_key_encryption_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        make_key("jiangsu", Purpose.PAYOUT, CREATED_AT, b"short")


def test_a_key_of_another_algorithm_is_not_loaded() -> None:
    with pytest.raises(ValueError, match="not a"):
        SigningKey.load("jiangsu", Purpose.PAYOUT, "Ed25519", SUITES["ES256"].generate())
    with pytest.raises(ValueError, match="not a"):
        SigningKey.load("jiangsu", Purpose.PAYOUT, "ES256", SUITES["Ed25519"].generate())


def test_an_es256_signature_in_another_encoding_is_refused() -> None:
    made, key = new_key("ES256")
    header, payload, _ = compact_signer(key, INSTRUCTION)(PAYLOAD).split(".")
    for wrong in (b"", b"\x30\x06\x02\x01\x01\x02\x01\x01", bytes(64), bytes(65)):
        signature = urlsafe_b64encode(wrong).rstrip(b"=").decode()
        assert code_of(f"{header}.{payload}.{signature}", INSTRUCTION, made.public) == "signature.wrong"
