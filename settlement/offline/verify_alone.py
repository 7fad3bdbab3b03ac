"""Verify a batch's folder with this one file: Python's own library and ``cryptography``, nothing of the service.

    python verify_alone.py FOLDER --jwks KEYS.json [--previous SHA256] [--json]

核验一个批次文件夹，只需本文件与 cryptography 库。It looks at the signatures of the manifest, of the seal's maker
and of its releasers, at the size, SHA-256 and SM3 of every file, at each signed line of ``payouts.jsonl``, the Merkle
root over its items and the totals; and names the line that was changed, is missing, repeated or out of order. What the
bank table, the workbook and the payment message say line by line is compared by ``clearing verify-batch``; here their
bytes are held against the signed manifest. Exit codes: 0 nothing found, 1 differences, 2 usage.
"""

import argparse
import hashlib
import json
import sys
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SM3, Hash

Json = dict[str, Any]
Found = Iterator[tuple[str, str, int | None, str]]
"""Each difference: its code, the file, the line, and what is wrong, in both languages."""

UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError)
"""What reading content raises that is not of its form."""
WORDS = {
    "key": (
        "签名密钥不在公钥清单中、类型不符或当时无效",
        "the signing key is unknown, of another kind or not valid then",
    ),
    "signature": ("签名与内容不符", "the signature does not fit the content"),
    "malformed": ("格式不对", "not of its form"),
    "missing": ("缺少", "missing"),
    "changed": ("文件与清单所列的大小或散列值不符", "the file is not the one that the manifest lists"),
    "repeated": ("指令重复", "the instruction stands there twice"),
    "order": ("行的次序被调换", "the line is out of its order"),
    "other": ("该行属于另一批次或另一区域", "the line belongs to another batch or tenant"),
    "sum": ("金额与明细之和不符", "the amount is not the sum of its items"),
    "item": ("缺少明细或明细重复", "an item is missing or stands there twice"),
    "root": ("明细与封存的默克尔根不符", "the items do not give the sealed Merkle root"),
    "total": ("笔数或合计与清单不符", "count or total is not the manifest's"),
    "previous": ("上一批次的清单散列值不符", "the previous manifest is another one"),
    "seal": ("封存记录与清单不符", "the seal is not that of the manifest"),
    "release": (
        "放行签名与封存记录不符、不齐或时间不对",
        "the releases are not those of the seal, not complete, or not of that time",
    ),
    "people": ("经办与放行（或两次放行）是同一人", "one person made and released it, or released it twice"),
    "unlisted": ("清单中没有这个文件", "the manifest does not list this file"),
}
RELEASE = "clearing-release+jws"
SEALED = ("tenant", "batch", "batch_id", "seal_no", "merkle_root", "count", "total", "previous_seal")
"""What a release repeats of the seal."""
Point = tuple[int, int]
SM2_P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
SM2_B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
SM2_N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
SM2_G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
UNSIGNED = frozenset({"manifest.json", "pain.001.xml.jws"})


def canonical(value: Json) -> bytes:
    """RFC 8785; our member names are ASCII and our numbers small and whole."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def decoded(text: str) -> bytes:
    """Base64url in its one spelling."""
    data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if encoded(data) != text:
        raise ValueError("another spelling")
    return data


def encoded(data: bytes) -> str:
    """Base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def verifier(jwk: Json) -> Callable[[bytes, bytes], None]:
    """What checks a signature of this key over a message."""
    if jwk["alg"] == "Ed25519":
        return Ed25519PublicKey.from_public_bytes(decoded(jwk["x"])).verify
    if jwk["alg"] == "ES256":
        x, y = int.from_bytes(decoded(jwk["x"])), int.from_bytes(decoded(jwk["y"]))
        key = EllipticCurvePublicNumbers(x, y, SECP256R1()).public_key()

        def verify(signature: bytes, message: bytes) -> None:
            half = len(signature) // 2
            r, s = int.from_bytes(signature[:half]), int.from_bytes(signature[half:])
            key.verify(encode_dss_signature(r, s), message, ECDSA(SHA256()))

        return verify
    if jwk["alg"] == "SM2SM3":
        point = int.from_bytes(decoded(jwk["x"])), int.from_bytes(decoded(jwk["y"]))
        return lambda signature, message: sm2_check(point, signature, message)
    raise ValueError("an algorithm that is not known here")


