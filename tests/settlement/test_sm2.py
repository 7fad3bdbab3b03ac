"""SM2 with SM3: the standard's own example, Debian's ``openssl`` both ways, every verifier, and no confusion."""

import json
import shutil
import subprocess
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from clearing.verification.keys import _public_half as auditors_reading
from clearing.verification.signatures import INSTRUCTION as AUDITED
from clearing.verification.signatures import key_of_jwk, opened
from settlement.offline.verify_alone import differences
from settlement.signatures.key_custody import make_key, open_key
from settlement.signatures.signing import (
    INSTRUCTION,
    PublicKey,
    Purpose,
    SignatureRefused,
    compact_signer,
    verify_compact,
)
from settlement.signatures.suites import SUITES
from tenants.kernel.sm2 import Sm2PublicKey
from tests.settlement.making import CREATED_AT, KEK, Made, Make
from tests.settlement.tampering import codes, edit, found

OPENSSL = shutil.which("openssl") or ""
SUITE = SUITES["SM2SM3"]
SPKI_HEAD = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d03420004")
MESSAGE = "拨付指令 ".encode() * 40

needs_openssl = pytest.mark.skipif(not OPENSSL, reason="openssl is not installed")


def of(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def pem(kind: str, der: bytes) -> str:
    return f"-----BEGIN {kind}-----\n{b64encode(der).decode()}\n-----END {kind}-----\n"


def openssl(*arguments: object) -> subprocess.CompletedProcess[bytes]:
    options = ["-rawin", "-digest", "sm3", "-pkeyopt", "distid:1234567812345678"]
    command = [OPENSSL, "pkeyutl", *map(str, arguments), *options]
    return subprocess.run(command, capture_output=True, check=False)


def test_the_example_of_the_standard_verifies() -> None:
    """GM/T 0003.5: the public key, the message and the signature that its annex computes."""
    key = Sm2PublicKey(
        bytes.fromhex("09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020"),
        bytes.fromhex("CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13"),
    )
    signature = bytes.fromhex(
        "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3"
        "B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA"
    )
    assert key.verifies(signature, b"message digest")
    assert not key.verifies(signature, b"message digesT")
    assert not key.verifies(signature[:-1], b"message digest")
    assert not key.verifies(bytes(64), b"message digest")
    assert not key.verifies(bytes([255]) * 64, b"message digest")


@needs_openssl
def test_openssl_verifies_what_we_sign(tmp_path: Path) -> None:
    private = SUITE.generate()
    members = SUITE.public_members(private)
    proof = SUITE.signer(private)(MESSAGE)
    r, s = int.from_bytes(proof[:32]), int.from_bytes(proof[32:])
    (tmp_path / "key.pem").write_text(pem("PUBLIC KEY", SPKI_HEAD + of(members["x"]) + of(members["y"])))
    (tmp_path / "message").write_bytes(MESSAGE)
    (tmp_path / "proof").write_bytes(encode_dss_signature(r, s))
    asked = ("-verify", "-pubin", "-inkey", tmp_path / "key.pem", "-sigfile", tmp_path / "proof")
    said = openssl(*asked, "-in", tmp_path / "message")
    assert b"Verified Successfully" in said.stdout, said.stderr
    (tmp_path / "message").write_bytes(MESSAGE + b".")
    assert openssl(*asked, "-in", tmp_path / "message").returncode != 0


@needs_openssl
def test_we_verify_what_openssl_signs(tmp_path: Path) -> None:
    private = SUITE.generate()
    (tmp_path / "key.pem").write_text(pem("PRIVATE KEY", private))
    (tmp_path / "message").write_bytes(MESSAGE)
    said = openssl("-sign", "-inkey", tmp_path / "key.pem", "-in", tmp_path / "message")
    assert said.returncode == 0, said.stderr
    r, s = decode_dss_signature(said.stdout)
    verify = SUITE.verifier(SUITE.public_members(private))
    assert verify(r.to_bytes(32) + s.to_bytes(32), MESSAGE)
    assert not verify(s.to_bytes(32) + r.to_bytes(32), MESSAGE)


def test_a_batch_signed_with_sm2_verifies_offline_and_a_changed_line_is_named(make: Make) -> None:
    made = make(3, algorithm="SM2SM3")
    made.write()
    assert found(made) == []
    assert list(differences(made.folder, made.jwks, None)) == []
    edit(made, "payouts.jsonl", lambda data: data[:300] + bytes([data[300] ^ 1]) + data[301:])
    assert codes(made) > {"file.changed"}
    assert {code for code, *_ in differences(made.folder, made.jwks, None)} > {"changed"}


def test_the_auditor_reads_it_and_recognises_the_private_half() -> None:
    made = make_key("jiangsu", Purpose.PAYOUT, CREATED_AT, KEK, SUITE)
    token = compact_signer(open_key(made.private_sealed, made.public, KEK), INSTRUCTION)(b"{}")
    key = key_of_jwk(made.public.jwk(), None)
    assert opened(token, AUDITED, {key.kid: key})[0] == b"{}"
    private = SUITE.generate()
    members = SUITE.public_members(private)
    assert auditors_reading(private) == of(members["x"]) + of(members["y"])


@pytest.mark.parametrize("algorithm", ["ES256", "Ed25519"])
def test_no_signature_of_another_algorithm_passes_under_an_sm2_key(algorithm: str) -> None:
    """The key fixes the algorithm: neither the header nor the form of a signature chooses it."""
    own = make_key("jiangsu", Purpose.PAYOUT, CREATED_AT, KEK, SUITE).public
    other = make_key("jiangsu", Purpose.PAYOUT, CREATED_AT, KEK, SUITES[algorithm])
    _, payload, signature = compact_signer(open_key(other.private_sealed, other.public, KEK), INSTRUCTION)(b"{}").split(
        "."
    )
    for alg in ("SM2SM3", algorithm):
        header = urlsafe_b64encode(json.dumps({"alg": alg, "kid": own.kid, "typ": INSTRUCTION}).encode()).decode()
        with pytest.raises(SignatureRefused) as refused:
            verify_compact(f"{header.rstrip('=')}.{payload}.{signature}", INSTRUCTION, {own.kid: own})
        assert refused.value.code in {"signature.wrong", "signature.algorithm"}


@pytest.mark.parametrize("change", [{"crv": "P-256"}, {"kty": "OKP"}, {"x": "AA"}, {"alg": "ES256"}, {"y": "A" * 43}])
def test_a_key_that_says_something_else_of_itself_is_no_key(change: dict[str, str]) -> None:
    jwk = make_key("jiangsu", Purpose.PAYOUT, CREATED_AT, KEK, SUITE).public.jwk()
    with pytest.raises(ValueError, match=r".*"):
        PublicKey.from_jwk({**jwk, **change})


def test_an_sm2_key_among_others_does_not_disturb_them(written: Made) -> None:
    other = make_key("jiangsu", Purpose.PAYOUT, CREATED_AT, KEK, SUITE).public
    keys = {"keys": [*written.jwks["keys"], other.jwk()]}
    assert found(written, jwks=keys) == []
    assert list(differences(written.folder, keys, None)) == []
