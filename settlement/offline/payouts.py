"""Reading ``payouts.jsonl``: every signature, every payload, and whether it belongs to the batch."""

import re
from base64 import urlsafe_b64decode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from settlement.offline.evidence import Headers, Key, Keys, RefusedError, instant
from settlement.offline.orders_as_written import Order, glance_at
from settlement.offline.records import Line, Record, fen_in_words, record_of, reference_of
from tenants.kernel.canonical import canonical_bytes
from tenants.kernel.money import Money, total

TYPE: Final = "clearing-instruction+jws"
MAX_POSITION: Final = 10**9
MAX_LINE_BYTES: Final = 8 * 2**20

_LINE = re.compile(rb'\{"instruction_id":"([0-9a-f-]{36})","jws":"([0-9A-Za-z_.-]+)"\}\n')
_BEGINS: Final = b'{"instruction_id":"'
_BETWEEN: Final = b'","jws":"'
_ENDS: Final = b'"}\n'
_ID_ENDS: Final = len(_BEGINS) + 36
_TOKEN_BEGINS: Final = _ID_ENDS + len(_BETWEEN)
_NOT_READABLE: Final = ("line.unreadable", "这一行无法读取。", "The line cannot be read.")

Fault = tuple[str, str, str]
"""Code, Chinese, English."""


class Payout(NamedTuple):
    """One line: its number, the payload as far as it can be read, what is wrong with it, and the payload's record."""

    number: int
    instruction_id: str | None
    payload: Mapping[str, Any] | None
    faults: tuple[Fault, ...]
    record: Record | None = None
    order: Order | None = None
    """What it comes to, where it was read at a glance; there is no payload then."""


class Checking:
    """Checks lines against keys and the manifest's members ``batch``; what headers say of keys is read once."""

    def __init__(self, keys: Keys, batch: Mapping[str, Any]) -> None:
        self._batch = batch
        self._checked = Headers(keys, TYPE)
        self._glance = glance_at(batch)
        self._valid = dict[str, bool]()
        """Of each key that signed, whether it may sign for the batch at all."""

    def check(self, number: int, raw: bytes) -> Payout:
        """The line with its signature checked, and its payload held against the batch's."""
        order = self._at_a_glance(number, raw)
        if order is None:
            return _check(number, raw, self._checked, self._batch)
        return Payout(number, order.record["instruction_id"], None, (), order.record, order)

    def _at_a_glance(self, number: int, raw: bytes) -> Order | None:
        """What a line comes to that is spelt as it is written and has no fault, its parts told by their places.

        No other spelling passes: the token is base64url, and the id is that of the content.
        """
        if not (raw.startswith(_BEGINS) and raw.startswith(_BETWEEN, _ID_ENDS) and raw.endswith(_ENDS)):
            return None
        try:
            content, key = self._checked.checked_bytes(raw[_TOKEN_BEGINS : -len(_ENDS)])
            order = self._glance(content, raw[len(_BEGINS) : _ID_ENDS].decode("ascii"), number)
        except (ValueError, RefusedError):
            return None
        return order if order is not None and order.kid == key.kid and self._may_sign(key) else None

    def _may_sign(self, key: Key) -> bool:
        valid = self._valid.get(key.kid)
        if valid is None:
            try:
                key.require(str(self._batch["tenant"]), instant(self._batch["created_at"]))
                valid = True
            except (RefusedError, ValueError):
                valid = False
            self._valid[key.kid] = valid
        return valid


def checked_instruction(text: str, keys: Keys) -> Payout:
    """One instruction as somebody hands it on: a line of ``payouts.jsonl``, or its compact JWS alone.

    Whether it belongs to a batch that was sealed is not asked here; see the manifest of the batch.
    """
    line = text.strip()
    if not line.startswith("{"):
        try:
            payload = _object(_unchecked_payload(line))
            line = f'{{"instruction_id":"{payload["instruction_id"]}","jws":"{line}"}}'
        except (ValueError, KeyError, TypeError, IndexError):
            return Payout(1, None, None, (_NOT_READABLE,))
    return _check(1, line.encode("utf-8", "replace") + b"\n", Headers(keys, TYPE), {})


