"""A signed instruction's content read at a glance, where it is spelt just as it is written, and of its batch.

``None`` means another spelling, or that something in it is not as it has to be: whoever asked then looks at it member
by member. A content that is read here is canonical (RFC 8785), since no text in it holds what would be escaped.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from settlement.offline.records import MAX_CLAIMS_CHARS, Record, claims_line, fen_in_words
from settlement.offline.roots import leaf_digest
from tenants.kernel.canonical import canonical_bytes

_TEXT: Final = r'[^"\\\x00-\x1f]*'
_AMOUNT: Final = r"(?:0|[1-9][0-9]{0,12})\.[0-9]{2}"
_ITEM: Final = rf'\{{"amount":"{_AMOUNT}","claim":"{_TEXT}","position":[1-9][0-9]{{0,8}}\}}'
_EACH_ITEM: Final = re.compile(rf'\{{"amount":"({_AMOUNT})","claim":"({_TEXT})","position":([0-9]+)\}}')
_OWN: Final = {
    "account_name": f'"{_TEXT}"', "account_number": f'"({_TEXT})"', "amount": f'"({_AMOUNT})"',
    "amount_in_words": f'"({_TEXT})"', "bank_name": f'"({_TEXT})"', "claims": rf'\["({_TEXT}(?:","{_TEXT})*)"\]',
    "cnaps": f'"({_TEXT})"', "currency": '"CNY"', "end_to_end_id": '"([A-Z2-7]{26})"',
    "instruction_id": '"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"', "items": rf"\[({_ITEM}(?:,{_ITEM})*)\]",
    "kid": f'"({_TEXT})"', "payee": f'"({_TEXT})"', "purpose": f'"({_TEXT})"', "valid_through": f'"({_TEXT})"',
}  # fmt: skip
"""The members that an instruction has for itself, and the currency."""
_LEAF: Final = (
    '{"account_number":"%s","amount":"%s","bank_name":"%s","batch":%s,"claim":"%s","cnaps":"%s","payee":"%s",'
    '"position":%s,"tenant":%s}'
)
_BASE32: Final = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "0123456789abcdefghijklmnopqrstuv")
_UNUSED_BITS: Final = 2
"""An end-to-end id has 130 bits, an id 128."""


class Order(NamedTuple):
    """What an instruction comes to: its record, the key that it names, and its sealed items."""

    record: Record
    kid: str
    fen: int
    positions: Sequence[int]
    digests: Sequence[bytes]


Glance = Callable[[bytes, str, int], Order | None]
"""Reads a content, given the id beside it and the number of its line."""


def glance_at(shared: Mapping[str, Any]) -> Glance:
    """What reads the instructions of a batch, whose members ``shared`` each of them has to repeat."""
    texts = {name: canonical_bytes(value).decode() for name, value in shared.items()}
    members = sorted((_OWN | {name: re.escape(text) for name, text in texts.items()}).items())
    content_form = re.compile(r"\{" + ",".join([f'"{name}":{pattern}' for name, pattern in members]) + r"\}")
    batch, tenant, debtor = texts["batch"], texts["tenant"], shared["debtor"]
    of_batch = {
        "payer": debtor["account_name"], "payer_account_number": debtor["account_number"],
        "payer_bank_name": debtor["bank_name"], "currency": "CNY", "batch": shared["batch"],
    }  # fmt: skip

    def glance(content: bytes, instruction_id: str, number: int) -> Order | None:
        try:
            found = content_form.fullmatch(content.decode())
        except UnicodeDecodeError:
            return None
        if found is None:
            return None
        account, amount, words, bank, said, cnaps, reference, own_id, listed, kid, payee, purpose, through = (
            found.groups()
        )
        items, claims = _EACH_ITEM.findall(listed), said.split('","')
        fen = _fen(amount)
        if (
            own_id != instruction_id
            or int(reference.translate(_BASE32), 32) != int(own_id.replace("-", ""), 16) << _UNUSED_BITS
            or [claim for _, claim, _ in items] != claims
            or sum([_fen(part) for part, _, _ in items]) != fen
            or fen_in_words(words) != fen
        ):
            return None
        record = {
            "sequence": str(number), "instruction_id": own_id, "end_to_end_id": reference, "payee": payee,
            "account_number": account, "bank_name": bank, "cnaps": cnaps, "amount": amount, "amount_in_words": words,
            "purpose": purpose, "claims": claims_line(claims, len(claims), MAX_CLAIMS_CHARS), "valid_through": through,
            **of_batch,
        }  # fmt: skip
        leaves = [
            _LEAF % (account, part, bank, batch, claim, cnaps, payee, position, tenant)
            for part, claim, position in items
        ]
        digests = [leaf_digest(leaf.encode()) for leaf in leaves]
        return Order(record, kid, fen, [int(position) for _, _, position in items], digests)

    return glance


def _fen(amount: str) -> int:
    return int(amount.replace(".", ""))
