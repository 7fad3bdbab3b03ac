"""Every file of a small batch is, byte for byte, what it was when its digests were written down here.

Whoever makes the writers faster changes nothing of what they write; whoever changes what they write says so here.
What is packed is looked at unpacked: how it is packed is the library's.
"""

import re
import zlib
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from settlement.formats.bank_table import PRESETS
from settlement.formats.folder import write_folder
from settlement.formats.manifest import FIRST_PREVIOUS, Chain
from settlement.formats.rendering import FileChoices
from settlement.signatures.signing import SEAL, Purpose, SigningKey, compact_signer
from tenants.kernel.canonical import canonical_bytes
from tests.settlement.making import instructions_of, seal_record

WRITTEN = {
    "09 e-banking gb18030": {
        "pain.001.xml": "894c44857a16213dfbdfe9de485ff9e9",
        "pain.001.xml.jws": "02540703fa945b3e7b4b127ead791751",
        "payment-list.pdf": "d0ed3369587f2e1fcbaae2c018e0931a",
        "payouts.csv": "a4811efd519b95b08d2d8ed30fd22ccd",
        "payouts.jsonl": "970d86ec34de2cff55ef9cb93762cc55",
        "payouts.xlsx": "a7d32c8e04dcfd66360a65dd5e702fad",
    },
    "09 generic utf-8-sig": {
        "pain.001.xml": "894c44857a16213dfbdfe9de485ff9e9",
        "pain.001.xml.jws": "02540703fa945b3e7b4b127ead791751",
        "payment-list.pdf": "d0ed3369587f2e1fcbaae2c018e0931a",
        "payouts.csv": "128484e61b3d6477a02ba6a80d7c72c2",
        "payouts.jsonl": "970d86ec34de2cff55ef9cb93762cc55",
        "payouts.xlsx": "c190491dc92b8302240f95c6068aa5d2",
    },
    "11 treasury gb18030": {
        "pain.001.xml": "7186da54f299954affd30a0c8d0de7d6",
        "pain.001.xml.jws": "29b991750355d6e8ade5a4e210645465",
        "payment-list.pdf": "d0ed3369587f2e1fcbaae2c018e0931a",
        "payouts.csv": "13ef2235f00d6fdd0c93ca633870cae5",
        "payouts.jsonl": "970d86ec34de2cff55ef9cb93762cc55",
        "payouts.xlsx": "f8e46543a87f76e41f6d45fcb0c4cd0c",
    },
}


def fixed_key() -> SigningKey:
    """The same key each time, which signs the same each time."""
    private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    packed = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return SigningKey.load("jiangsu", Purpose.PAYOUT, "Ed25519", packed)


def unpacked(path: Path) -> bytes:
    """What a file says, whatever it was packed by."""
    if path.suffix == ".xlsx":
        with ZipFile(path) as book:
            return b"".join([name.encode() + book.read(name) for name in book.namelist()])
    if path.suffix == ".pdf":
        return b"\n".join([zlib.decompress(found) for found in streams(path.read_bytes())])
    return path.read_bytes()


def streams(document: bytes) -> list[bytes]:
    return re.findall(rb"stream\n(.*?)\nendstream", document, re.DOTALL)


def digests(folder: Path, choices: FileChoices) -> dict[str, str]:
    """The files of 45 instructions, three claims each, by their names."""
    key = fixed_key()
    batch, instructions = instructions_of(45, key.kid, claims_each=3)
    seal = compact_signer(key, SEAL)(canonical_bytes(seal_record(batch, key.kid)))
    write_folder(folder, batch, lambda: instructions, key, Chain(seal, (), FIRST_PREVIOUS, 1), choices)
    names = ("pain.001.xml", "pain.001.xml.jws", "payouts.csv", "payouts.xlsx", "payouts.jsonl", "payment-list.pdf")
    return {name: sha256(unpacked(folder / name)).hexdigest()[:32] for name in names}


@pytest.mark.parametrize("choice", sorted(WRITTEN))
def test_every_file_is_what_it_ever_was(tmp_path: Path, choice: str) -> None:
    version, table, encoding = choice.split()
    assert digests(tmp_path, FileChoices(version, PRESETS[table], encoding)) == WRITTEN[choice]
