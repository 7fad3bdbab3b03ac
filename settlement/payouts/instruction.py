"""What is sealed and what is ordered to be paid: accounts, sealed items and payout instructions."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final
from uuid import UUID

import orjson

from settlement.formats.amount_in_words import amount_in_words
from tenants.kernel.canonical import canonical_bytes
from tenants.kernel.clock import print_instant
from tenants.kernel.money import MAX_FEN, Money
from tenants.kernel.texts import forbidden_character

CURRENCY: Final = "CNY"
MAX_TEXT_CHARS: Final = 500
"""The longest name or purpose; shorter limits of a file format are cut by its writer."""

_BASE32: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_BASE32_PAIRS: Final = tuple(first + second for first in _BASE32 for second in _BASE32)
_BASE32_SHIFTS: Final = tuple(range(120, -1, -10))
_ACCOUNT_NUMBER = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,33}", re.ASCII)
_CNAPS = re.compile(r"[0-9]{12}", re.ASCII)
_BATCH_NUMBER = re.compile(r"[0-9A-Za-z][0-9A-Za-z.-]{0,34}", re.ASCII)
_CLAIM = re.compile(r"[0-9A-Za-z][0-9A-Za-z._/-]{0,63}", re.ASCII)
_ROOT = re.compile(r"[0-9a-f]{64}", re.ASCII)


class InstructionError(ValueError):
    """A value that must never reach a bank; the message names the field."""


@dataclass(frozen=True, slots=True)
class Account:
    """A bank account. ``account_number`` has at most 34 characters, ``cnaps`` the 12 digits of the bank's code.

    Raises:
        InstructionError: a text that is empty, too long or unprintable, or a number of another form.
    """

    account_name: str
    account_number: str
    bank_name: str
    cnaps: str

    def __post_init__(self) -> None:
        require_text("account_name", self.account_name)
        _require_bank(self.bank_name, self.cnaps)
        _require_form("account_number", self.account_number, _ACCOUNT_NUMBER)

    def payload(self) -> dict[str, str]:
        """The account as JSON data."""
        return {
            "account_name": self.account_name,
            "account_number": self.account_number,
            "bank_name": self.bank_name,
            "cnaps": self.cnaps,
        }


@dataclass(frozen=True, slots=True)
class Item:
    """One sealed item: what one claim (or other obligation) gets. ``position`` counts from 1 in the batch.

    Raises:
        InstructionError: a position below 1, a reference of another form, or no amount.
    """

    position: int
    claim: str
    amount: Money

    def __post_init__(self) -> None:
        if self.position < 1:
            raise InstructionError("position: items are counted from 1")
        _require_form("claim", self.claim, _CLAIM)
        require_amount(self.amount)


def item_leaf(tenant: str, batch: str, item: Item, payee: Account) -> bytes:
    """The canonical bytes of a sealed item: the Merkle leaf at ``item.position - 1`` of its batch.

    Nothing in it is made after the seal, and all of it stands in the signed instruction again, so that the
    root can be recomputed from ``payouts.jsonl`` alone.
    """
    return (
        _LEAF
        % (
            payee.account_number, item.amount, _quoted_often(payee.bank_name), _quoted_often(batch), item.claim,
            payee.cnaps, _quoted(payee.account_name), item.position, _quoted_often(tenant),
        )
    ).encode()  # fmt: skip


_LEAF: Final = (
    '{"account_number":"%s","amount":"%s","bank_name":%s,"batch":%s,"claim":"%s","cnaps":"%s","payee":%s,'
    '"position":%d,"tenant":%s}'
)
"""A leaf in its canonical form: the forms of number, claim and code leave nothing in them to be escaped."""


def _quoted(text: str) -> str:
    return orjson.dumps(text).decode()


_quoted_often = lru_cache(maxsize=1024)(_quoted)
"""Of what many items share."""


@lru_cache(maxsize=1024)  # every file of a piece asks for it again
def end_to_end_id(instruction_id: UUID) -> str:
    """The reference that travels to the bank and back: 26 characters A-Z 2-7, the instruction's id in base32.

    RFC 4648 section 6 without padding, by a table of character pairs: ``base64.b32encode`` takes four times as long.
    """
    bits = instruction_id.int << 2
    return "".join([_BASE32_PAIRS[bits >> shift & 1023] for shift in _BASE32_SHIFTS])


@lru_cache(maxsize=1024)  # as above
def printed_id(instruction_id: UUID) -> str:
    """The id as files show it."""
    return str(instruction_id)


@dataclass(frozen=True, slots=True)
class Instruction:
    """The order to pay one payee for the items of one batch. ``batch`` is the batch's number.

    The instructions of a batch are written in the order of their first item's position.

    Raises:
        InstructionError: see :class:`Account` and :class:`Item`; or items that are missing, out of order, or do
            not add up to the amount.
    """

    instruction_id: UUID
    tenant: str
    batch: str
    batch_id: UUID
    batch_root: str
    debtor: Account
    creditor: Account
    amount: Money
    purpose: str
    items: tuple[Item, ...]
    created_at: datetime
    valid_through_on: date
    key_id: str

    def __post_init__(self) -> None:
        require_batch(self.batch, self.batch_root, self.created_at)
        require_text("purpose", self.purpose)
        require_amount(self.amount)
        if len(self.items) != 1 and not _in_order(self.items):
            raise InstructionError("items: at least one, in the order of their positions")
        if sum([item.amount.fen for item in self.items]) != self.amount.fen:
            raise InstructionError("items: they do not add up to the amount")

    @property
    def end_to_end_id(self) -> str:
        """See :func:`end_to_end_id`."""
        return end_to_end_id(self.instruction_id)

    @property
    def claims(self) -> tuple[str, ...]:
        """The claim references, in the order of the items."""
        return tuple([item.claim for item in self.items])

    def content(self) -> bytes:
        """The JSON object that is signed, canonical (RFC 8785): amounts in yuan, instants with ``+08:00``."""
        payee, amount = self.creditor, str(self.amount)
        name = orjson.dumps(payee.account_name)
        form = _form(
            (self.tenant, self.batch, self.batch_id, self.batch_root),
            self.debtor, self.purpose, self.created_at, self.valid_through_on, self.key_id,
        )  # fmt: skip
        return form % (
            name, payee.account_number.encode(), amount.encode(), amount_in_words(self.amount).encode(),
            _quoted_often(payee.bank_name).encode(), '","'.join([item.claim for item in self.items]).encode(),
            payee.cnaps.encode(), self.end_to_end_id.encode(), printed_id(self.instruction_id).encode(),
            ",".join([_ITEM % (item.amount, item.claim, item.position) for item in self.items]).encode(), name,
        )  # fmt: skip

    def payload(self) -> dict[str, Any]:
        """What :meth:`content` says."""
        said: dict[str, Any] = orjson.loads(self.content())
        return said


_ITEM: Final = '{"amount":"%s","claim":"%s","position":%d}'


@lru_cache(maxsize=16)
def _form(
    of: tuple[str, str, UUID, str], debtor: Account, purpose: str, created_at: datetime, through_on: date, key_id: str
) -> bytes:
    """What is signed, with a place for each text that an instruction has for itself, already escaped.

    As bytes: texts beyond ASCII would have the whole of it spread to wide characters and encoded again, each time.
    """
    tenant, batch, batch_id, root = of
    shared = {
        "batch": batch, "batch_id": str(batch_id), "batch_root": root, "created_at": print_instant(created_at),
        "currency": CURRENCY, "debtor": debtor.payload(), "kid": key_id, "purpose": purpose, "tenant": tenant,
        "valid_through": through_on.isoformat(),
    }  # fmt: skip
    own = {
        "account_name": "%s", "account_number": '"%s"', "amount": '"%s"', "amount_in_words": '"%s"', "bank_name": "%s",
        "claims": '["%s"]', "cnaps": '"%s"', "end_to_end_id": '"%s"', "instruction_id": '"%s"', "items": "[%s]",
        "payee": "%s",
    }  # fmt: skip
    texts = {name: canonical_bytes(value).decode().replace("%", "%%") for name, value in shared.items()}
    members = sorted((texts | own).items())
    return ("{" + ",".join([f'"{name}":{text}' for name, text in members]) + "}").encode()


Values = list[tuple[Any, ...]]
"""Instructions as they travel between processes: bare values, a quarter of the time that pickles of objects take."""


def values_of(instructions: Iterable[Instruction]) -> Values:
    """The bare values of instructions."""
    return [
        (
            each.instruction_id.int, each.tenant, each.batch, each.batch_id, each.batch_root, each.debtor,
            (payee := each.creditor).account_name, payee.account_number, payee.bank_name, payee.cnaps,
            each.amount.fen, each.purpose, [(item.position, item.claim, item.amount.fen) for item in each.items],
            each.created_at, each.valid_through_on, each.key_id,
        )
        for each in instructions
    ]  # fmt: skip


def of_values(values: Values) -> list[Instruction]:
    """The instructions of bare values, looked at like any other.

    Raises:
        InstructionError: see :class:`Instruction`.
    """
    return [
        Instruction(
            UUID(int=number), tenant, batch, batch_id, root, debtor, Account(name, account, bank, cnaps), Money(fen),
            purpose, tuple([Item(position, claim, Money(part)) for position, claim, part in items]), created_at,
            through_on, key_id,
        )
        for number, tenant, batch, batch_id, root, debtor, name, account, bank, cnaps, fen, purpose, items, created_at,
            through_on, key_id in values
    ]  # fmt: skip


def _in_order(items: tuple[Item, ...]) -> bool:
    """Whether there are any, each behind the one before."""
    return bool(items) and all(earlier.position < later.position for earlier, later in pairwise(items))


def require_text(field: str, text: str) -> None:
    """Refuse a text that is blank, too long or unprintable.

    Raises:
        InstructionError: naming ``field``.
    """
    if 0 < len(text) <= MAX_TEXT_CHARS and text.isprintable() and not text.isspace():
        return  # nearly always: what is printable holds nothing that is forbidden
    if not text.strip() or len(text) > MAX_TEXT_CHARS:
        raise InstructionError(f"{field}: a text of 1 to {MAX_TEXT_CHARS} characters")
    if code := forbidden_character(text):
        raise InstructionError(f"{field}: {code}")


@lru_cache(maxsize=1024)  # many payees have one bank
def _require_bank(bank_name: str, cnaps: str) -> None:
    require_text("bank_name", bank_name)
    _require_form("cnaps", cnaps, _CNAPS)


def _require_form(field: str, text: str, pattern: re.Pattern[str]) -> None:
    if pattern.fullmatch(text) is None:
        raise InstructionError(f"{field}: not of the form that a bank accepts")


def require_amount(amount: Money) -> None:
    """Refuse an amount that is not above zero or cannot be stored.

    Raises:
        InstructionError: always naming ``amount``.
    """
    if not 0 < amount.fen <= MAX_FEN:
        raise InstructionError("amount: above zero, and not above the largest that can be stored")


@lru_cache(maxsize=16)  # each of its instructions asks
def require_batch(batch: str, root: str, created_at: datetime) -> None:
    """Refuse a batch number or root of another form, and an instant without its offset.

    Raises:
        InstructionError: naming the field.
    """
    _require_form("batch", batch, _BATCH_NUMBER)
    _require_form("batch_root", root, _ROOT)
    if created_at.tzinfo is None:
        raise InstructionError("created_at: an aware instant")