def sm2_check(point: Point, signature: bytes, message: bytes) -> None:
    """SM2 with SM3 (GB/T 32918.2): nothing secret is handled, so plain integers do; some milliseconds each."""
    if len(signature) != 64 or (point[1] ** 2 - point[0] ** 3 + 3 * point[0] - SM2_B) % SM2_P:  # noqa: PLR2004
        raise InvalidSignature
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    known = (SM2_P - 3, SM2_B, *SM2_G, *point)
    identity = b"\0\x80" + b"1234567812345678" + b"".join(number.to_bytes(32) for number in known)
    e = int.from_bytes(sm3(sm3(identity) + message))
    total = sm2_add(sm2_multiply(s, SM2_G), sm2_multiply((r + s) % SM2_N, point))
    if not (0 < r < SM2_N and 0 < s < SM2_N) or (r + s) % SM2_N == 0 or total is None or (e + total[0]) % SM2_N != r:
        raise InvalidSignature


def sm3(data: bytes) -> bytes:
    """SM3 (GB/T 32905)."""
    digest = Hash(SM3())
    digest.update(data)
    return digest.finalize()


def sm2_add(one: Point | None, other: Point | None) -> Point | None:
    """The sum of two points of the curve; ``None`` is the point at infinity."""
    if one is None or other is None:
        return one or other
    (x1, y1), (x2, y2) = one, other
    if x1 == x2 and (y1 + y2) % SM2_P == 0:
        return None
    rise, run = ((3 * x1 * x1 - 3), 2 * y1) if one == other else (y2 - y1, x2 - x1)
    slope = rise * pow(run, -1, SM2_P) % SM2_P
    x = (slope * slope - x1 - x2) % SM2_P
    return x, (slope * (x1 - x) - y1) % SM2_P


def sm2_multiply(times: int, point: Point | None) -> Point | None:
    """The point added to itself, doubling by doubling."""
    result = None
    while times:
        if times & 1:
            result = sm2_add(result, point)
        point, times = sm2_add(point, point), times >> 1
    return result


class Keys:
    """The published keys; each signs for one tenant and purpose, from its first instant until it was revoked."""

    def __init__(self, jwks: Json) -> None:
        self._keys = {str(key["kid"]): key for key in jwks["keys"]}
        self._verifiers = {kid: verifier(key) for kid, key in self._keys.items()}

    def holder(self, protected: str) -> object:
        """Whose key the header names: a digest of the person."""
        return self._keys[json.loads(decoded(protected))["kid"]]["holder"]

    def fault(self, signing_input: str, signature: str, kind: str, tenant: str, at: str) -> str | None:
        """What is wrong with a signature of this kind, made for the tenant at the instant; ``None`` where it holds."""
        purpose = "release" if kind == RELEASE else "payout"
        try:
            header = json.loads(decoded(signing_input.split(".", maxsplit=1)[0]))
            key = self._keys.get(header["kid"])
            if key is None or (header["alg"], header["typ"], key["purpose"]) != (key["alg"], kind, purpose):
                return "key"
            made, revoked = datetime.fromisoformat(at), key.get("revoked_at")
            if key["tenant"] != tenant or made < datetime.fromisoformat(key["active_from"]):
                return "key"
            if revoked is not None and made >= datetime.fromisoformat(revoked):
                return "key"
            self._verifiers[header["kid"]](decoded(signature), signing_input.encode("ascii"))
        except InvalidSignature:
            return "signature"
        except UNREADABLE:
            return "malformed"
        return None


class Merkle:
    """The tree hash of RFC 6962, leaf by leaf."""

    def __init__(self) -> None:
        self._full: list[bytes] = []
        self._size = 0

    def add(self, leaf: bytes) -> None:
        """Append one leaf."""
        digest, size = hashlib.sha256(b"\0" + leaf).digest(), self._size
        while size & 1:
            digest, size = hashlib.sha256(b"\1" + self._full.pop() + digest).digest(), size >> 1
        self._full.append(digest)
        self._size += 1

    def root(self) -> str:
        """The root in hexadecimal digits."""
        digest = self._full[-1] if self._full else hashlib.sha256(b"").digest()
        for left in reversed(self._full[:-1]):
            digest = hashlib.sha256(b"\1" + left + digest).digest()
        return digest.hex()