def payout_lines(path: Path) -> Iterator[Line]:
    """The lines as records, their signatures left aside: :class:`Checking` has judged them."""
    with path.open("rb") as file:
        for number, raw in enumerate(iter(lambda: file.readline(MAX_LINE_BYTES), b""), start=1):
            try:
                _, token = _envelope(raw)
                record = record_of(_object(_unchecked_payload(token)), number)
            except (ValueError, KeyError, TypeError):
                yield Line(number, None, _NOT_READABLE[1:])
                continue
            yield Line(number, record)


def _check(number: int, raw: bytes, headers: Headers, batch: Mapping[str, Any]) -> Payout:
    try:
        instruction_id, token = _envelope(raw)
    except ValueError:
        return Payout(number, None, None, (_NOT_READABLE,))
    faults: list[Fault] = []
    try:
        content, key = headers.checked(token)
        payload = _object(content)
        if payload.get("kid") != key.kid:
            faults.append(("instruction.kid", "kid 与签名密钥不符。", "kid is not the key that signed."))
        key.require(str(payload["tenant"]), instant(payload["created_at"]))
    except RefusedError as refusal:
        return Payout(number, instruction_id, None, ((refusal.code, refusal.zh, refusal.en),))
    except (ValueError, KeyError, TypeError):
        return Payout(number, instruction_id, None, (_NOT_READABLE,))
    try:
        if content != canonical_bytes(payload):
            faults.append(("instruction.spelling", "不是规范写法（RFC 8785）。", "It is not spelt as RFC 8785 has it."))
        record = record_of(payload, number)
        faults += _faults_of(payload, instruction_id, batch)
    except (ValueError, KeyError, TypeError, AttributeError):
        faults.append(("instruction.malformed", "指令内容格式不正确。", "The instruction's content is malformed."))
        return Payout(number, instruction_id, None, tuple(faults))
    return Payout(number, instruction_id, payload, tuple(faults), record)


def _faults_of(payload: Mapping[str, Any], instruction_id: str, batch: Mapping[str, Any]) -> Iterator[Fault]:
    """What the payload says against itself or against the batch."""
    amount, items = Money.parse(payload["amount"]), payload["items"]
    expected = {
        "instruction_id": instruction_id,
        "end_to_end_id": reference_of(instruction_id),
        "amount": str(amount),
        "currency": "CNY",
        "claims": [item["claim"] for item in items],
        **batch,
    }
    for name, value in expected.items():
        if payload[name] != value:
            yield _fault(name, value, payload[name])
    if total(Money.parse(item["amount"]) for item in items) != amount:
        yield "instruction.items", "明细之和与金额不符。", "The items do not add up to the amount."
    if fen_in_words(payload["amount_in_words"]) != amount.fen:
        yield "instruction.words", "大写金额与金额不符。", "The capital numerals are not the amount."
    texts = [payload["tenant"], *(item[name] for item in items for name in ("claim", "amount"))]
    if not items or not all(isinstance(text, str) for text in texts):
        raise TypeError("an item lacks a text, or there is none")
    if any(type(item["position"]) is not int or not 1 <= item["position"] <= MAX_POSITION for item in items):
        raise TypeError("a position is a whole number from 1")


def _fault(name: str, expected: object, found: object) -> Fault:
    return "instruction.differs", f"{name} 应为 {expected}，实为 {found}。", f"{name} should be {expected}, is {found}."


def _envelope(raw: bytes) -> tuple[str, str]:
    """The instruction id and the token of a line that is spelt exactly as it must be."""
    match = _LINE.fullmatch(raw)
    if match is None:
        raise ValueError("another spelling")
    return match[1].decode("ascii"), match[2].decode("ascii")


def _unchecked_payload(token: str) -> bytes:
    part = token.split(".")[1]
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _object(data: bytes) -> dict[str, Any]:
    """A JSON object. A key that stands twice shows when it is spelt again.

    Raises:
        ValueError: it is none.
    """
    content = orjson.loads(data)
    if not isinstance(content, dict):
        raise ValueError("not an object")  # noqa: TRY004 - the text is wrong, not a type of ours
    return content
