"""What an instruction says, and what never becomes one."""

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.formats.payout_batch import TotalsError, claims_text, counted
from settlement.payouts.instruction import (
    MAX_TEXT_CHARS,
    Account,
    Instruction,
    InstructionError,
    Item,
    end_to_end_id,
    item_leaf,
)
from settlement.signatures.merkle import merkle_root
from tenants.kernel.canonical import canonical_bytes
from tenants.kernel.money import MAX_FEN, ZERO, Money
from tests.settlement.making import an_account, instructions_of

SEPA_SAFE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/-?:().,'+ ")


@given(st.uuids())
def test_the_end_to_end_id_is_the_id_in_base32(instruction_id: UUID) -> None:
    reference = end_to_end_id(instruction_id)
    assert reference == base64.b32encode(instruction_id.bytes).decode().rstrip("=")
    assert len(reference) <= 35
    assert SEPA_SAFE.issuperset(reference)


def test_the_payload_says_everything_a_bank_needs() -> None:
    _, (instruction,) = instructions_of(1, "kid", claims_each=2)
    payload = instruction.payload()
    assert payload["payee"] == payload["account_name"] == "南京紫金仪器有限公司"
    assert payload["amount"] == "280000.01"
    assert payload["amount_in_words"] == "贰拾捌万元零壹分"
    assert payload["claims"] == ["CL-JS-2024-000001", "CL-JS-2024-000002"]
    assert payload["items"][1] == {"position": 2, "claim": "CL-JS-2024-000002", "amount": "140000.01"}
    assert set(payload) >= {
        "instruction_id", "end_to_end_id", "tenant", "batch", "batch_root", "debtor", "account_number", "bank_name",
        "cnaps", "currency", "purpose", "created_at", "valid_through", "kid",
    }  # fmt: skip
    assert b'"created_at":"2024-09-27T09:00:00+08:00"' in canonical_bytes(payload)


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20), st.integers(1, 3))
def test_what_is_signed_and_sealed_is_canonical_whatever_the_names(name: str, text: str, claims_each: int) -> None:
    _, (instruction,) = instructions_of(1, "kid", claims_each=claims_each)
    try:
        payee = replace(instruction.creditor, account_name=f'{name}"%s\\', bank_name=f"%{text}%%")
    except InstructionError:
        return
    other = replace(instruction, creditor=payee, purpose=f"{text}%d", debtor=payee, key_id="a%b")
    said = other.payload()
    assert other.content() == canonical_bytes(said)
    assert (said["payee"], said["debtor"], said["kid"]) == (payee.account_name, payee.payload(), "a%b")
    assert said["purpose"] == f"{text}%d"
    [item, *_] = other.items
    leaf = {
        "account_number": payee.account_number, "amount": str(item.amount), "bank_name": payee.bank_name,
        "batch": other.batch, "claim": item.claim, "cnaps": payee.cnaps, "payee": payee.account_name,
        "position": item.position, "tenant": other.tenant,
    }  # fmt: skip
    assert item_leaf(other.tenant, other.batch, item, payee) == canonical_bytes(leaf)


def test_the_root_is_made_of_what_the_instructions_say() -> None:
    batch, instructions = instructions_of(5, "kid", claims_each=3)
    leaves = {
        item.position: item_leaf(each.tenant, each.batch, item, each.creditor)
        for each in instructions
        for item in each.items
    }
    assert merkle_root(leaves[position] for position in sorted(leaves)).hex() == batch.batch_root


@pytest.mark.parametrize(
    "name", ["", "  ", "a\nb", "a\tb", "a\x00b", "\u202eabc", "\ud800", "\ufffe", "x" * (MAX_TEXT_CHARS + 1)]
)
def test_a_name_that_breaks_a_file_is_refused(name: str) -> None:
    with pytest.raises(InstructionError, match="account_name"):
        Account(name, "6222021234567890", "中国工商银行", "102301000017")