def fen(text: str) -> int:
    """An amount in yuan with two decimals, in fen."""
    yuan, cents = text.split(".")
    if len(cents) != 2 or not (yuan + cents).isascii() or not (yuan + cents).isdigit():  # noqa: PLR2004 - two decimals
        raise ValueError("not an amount")
    return int(yuan + cents)


def manifest_faults(content: Json, keys: Keys, previous: str | None) -> Found:
    """The manifest's own signatures, the seal in it, and the manifest before it."""
    signed = canonical({name: value for name, value in content.items() if name != "signatures"})
    tenant, at = content["tenant"], content["created_at"]
    if not content["signatures"]:
        yield "signature", "manifest.json", None, ""
    for entry in content["signatures"]:
        fault = keys.fault(
            f"{entry['protected']}.{encoded(signed)}", entry["signature"], "clearing-manifest+jws", tenant, at
        )
        if fault:
            yield fault, "manifest.json", None, ""
    seal = json.loads(decoded(content["seal"]["payload"]))
    for entry in content["seal"]["signatures"] or [{"protected": "", "signature": ""}]:
        signing_input = f"{entry['protected']}.{content['seal']['payload']}"
        fault = keys.fault(signing_input, entry["signature"], "clearing-seal+jws", tenant, seal["sealed_at"])
        if fault:
            yield fault, "manifest.json", None, "seal"
    sealed = (seal["tenant"], seal["batch"], seal["merkle_root"], seal["count"], seal["total"])
    if sealed != (tenant, content["batch"], content["batch_root"], content["item_count"], content["total"]):
        yield "seal", "manifest.json", None, ""
    yield from release_faults(content, seal, keys)
    if previous is not None and content["previous_manifest_sha256"] != previous:
        yield "previous", "manifest.json", None, content["previous_manifest_sha256"]


def release_faults(content: Json, seal: Json, keys: Keys) -> Found:
    """The releasers' signatures over this very seal, by as many people as it takes, none of them its maker."""
    shown = content["seal"]
    maker = shown["signatures"][0] if len(shown["signatures"]) == 1 else {"protected": "", "signature": ""}
    token = f"{maker['protected']}.{shown['payload']}.{maker['signature']}"
    sealed = [hashlib.sha256(token.encode()).hexdigest(), *(seal.get(name) for name in SEALED)]
    people, releases = [seal["sealed_by"]], content["releases"]
    if not releases:
        yield "release", "manifest.json", None, "0"
    for number, record in enumerate(releases, start=1):
        [entry], said = record["signatures"], json.loads(decoded(record["payload"]))
        signing_input, at = f"{entry['protected']}.{record['payload']}", said["released_at"]
        fault = keys.fault(signing_input, entry["signature"], RELEASE, content["tenant"], at)
        if fault:
            yield fault, "manifest.json", None, f"release {number}"
            continue
        person = {"person": said["released_by"], "tenant": content["tenant"]}
        if keys.holder(entry["protected"]) != encoded(hashlib.sha256(canonical(person)).digest()):
            yield "key", "manifest.json", None, f"release {number}"
        times = [datetime.fromisoformat(each) for each in (seal["sealed_at"], at, content["created_at"])]
        told = [said["seal_sha256"], *(said[name] for name in SEALED)]
        if told != sealed or (said["number"], said["needed"]) != (number, len(releases)) or times != sorted(times):
            yield "release", "manifest.json", None, f"release {number}"
        people.append(said["released_by"])
    if len(set(people)) != len(people):
        yield "people", "manifest.json", None, ""


def file_faults(folder: Path, content: Json) -> Found:
    """Files that are not those that the manifest lists."""
    listed = {file["name"]: file for file in content["files"]}
    for name, file in listed.items():
        path = folder / name
        if Path(name).name != name or not path.is_file():
            yield "missing", name, None, ""
            continue
        size, sha256, sm3 = 0, hashlib.sha256(), Hash(SM3())
        with path.open("rb") as source:
            while part := source.read(2**20):
                size += len(part)
                sha256.update(part)
                sm3.update(part)
        if (size, sha256.hexdigest(), sm3.finalize().hex()) != (file["size"], file["sha256"], file["sm3"]):
            yield "changed", name, None, ""
        if "jws" in file and (folder / f"{name}.jws").read_bytes() != file["jws"].encode("ascii"):
            yield "changed", f"{name}.jws", None, ""
    for path in sorted(folder.iterdir()):
        if path.name not in listed and path.name not in UNSIGNED:
            yield "unlisted", path.name, None, ""


