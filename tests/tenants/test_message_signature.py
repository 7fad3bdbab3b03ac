"""Message signatures against what RFC 9421 and RFC 9530 print, and the auditor's own reading of what is kept."""

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key
from http_message_signatures import HTTPMessageVerifier, InvalidSignature, MappingKeyResolver
from http_message_signatures.algorithms import ED25519
from joserfc.jwk import ECKey

from clearing.verification import signed_requests as auditor
from tenants.kernel.errors import Problem
from tenants.message_signature import Message, read_message, sign_message

ED25519_KEY: Final = "MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs="
P256_KEY: Final = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lfw0EkjqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50V"
    "GGdldkkDXZCnTNnoXQ=="
)
"""The keys of appendix B.1."""
RESPONSE: Final = b'{"message": "good dog"}'
RESPONSE_DIGEST: Final = (
    "sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:"
)
B24_PARAMETERS: Final = (
    '"@signature-params": ("@status" "content-type" "content-digest" "content-length");created=1618884473;'
    'keyid="test-key-ecc-p256"'
)
B24_BASE: Final = "\n".join(
    [
        '"@status": 200',
        '"content-type": application/json',
        f'"content-digest": {RESPONSE_DIGEST}',
        '"content-length": 23',
        B24_PARAMETERS,
    ]
)
B24_SIGNATURE: Final = "wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw=="
B26: Final = {
    "date": "Tue, 20 Apr 2021 02:07:55 GMT",
    "content-type": "application/json",
    "content-length": "18",
    "signature-input": 'sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length")'
    ';created=1618884473;keyid="test-key-ed25519"',
    "signature": "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:",
}


def of_appendix(path: str = "/foo") -> Message:
    return Message("POST", f"https://example.com{path}", dict(B26))


def test_the_ed25519_vector_of_the_appendix_holds_and_with_anything_else_it_does_not() -> None:
    key: Any = load_der_public_key(base64.b64decode(ED25519_KEY))
    keys = MappingKeyResolver(public_keys={"test-key-ed25519": key}, private_keys={})
    verifier = HTTPMessageVerifier(signature_algorithm=ED25519, key_resolver=keys)
    (result,) = verifier.verify(of_appendix(), max_age=None)
    assert list(result.covered_components)[-1] == '"@signature-params"'
    with pytest.raises(InvalidSignature):
        verifier.verify(of_appendix("/bar"), max_age=None)


def test_the_auditor_believes_the_p256_vector_of_the_appendix() -> None:
    key = _jwk()
    signature = base64.b64decode(B24_SIGNATURE)
    assert auditor._holds(key, B24_BASE.encode(), signature)
    assert not auditor._holds(key, B24_BASE.replace("200", "201").encode(), signature)


def _jwk() -> dict[str, str]:
    key: Any = load_der_public_key(base64.b64decode(P256_KEY))
    numbers = key.public_numbers()
    members = {"x": numbers.x, "y": numbers.y}
    return {name: base64.urlsafe_b64encode(value.to_bytes(32)).decode().rstrip("=") for name, value in members.items()}


def test_the_auditor_reads_the_digest_of_the_appendix() -> None:
    assert auditor._is_digest(RESPONSE_DIGEST, RESPONSE)
    for given in ("", RESPONSE_DIGEST + ", sha-256=:AAAA:", "md5=:AAAA:", RESPONSE_DIGEST.replace("=:m", "=:n")):
        assert not auditor._is_digest(given, RESPONSE), given


def test_what_lacks_what_the_profile_needs_is_refused_however_well_it_is_signed() -> None:
    """The appendix' own request names no nonce and covers no digest."""
    with pytest.raises(Problem) as refused:
        read_message("POST", "https://example.com/foo", B26)
    assert refused.value.code == "signature.malformed"


@dataclass(frozen=True)
class Kept:
    """A request of our client, as it is kept."""

    key: ECKey
    body: bytes
    base: str
    signature: str


@pytest.fixture
def kept() -> Kept:
    key, body, url = ECKey.generate_key("P-256"), b'{"a": 1}', "https://clearing.example/v1/claims?x=1"
    headers = sign_message(key, "POST", url, body, "application/json", datetime.now(UTC))
    given = {name.lower(): value for name, value in headers.items()} | {"content-type": "application/json"}
    evidence = read_message("POST", url, given).check(body, json.dumps(key.as_dict(private=False)))
    return Kept(key, body, evidence["message"], evidence["signature"])


def test_the_auditor_finds_everything_in_what_is_kept(kept: Kept) -> None:
    read = auditor._of_message(kept.base, kept.signature, kept.body)
    assert read.kid == kept.key.thumbprint()
    assert read.digest_fits
    assert auditor._holds(json.loads(json.dumps(kept.key.as_dict(private=False))), read.signed, read.signature)


@pytest.mark.parametrize("line", ['"@method"', '"@target-uri"', '"content-digest"'])
def test_the_auditor_misses_what_is_not_covered(kept: Kept, line: str) -> None:
    lines = [one for one in kept.base.split("\n") if not one.startswith(line)]
    base = "\n".join(lines).replace(f"{line} ", "").replace(f" {line})", ")")
    assert not auditor._of_message(base, kept.signature, kept.body).digest_fits


def test_the_auditor_sees_another_body_and_a_line_that_the_parameters_do_not_name(kept: Kept) -> None:
    assert not auditor._of_message(kept.base, kept.signature, kept.body + b" ").digest_fits
    more = '"x-more": 1\n' + kept.base
    assert not auditor._of_message(more, kept.signature, kept.body).digest_fits
    twice = kept.base.split("\n")[0] + "\n" + kept.base
    assert not auditor._of_message(twice, kept.signature, kept.body).digest_fits
