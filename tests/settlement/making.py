"""A batch as finance would have it: providers with awkward names, keys, and its folder of files."""

import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol
from uuid import UUID

from settlement.formats.folder import write_folder
from settlement.formats.manifest import Chain
from settlement.formats.payout_batch import PayoutBatch
from settlement.formats.rendering import FileChoices
from settlement.payouts.instruction import Account, Instruction, Item, item_leaf
from settlement.signatures.key_custody import NewKey, make_key, open_key
from settlement.signatures.merkle import merkle_root
from settlement.signatures.signing import RELEASE, SEAL, Purpose, SigningKey, compact_signer, holder_of
from settlement.signatures.suites import SUITES
from tenants.kernel.canonical import canonical_bytes, sha256
from tenants.kernel.money import Money, total

KEK: Final = bytes(range(32))
MAKER: Final = "maker-li"
CREATED_AT: Final = datetime(2024, 9, 27, 1, 0, tzinfo=UTC)
NAMES: Final = (
    "南京紫金仪器有限公司",
    "𠮷林检测（苏州）有限公司",
    "=cmd|'/C calc'!A0",
    'He said "yes", & <left>',
    "'带撇号的公司",
    "+86研究院",
    "123456789012345",
    "_x0041_公司",
    "<r>富文本</r>",
    " 前后有空格 ",
)
"""Payees that break careless writers: rare characters, formulas, quotes, markup, numbers, spreadsheet escapes."""


@dataclass(frozen=True)
class Releaser:
    """A person who releases batches, and their own key."""

    person: str
    new_key: NewKey

    def sign(self, seal: str, turn: tuple[int, int] = (1, 1), **changes: Any) -> str:
        """A release of what the seal says, but for the changes."""
        sealed = said_by(seal)
        record = {
            **{name: value for name, value in sealed.items() if not name.startswith("sealed_")},
            "seal_sha256": sha256(seal.encode()).hex(),
            "number": turn[0],
            "needed": turn[1],
            "released_by": self.person,
            "released_at": CREATED_AT - timedelta(hours=1),
            "kid": self.new_key.public.kid,
            **changes,
        }
        key = open_key(self.new_key.private_sealed, self.new_key.public, KEK)
        return compact_signer(key, RELEASE)(canonical_bytes(record))


@dataclass(frozen=True)
class Made:
    """A batch, its instructions and keys, and where its files lie."""

    batch: PayoutBatch
    instructions: tuple[Instruction, ...]
    new_key: NewKey
    seal: str
    folder: Path
    releasers: tuple[Releaser, ...]

    @property
    def releases(self) -> tuple[str, ...]:
        needed = len(self.releasers)
        return tuple(each.sign(self.seal, (at, needed)) for at, each in enumerate(self.releasers, start=1))

    @property
    def key(self) -> SigningKey:
        return open_key(self.new_key.private_sealed, self.new_key.public, KEK)

    @property
    def jwks(self) -> dict[str, Any]:
        return {"keys": [self.new_key.public.jwk(), *(each.new_key.public.jwk() for each in self.releasers)]}

    def write(self, choices: FileChoices | None = None, folder: Path | None = None) -> Mapping[str, bytes]:
        target = folder or self.folder
        target.mkdir(exist_ok=True)
        chain = Chain(self.seal, self.releases, "0" * 64, 1)
        files = write_folder(target, self.batch, lambda: self.instructions, self.key, chain, choices)
        return {file.name: (target / file.name).read_bytes() for file in files}


def an_account(number: int, name: str | None = None) -> Account:
    bank = "中国工商银行股份有限公司南京鼓楼支行"
    return Account(name or NAMES[number % len(NAMES)], f"62220210{number:011d}", bank, "102301000017")


def instructions_of(count: int, kid: str, claims_each: int = 1) -> tuple[PayoutBatch, tuple[Instruction, ...]]:
    """``count`` instructions; the items of different payees take turns in the positions."""
    debtor = Account("江苏省财政厅", "32001594038059123456", "中国建设银行南京中山支行", "105301000017")
    tenant, number, batch_id = "jiangsu", "B-JS-2024-0001", UUID(int=(7 << 76) | (2 << 62) | 1)
    payees = [an_account(place) for place in range(count)]
    items = [
        tuple(
            Item(
                place + 1 + turn * count,
                f"CL-JS-2024-{place + 1 + turn * count:06d}",
                Money(14_000_000 + place * 7 + turn),
            )
            for turn in range(claims_each)
        )
        for place in range(count)
    ]
    leaves = sorted(
        (item.position, item_leaf(tenant, number, item, payee))
        for payee, own in zip(payees, items, strict=True)
        for item in own
    )
    root = merkle_root(leaf for _, leaf in leaves).hex()
    instructions = tuple(
        Instruction(
            UUID(int=(0x0192 << 112) | (7 << 76) | (2 << 62) | place),
            tenant,
            number,
            batch_id,
            root,
            debtor,
            payee,
            total(item.amount for item in own),
            "科技创新券兑付",
            own,
            CREATED_AT,
            date(2024, 12, 31),
            kid,
        )
        for place, (payee, own) in enumerate(zip(payees, items, strict=True))
    )
    batch = PayoutBatch(
        tenant,
        "江苏省",
        "2024年第一批科技创新券兑付清单",
        number,
        batch_id,
        root,
        debtor,
        count,
        count * claims_each,
        total(each.amount for each in instructions),
        CREATED_AT,
        date(2024, 9, 27),
    )
    return batch, instructions


def said_by(token: str) -> dict[str, Any]:
    """The payload of a compact JWS, unverified."""
    payload = token.split(".")[1]
    said: dict[str, Any] = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return said


def seal_record(batch: PayoutBatch, kid: str) -> dict[str, Any]:
    return {
        "seal_no": 1,
        "sealed_by": MAKER,
        "tenant": batch.tenant,
        "batch": batch.batch,
        "batch_id": batch.batch_id,
        "merkle_root": batch.batch_root,
        "count": batch.item_count,
        "total": batch.total,
        "previous_seal": "0" * 64,
        "sealed_at": batch.created_at - timedelta(days=1),
        "kid": kid,
    }


def with_amounts(instructions: tuple[Instruction, ...], fen: int) -> tuple[Instruction, ...]:
    """The same instructions, each of one item of ``fen``."""
    return tuple(
        replace(each, amount=Money(fen), items=(replace(each.items[0], amount=Money(fen)),)) for each in instructions
    )


class Make(Protocol):
    """:func:`made` with its folder chosen."""

    def __call__(self, count: int = 12, claims_each: int = 1, algorithm: str = "Ed25519") -> Made: ...


def releaser(person: str, algorithm: str = "Ed25519") -> Releaser:
    """Somebody with a release key of the tenant's."""
    holder = holder_of("jiangsu", person)
    return Releaser(
        person,
        make_key("jiangsu", Purpose.RELEASE, CREATED_AT - timedelta(days=30), KEK, SUITES[algorithm], holder),
    )


def made(folder: Path, count: int = 12, claims_each: int = 1, algorithm: str = "Ed25519") -> Made:
    """A batch whose folder is still empty."""
    new_key = make_key("jiangsu", Purpose.PAYOUT, CREATED_AT - timedelta(days=30), KEK, SUITES[algorithm])
    kid = new_key.public.kid
    batch, instructions = instructions_of(count, kid, claims_each)
    key = open_key(new_key.private_sealed, new_key.public, KEK)
    seal = compact_signer(key, SEAL)(canonical_bytes(seal_record(batch, kid)))
    return Made(batch, instructions, new_key, seal, folder, (releaser("releaser-wang", algorithm),))