def line_faults(folder: Path, content: Json, keys: Keys) -> Found:
    """Lines of ``payouts.jsonl`` that are changed, repeated, out of order or missing, and their root and totals."""
    name, leaves, seen = "payouts.jsonl", {}, set()  # type: tuple[str, dict[int, bytes], set[str]]
    count, total, last = 0, 0, 0
    with (folder / name).open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                said = json.loads(line)
                protected, payload, signature = said["jws"].split(".")
                order = json.loads(decoded(payload))
                instruction, items = str(order["instruction_id"]), order["items"]
                fault = keys.fault(
                    f"{protected}.{payload}",
                    signature,
                    "clearing-instruction+jws",
                    content["tenant"],
                    order["created_at"],
                )
                if fault or instruction != said["instruction_id"]:
                    yield fault or "malformed", name, number, instruction
                    continue
                if [order[key] for key in ("tenant", "batch", "batch_root")] != [
                    content[key] for key in ("tenant", "batch", "batch_root")
                ]:
                    yield "other", name, number, instruction
                if instruction in seen:
                    yield "repeated", name, number, instruction
                    continue
                seen.add(instruction)
                if items[0]["position"] <= last:
                    yield "order", name, number, instruction
                if sum(fen(item["amount"]) for item in items) != fen(order["amount"]):
                    yield "sum", name, number, instruction
                last, count, total = items[0]["position"], count + 1, total + fen(order["amount"])
                leaves |= {item["position"]: leaf(order, item) for item in items}
            except UNREADABLE:
                yield "malformed", name, number, ""
    yield from _whole(name, content, leaves, (count, total))


def leaf(order: Json, item: Json) -> bytes:
    """What was sealed of one item."""
    shown = {name: order[name] for name in ("account_number", "bank_name", "batch", "cnaps", "payee", "tenant")}
    return canonical({**shown, "amount": item["amount"], "claim": item["claim"], "position": item["position"]})


def _whole(name: str, content: Json, leaves: dict[int, bytes], sums: tuple[int, int]) -> Found:
    """What only all lines together show: gaps, the root, the totals."""
    for position in range(1, content["item_count"] + 1):
        if position not in leaves:
            yield "item", name, None, f"item {position}"
    tree = Merkle()
    for position in sorted(leaves):
        tree.add(leaves[position])
    if tree.root() != content["batch_root"]:
        yield "root", name, None, ""
    if sums != (content["count"], fen(content["total"])):
        yield "total", name, None, f"{sums[0]} / {sums[1]} fen"


def differences(folder: Path, jwks: Json, previous: str | None) -> Found:
    """Everything that is wrong with the folder."""
    try:
        keys = Keys(jwks)
        content = json.loads((folder / "manifest.json").read_bytes())
        yield from manifest_faults(content, keys, previous)
        yield from file_faults(folder, content)
        if (folder / "payouts.jsonl").is_file():
            yield from line_faults(folder, content, keys)
    except FileNotFoundError as fault:
        yield "missing", Path(str(fault.filename)).name, None, ""
    except UNREADABLE as fault:
        yield "malformed", "manifest.json", None, type(fault).__name__


def main() -> int:
    """Verify the folder named on the command line."""
    parser = argparse.ArgumentParser(description="离线核验一个批次 / verify one batch offline")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--jwks", type=Path, required=True, help="/.well-known/jwks/{tenant}.json")
    parser.add_argument("--previous", help="SHA-256 of the tenant's manifest before this one")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    given = parser.parse_args()
    found = 0
    for code, file, line, about in differences(given.folder, json.loads(given.jwks.read_bytes()), given.previous):
        found += 1
        chinese, english = WORDS[code]
        if given.json:
            print(json.dumps({"code": code, "file": file, "line": line, "about": about}))  # noqa: T201 - its output
        else:
            place = file if line is None else f"{file} 第 {line} 行 / line {line}"
            print(f"{place} {about}: {chinese} / {english}")  # noqa: T201 - its output
    print("核验通过 / verified" if not found else f"{found} 处差异 / differences", file=sys.stderr)  # noqa: T201 - the same
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
