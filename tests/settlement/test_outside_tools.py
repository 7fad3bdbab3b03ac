"""One instruction and one file, verified by programs that know nothing of us, from the JWK set alone."""

import json
import shutil
import subprocess
from base64 import b64encode, urlsafe_b64decode
from pathlib import Path
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import KeySet

from tests.settlement.making import Made, Make

NODE = """
const crypto = require('crypto'), fs = require('fs');
const [jwks, jws, payload] = process.argv.slice(1, 4).map((path) => fs.readFileSync(path));
const [header, inside, signature] = jws.toString().split('.');
const {kid} = JSON.parse(Buffer.from(header, 'base64url'));
const jwk = JSON.parse(jwks).keys.find((key) => key.kid === kid);
const key = crypto.createPublicKey({key: jwk, format: 'jwk'});
const body = inside || payload.toString('base64url');
const [hash, options] = jwk.kty === 'EC' ? ['sha256', {key, dsaEncoding: 'ieee-p1363'}] : [null, {key}];
console.log(crypto.verify(hash, Buffer.from(header + '.' + body), options, Buffer.from(signature, 'base64url')));
"""
ED25519_DER_HEAD = bytes.fromhex("302a300506032b6570032100")

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


def bytes_of(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.fixture(params=["Ed25519", "ES256"])
def signed(make: Make, request: pytest.FixtureRequest) -> Made:
    made = make(3, algorithm=request.param)
    made.write()
    (made.folder / "jwks.json").write_text(json.dumps(made.jwks))
    return made


def key_set(made: Made) -> KeySet:
    published: Any = made.jwks
    return KeySet.import_key_set(published)


def first_token(made: Made) -> str:
    with (made.folder / "payouts.jsonl").open() as lines:
        return str(json.loads(next(lines))["jws"])


def node_says(made: Made, token: str) -> str:
    path = made.folder / "token"
    path.write_text(token)
    node = shutil.which("node") or "node"
    pain = made.folder / "pain.001.xml"
    done = subprocess.run(
        [node, "-e", NODE, made.folder / "jwks.json", path, pain], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@needs_node
def test_node_verifies_an_instruction(signed: Made) -> None:
    token = first_token(signed)
    assert node_says(signed, token) == "true"
    header, payload, signature = token.split(".")
    assert node_says(signed, f"{header}.{payload[:-4]}AAAA.{signature}") == "false"


@needs_node
def test_node_verifies_the_detached_signature_over_pain_001(signed: Made) -> None:
    token = (signed.folder / "pain.001.xml.jws").read_text()
    assert node_says(signed, token) == "true"
    with (signed.folder / "pain.001.xml").open("ab") as file:
        file.write(b" ")
    assert node_says(signed, token) == "false"


@needs_openssl
def test_openssl_verifies_an_instruction(make: Make, tmp_path: Path) -> None:
    made = make(3)
    made.write()
    jwk = made.new_key.public.jwk()
    token = first_token(made)
    content, _, signature = token.rpartition(".")
    key, message, proof = tmp_path / "key.pem", tmp_path / "message", tmp_path / "signature"
    der = b64encode(ED25519_DER_HEAD + bytes_of(jwk["x"])).decode()
    key.write_text(f"-----BEGIN PUBLIC KEY-----\n{der}\n-----END PUBLIC KEY-----\n")
    message.write_text(content)
    proof.write_bytes(bytes_of(signature))
    openssl = shutil.which("openssl") or "openssl"
    command: list[str | Path] = [
        openssl,
        "pkeyutl",
        "-verify",
        "-pubin",
        "-inkey",
        key,
        "-rawin",
        "-in",
        message,
        "-sigfile",
        proof,
    ]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    message.write_text(content[:-1] + ("A" if content[-1] != "A" else "B"))
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0


def test_another_jose_library_verifies_every_line(signed: Made) -> None:
    keys = key_set(signed)
    algorithm = signed.new_key.public.algorithm
    lines = (signed.folder / "payouts.jsonl").read_text().splitlines()
    for line, instruction in zip(lines, signed.instructions, strict=True):
        stored = json.loads(line)
        token = jws.deserialize_compact(stored["jws"], keys, algorithms=[algorithm])
        payload = json.loads(token.payload)
        assert payload["amount"] == str(instruction.amount)
        assert payload["instruction_id"] == stored["instruction_id"] == str(instruction.instruction_id)


def test_another_jose_library_verifies_the_seal_in_the_manifest(signed: Made) -> None:
    keys = key_set(signed)
    manifest = json.loads((signed.folder / "manifest.json").read_bytes())
    seal = jws.deserialize_json(manifest["seal"], keys, algorithms=[signed.new_key.public.algorithm])
    assert json.loads(seal.payload)["merkle_root"] == manifest["batch_root"] == signed.batch.batch_root
