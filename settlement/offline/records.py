"""One payment as every file shows it: names of fields, and what each file makes of them."""

from base64 import b32decode, b32encode
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple
from uuid import UUID

MAX_NAME_CHARS: Final = 140
"""What the schema of pain.001 takes of a name."""
MAX_PURPOSE_CHARS: Final = 60
CLEARING_SYSTEM: Final = "CNAPS"
MAX_CLAIMS_CHARS: Final = 1_000

Record = Mapping[str, str]
"""Field name to text; amounts as ``140000.00``."""


class Line(NamedTuple):
    """One line of a file: its number there, and its record, or what is wrong with it."""

    number: int
    record: Record | None
    fault: tuple[str, str] = ("", "")
    """Why there is no record, in Chinese and English."""


def record_of(payload: Mapping[str, Any], number: int) -> dict[str, str]:
    """The record that a signed instruction stands for, as line ``number`` of the payments.

    Raises:
        KeyError, TypeError, ValueError: the payload is no instruction.
    """
    debtor, claims = payload["debtor"], payload["claims"]
    record = {
        "sequence": str(number),
        "payer": debtor["account_name"],
        "payer_account_number": debtor["account_number"],
        "payer_bank_name": debtor["bank_name"],
        "claims": claims_line(claims, len(claims), MAX_CLAIMS_CHARS),
    }
    for name in (
        "instruction_id", "end_to_end_id", "payee", "account_number", "bank_name", "cnaps", "amount",
        "amount_in_words", "currency", "purpose", "batch", "valid_through",
    ):  # fmt: skip
        record[name] = payload[name]
    if set(map(type, record.values())) != {str}:
        raise TypeError("a text is expected")
    return record


def as_shown(record: Record, fields: Sequence[str], *, in_pain: bool) -> dict[str, str]:
    """What a file with these fields has to show of the record; fields that the record lacks are left out.

    ``in_pain``: the file is a pain.001, where names are cut and purpose and claims make one remittance line.
    """
    if not in_pain:
        return {name: record[name] for name in fields if name in record}
    shown = {name: record[name][:MAX_NAME_CHARS] for name in fields if name in record}
    shown |= {"clearing_system": CLEARING_SYSTEM, "shape": ""}
    if "remittance" in fields and "purpose" in record and "claims" in record:
        shown["remittance"] = remittance_of(record)
    return shown


def remittance_of(record: Record) -> str:
    """Purpose and claims as a pain.001 shows them, in one line."""
    purpose, line = record["purpose"][:MAX_PURPOSE_CHARS], record["claims"]
    if " " not in line and not line.startswith("等") and len(purpose) + 1 + len(line) <= MAX_NAME_CHARS:
        return f"{purpose} {line}"  # one claim
    claims = line.split(" ")
    count = len(claims)
    if claims[-1].startswith("等"):
        count = int(claims.pop()[1:-1])
    return f"{purpose} {claims_line(claims, count, MAX_NAME_CHARS - len(purpose) - 1)}"


def claims_line(claims: Sequence[str], count: int, limit: int) -> str:
    """The references as a file shows them: all, or as many as fit and ``等N笔``, where ``count`` is N."""
    line = " ".join(claims)
    if count == len(claims) and len(line) <= limit:
        return line
    tail = f" 等{count}笔"
    room = limit - len(tail)
    if len(line) > room:
        line = line[: line.rfind(" ", 0, room + 1)] if " " in line[: room + 1] else ""
    return (line + tail).strip()


def reference_of(instruction_id: str) -> str:
    """The end-to-end id that belongs to an instruction.

    Raises:
        ValueError: it is no id.
    """
    return b32encode(UUID(instruction_id).bytes).decode("ascii").rstrip("=")


def instruction_of(reference: str) -> str | None:
    """The instruction that an end-to-end id belongs to, if it is one."""
    try:
        return str(UUID(bytes=b32decode(reference + "======")))
    except ValueError:
        return None


def fen_in_words(words: str) -> int | None:
    """The fen that an amount in capital numerals names; ``None`` when it names none."""
    whole, _, parts = words.removesuffix("整").rpartition("元")
    if not whole and not parts:
        return None
    fen = 0
    for unit, value in (("角", 10), ("分", 1)):
        head, found, rest = parts.partition(unit)
        if found:
            digit = _DIGITS.get(head.lstrip("零"))
            if digit is None:
                return None
            fen, parts = fen + digit * value, rest
    yuan = _number(whole) if whole else 0
    return None if parts or yuan is None else yuan * 100 + fen


_DIGITS: Final = {digit: value for value, digit in enumerate("零壹贰叁肆伍陆柒捌玖")}
_UNITS: Final = {"仟": 1000, "佰": 100, "拾": 10}


def _number(words: str) -> int | None:
    for unit, value in (("亿", 10**8), ("万", 10**4)):
        high, found, low = words.rpartition(unit)
        if found:
            above, below = _number(high), _number(low) if low else 0
            return None if above is None or below is None else above * value + below
    return _below_wan(words)


@lru_cache(maxsize=10**4)
def _below_wan(words: str) -> int | None:
    number, digit = 0, 0
    for character in words:
        if character in _DIGITS:
            digit = _DIGITS[character]
        elif character in _UNITS:
            number, digit = number + digit * _UNITS[character], 0
        else:
            return None
    return number + digit
