"""The offline verifier against a signer who signs wrong things, and against keys that do not count."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from settlement.signatures.key_custody import make_key
from settlement.signatures.signing import INSTRUCTION, SEAL, Purpose, compact_signer
from tenants.kernel.canonical import canonical_bytes
from tenants.kernel.clock import print_instant
from tests.settlement.making import CREATED_AT, KEK, Made, Make, seal_record
from tests.settlement.tampering import at_line, codes, edit, found, ids, relist, resign


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("amount", "1.00", "amount"),
        ("currency", "USD", "currency"),
        ("amount_in_words", "壹元整", "capital numerals"),
        ("end_to_end_id", "A" * 26, "end_to_end_id"),
        ("tenant", "shanxi-hainan", "belongs to"),
        ("batch", "B-JS-2024-0002", "batch"),
        ("batch_root", "0" * 64, "batch_root"),
        ("claims", ["CL-X"], "claims"),
        ("created_at", "2024-09-27T09:00:01+08:00", "created_at"),
        ("payee", "另一家公司", "batch_root"),
        ("kid", "another", "kid"),
        ("items", [], "malformed"),
        ("items", [{"position": "1", "claim": "CL-JS-2024-000004", "amount": "140000.21"}], "malformed"),
        ("amount", 140000.21, "malformed"),
        ("debtor", None, "malformed"),
        ("items", [{"position": -1, "claim": "CL-1", "amount": "140000.21"}], "malformed"),
        ("items", [{"position": 2**70, "claim": "CL-1", "amount": "140000.21"}], "malformed"),
        ("items", {"a": 1}, "malformed"),
        ("items", [{"position": 4, "claim": {}, "amount": "140000.21"}], "malformed"),
        ("tenant", {"a": 1.5}, "belongs to"),
        ("purpose", "\ud800", "cannot be read"),
    ],
)
def test_an_instruction_that_contradicts_the_batch_is_named_though_it_is_signed(
    written: Made, field: str, value: Any, named: str
) -> None:
    resign(written, lambda payload: payload.__setitem__(field, value))
    assert any(named in each.text.en for each in found(written) if each.file == "payouts.jsonl")


def test_an_instruction_in_another_spelling_is_named_though_it_is_signed(written: Made) -> None:
    resign(written, lambda _: None)
    assert at_line(written, "payouts.jsonl", "instruction.spelling") == [(4, ids(written)[3])]


def test_an_instruction_that_says_one_thing_twice_is_named_though_it_is_signed(written: Made) -> None:
    sign = compact_signer(written.key, INSTRUCTION)
    lines = (written.folder / "payouts.jsonl").read_bytes().splitlines(keepends=True)
    payload = canonical_bytes(written.instructions[0].payload())
    twice = payload.replace(b'"amount":', b'"amount":"1.00","amount":', 1)
    lines[0] = canonical_bytes({"instruction_id": ids(written)[0], "jws": sign(twice)}) + b"\n"
    (written.folder / "payouts.jsonl").write_bytes(b"".join(lines))
    assert at_line(written, "payouts.jsonl", "instruction.spelling") == [(1, ids(written)[0])]


def test_an_instruction_paid_twice_by_the_signer_is_named(written: Made) -> None:
    lines = (written.folder / "payouts.jsonl").read_bytes().splitlines(keepends=True)
    (written.folder / "payouts.jsonl").write_bytes(b"".join([*lines, lines[2]]))
    assert "items.repeated" in codes(written)
    assert (13, ids(written)[2]) in at_line(written, "payouts.jsonl", "line.repeated")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"count": 13}, "differs"),
        ({"total": "1.00"}, "differs"),
        ({"total_in_words": "壹元整"}, "differs"),
        ({"batch_root": "0" * 64}, "differs"),
        ({"item_count": 11}, "differs"),
        ({"currency": "USD"}, "differs"),
        ({"execution_on": "2024-10-01"}, "differs"),
        ({"format": "clearing-manifest/1"}, "differs"),
        ({"created_at": "2024-09-01T09:00:00+08:00"}, "seal.later"),
        ({"files": []}, "manifest.malformed"),
        ({"count": "12"}, "manifest.malformed"),
        ({"count": 12.0}, "manifest.malformed"),
        ({"debtor": {}}, "manifest.malformed"),
        ({"seal": {}}, "manifest.malformed"),
        ({"seal": {"payload": "e30", "signatures": []}}, "signature.missing"),
        ({"seal": {"payload": "e30", "signatures": [{"protected": "e30", "signature": "AA"}]}}, "seal.malformed"),
        ({"created_at": "yesterday"}, "manifest.malformed"),
        ({"total": "一元"}, "manifest.malformed"),
    ],
)
def test_a_manifest_that_says_something_else_is_named_though_it_is_signed(
    written: Made, change: dict[str, Any], code: str
) -> None:
    if isinstance(change.get("count"), float):
        edit(written, "manifest.json", lambda data: data.replace(b'"count":12', b'"count":12.0', 1))
    else:
        relist(written, lambda content: content.update(change))
    assert code in codes(written)


def test_a_manifest_that_lists_files_elsewhere_is_refused(written: Made) -> None:
    def elsewhere(content: dict[str, Any]) -> None:
        content["files"][0]["name"] = "../../etc/passwd"

    relist(written, elsewhere)
    assert codes(written) == {"manifest.malformed"}


def test_an_unsigned_manifest_is_named(written: Made) -> None:
    edit(written, "manifest.json", lambda data: canonical_bytes({**json.loads(data), "signatures": []}))
    assert "signature.missing" in codes(written)


def test_a_manifest_in_another_spelling_is_named(written: Made) -> None:
    edit(written, "manifest.json", lambda data: json.dumps(json.loads(data)).encode())
    assert codes(written) == {"manifest.spelling"}


def test_a_seal_of_another_batch_is_named(written: Made) -> None:
    record = {**seal_record(written.batch, written.key.kid), "merkle_root": "0" * 64}
    token = compact_signer(written.key, SEAL)(canonical_bytes(record))
    replace(written, seal=token).write()
    assert [each.text.en.split(" should")[0] for each in found(written)] == ["seal merkle_root"]


def test_a_seal_made_by_another_type_of_signature_is_named(written: Made) -> None:
    record = canonical_bytes(seal_record(written.batch, written.key.kid))
    replace(written, seal=compact_signer(written.key, INSTRUCTION)(record)).write()
    assert codes(written) == {"signature.header"}


def test_a_key_revoked_before_the_signature_is_refused_everywhere(written: Made) -> None:
    public = written.new_key.public
    revoked = {"keys": [replace(public, revoked_at=CREATED_AT).jwk()]}
    differences = found(written, jwks=revoked)
    assert {each.file for each in differences if each.code == "key.revoked"} == {
        "manifest.json",
        "payouts.jsonl",
        "pain.001.xml",
    }
    assert sum(each.code == "key.revoked" for each in differences) == written.batch.count + 2


def test_a_key_revoked_after_the_signature_still_counts(written: Made) -> None:
    tenants, releasers = written.jwks["keys"]
    later = {"keys": [{**tenants, "revoked_at": print_instant(CREATED_AT + timedelta(seconds=1))}, releasers]}
    assert found(written, jwks=later) == []


def test_a_key_that_was_not_yet_active_is_refused(written: Made) -> None:
    later = {"keys": [replace(written.new_key.public, active_from=CREATED_AT + timedelta(seconds=1)).jwk()]}
    assert "key.not_yet_active" in codes(written, jwks=later)


@pytest.mark.parametrize("change", [{"tenant": "shanxi-hainan"}, {"purpose": Purpose.CHECKPOINT}])
def test_a_key_of_another_tenant_or_purpose_is_refused(written: Made, change: dict[str, Any]) -> None:
    other = {"keys": [replace(written.new_key.public, **change).jwk()]}
    assert codes(written, jwks=other) & {"key.tenant", "key.unknown"}


def test_another_tenants_keys_in_the_same_set_change_nothing(written: Made) -> None:
    other = make_key("shanxi-hainan", Purpose.PAYOUT, CREATED_AT, KEK).public.jwk()
    rsa = {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "x", "alg": "RS256"}
    assert found(written, jwks={"keys": [other, rsa, {}, *written.jwks["keys"], {"alg": ["Ed25519"]}, "x"]}) == []


def test_a_key_under_a_false_id_is_no_key(written: Made) -> None:
    other = make_key("jiangsu", Purpose.PAYOUT, CREATED_AT - timedelta(days=9), KEK).public.jwk()
    assert "key.unknown" in codes(written, jwks={"keys": [{**other, "kid": written.key.kid}]})


@pytest.mark.parametrize("jwks", [{}, {"keys": None}, {"keys": {}}])
def test_what_is_no_key_set_is_named(written: Made, jwks: dict[str, Any]) -> None:
    assert codes(written, jwks=jwks) == {"jwks.malformed"}


def test_rotation_keeps_an_old_seal_verifiable(make: Make) -> None:
    old, new = make(3), make(3)
    record = canonical_bytes(seal_record(new.batch, old.key.kid))
    replace(new, seal=compact_signer(old.key, SEAL)(record)).write()
    both = {"keys": [*old.jwks["keys"], *new.jwks["keys"]]}
    assert found(new, jwks=both) == []