@pytest.mark.parametrize("number", ["", "-1", "６２２２", "6222 0212", "6" * 35, "622\n", "=1+1", "6222021\u0661"])
def test_an_account_number_of_another_form_is_refused(number: str) -> None:
    with pytest.raises(InstructionError, match="account_number"):
        Account("公司", number, "中国工商银行", "102301000017")


@pytest.mark.parametrize("cnaps", ["", "10230100001", "1023010000171", "1023010000１7", "10230100001a"])
def test_a_bank_code_of_another_form_is_refused(cnaps: str) -> None:
    with pytest.raises(InstructionError, match="cnaps"):
        Account("公司", "6222021234567890", "中国工商银行", cnaps)


@pytest.mark.parametrize("amount", [ZERO, Money(-1), Money(MAX_FEN + 1)])
def test_an_item_without_a_payable_amount_is_refused(amount: Money) -> None:
    with pytest.raises(InstructionError, match="amount"):
        Item(1, "CL-1", amount)


def test_an_item_is_counted_from_one_and_has_a_plain_reference() -> None:
    with pytest.raises(InstructionError, match="position"):
        Item(0, "CL-1", Money(1))
    with pytest.raises(InstructionError, match="claim"):
        Item(1, "CL 1", Money(1))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"items": ()}, "items"),
        ({"amount": Money(1)}, "items"),
        ({"batch": "B 1"}, "batch"),
        ({"batch_root": "AB" * 32}, "batch_root"),
        ({"purpose": "a\rb"}, "purpose"),
        ({"created_at": datetime(2024, 9, 27)}, "created_at"),  # noqa: DTZ001 - that is the fault
    ],
)
def test_an_instruction_that_contradicts_itself_is_refused(change: dict[str, Any], field: str) -> None:
    _, (instruction,) = instructions_of(1, "kid")
    with pytest.raises(InstructionError, match=field):
        replace(instruction, **change)


def test_items_out_of_order_are_refused() -> None:
    _, (instruction,) = instructions_of(1, "kid", claims_each=2)
    with pytest.raises(InstructionError, match="items"):
        replace(instruction, items=instruction.items[::-1])


WRONG: dict[str, Callable[[tuple[Instruction, ...]], tuple[Instruction, ...]]] = {
    "one missing": lambda all_: all_[:-1],
    "none": lambda _: (),
    "one twice": lambda all_: (*all_, all_[-1]),
    "two swapped": lambda all_: (all_[1], all_[0], *all_[2:]),
    "another debtor": lambda all_: (replace(all_[0], debtor=an_account(77)), *all_[1:]),
    "another root": lambda all_: (replace(all_[0], batch_root="0" * 64), *all_[1:]),
    "another amount": lambda all_: (
        replace(all_[0], amount=Money(1), items=(replace(all_[0].items[0], amount=Money(1)),)),
        *all_[1:],
    ),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_instructions_that_are_not_the_batch_are_refused(
    wrong: Callable[[tuple[Instruction, ...]], tuple[Instruction, ...]],
) -> None:
    batch, instructions = instructions_of(4, "kid")
    assert [number for number, _ in counted(batch, instructions)] == [1, 2, 3, 4]
    with pytest.raises(TotalsError):
        list(counted(batch, wrong(instructions)))


@pytest.mark.parametrize("change", [{"count": 0}, {"count": 5}, {"total": ZERO}, {"title": ""}, {"tenant_name": "\n"}])
def test_a_batch_that_cannot_be_is_refused(change: dict[str, Any]) -> None:
    batch, _ = instructions_of(4, "kid")
    with pytest.raises(InstructionError):
        replace(batch, **change)


@given(st.lists(st.text("CL-0123456789", min_size=1, max_size=20), min_size=1, max_size=40), st.integers(30, 200))
def test_references_that_do_not_fit_are_counted(claims: list[str], limit: int) -> None:
    text = claims_text(tuple(claims), limit)
    assert len(text) <= limit
    if text != " ".join(claims):
        *shown, tail = text.split(" ")
        assert tail == f"等{len(claims)}笔"
        assert shown == claims[: len(shown)]
        assert len(" ".join(claims[: len(shown) + 1]) + f" {tail}") > limit
