"""pain.001 against the official schemas, and read by a reader that is not ours."""

import io
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from settlement.formats.pain001 import MAX_NAME_CHARS, VERSIONS, schema_check, schema_faults, write_pain001
from settlement.formats.payout_batch import TotalsError
from settlement.payouts.instruction import MAX_TEXT_CHARS, Account, InstructionError, Item
from tenants.kernel.money import MAX_FEN, Money
from tests.settlement.making import NAMES, instructions_of


def rendered(batch: Any, instructions: Any, version: str = "09") -> bytes:
    out = io.BytesIO()
    write_pain001(out, batch, instructions, version)
    return out.getvalue()


def texts(message: bytes, path: str, version: str = "09") -> list[str]:
    names = {"p": f"urn:iso:std:iso:20022:tech:xsd:pain.001.001.{version}"}
    found = etree.fromstring(message).xpath(f"{path}/text()", namespaces=names)
    assert isinstance(found, list)
    return [str(text) for text in found]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_message_is_valid_by_the_official_schema(version: str) -> None:
    batch, instructions = instructions_of(25, "kid", claims_each=3)
    message = rendered(batch, instructions, version)
    assert schema_faults(io.BytesIO(message), version) == []
    assert schema_check(version)(message) == []


def test_a_message_of_one_version_is_not_valid_as_the_other() -> None:
    batch, instructions = instructions_of(1, "kid")
    assert schema_faults(io.BytesIO(rendered(batch, instructions, "09")), "11")


def test_totals_and_ids_stand_where_banks_look_for_them() -> None:
    batch, instructions = instructions_of(12, "kid")
    message = rendered(batch, instructions)
    assert texts(message, "//p:MsgId") == [batch.batch]
    assert texts(message, "//p:NbOfTxs") == ["12", "12"]
    assert texts(message, "//p:CtrlSum") == [str(batch.total)] * 2
    assert texts(message, "//p:CdtTrfTxInf//p:EndToEndId") == [each.end_to_end_id for each in instructions]
    assert texts(message, "//p:CdtTrfTxInf//p:InstrId") == [each.instruction_id.hex for each in instructions]
    assert texts(message, "//p:CdtTrfTxInf//p:InstdAmt") == [str(each.amount) for each in instructions]
    assert texts(message, "//p:CdtTrfTxInf/p:CdtrAcct//p:Id") == [each.creditor.account_number for each in instructions]
    assert set(texts(message, "//p:ClrSysId/p:Cd")) == {"CNAPS"}
    assert texts(message, "//p:Ustrd")[0] == "科技创新券兑付 CL-JS-2024-000001"


def test_awkward_names_arrive_unchanged() -> None:
    batch, instructions = instructions_of(len(NAMES), "kid")
    assert texts(rendered(batch, instructions), "//p:Cdtr/p:Nm") == list(NAMES)


def test_each_transaction_is_one_line() -> None:
    batch, instructions = instructions_of(4, "kid")
    lines = rendered(batch, instructions).decode().splitlines()
    assert [line.startswith("<CdtTrfTxInf>") and line.endswith("</CdtTrfTxInf>") for line in lines[3:-1]] == [True] * 4


NAME = st.text(min_size=1, max_size=MAX_TEXT_CHARS).filter(str.strip)


@settings(max_examples=60, suppress_health_check=[HealthCheck.filter_too_much])
@given(NAME, NAME, st.integers(1, MAX_FEN), st.integers(1, 60))
def test_whatever_can_be_ordered_makes_a_valid_message(name: str, bank: str, fen: int, claims: int) -> None:
    batch, (instruction,) = instructions_of(1, "kid")
    amounts = [fen // claims or 1] * claims
    try:
        payee = Account(name, "6222021234567890", bank, "102301000017")
        items = tuple(Item(at, f"CL-{at:06d}", Money(part)) for at, part in enumerate(amounts, start=1))
        amount = Money(sum(amounts))
        instruction = replace(instruction, creditor=payee, items=items, amount=amount, purpose=name)
        batch = replace(batch, item_count=claims, total=amount)
    except InstructionError:
        return
    message = rendered(batch, [instruction])
    assert schema_faults(io.BytesIO(message)) == []
    assert texts(message, "//p:Cdtr/p:Nm") == [name[:MAX_NAME_CHARS]]


def test_a_name_beyond_the_schema_is_cut_and_an_account_never() -> None:
    batch, (instruction,) = instructions_of(1, "kid")
    payee = Account("长" * 300, "6" * 34, "行" * 300, "102301000017")
    message = rendered(batch, [replace(instruction, creditor=payee)])
    assert texts(message, "//p:Cdtr/p:Nm") == ["长" * MAX_NAME_CHARS]
    assert texts(message, "//p:CdtrAcct//p:Id") == ["6" * 34]
    assert schema_faults(io.BytesIO(message)) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<PmtMtd>TRF", b"<PmtMtd>XXX"),
        (b"</CdtTrfTxInf>\n<CdtTrfTxInf>", b"</CdtTrfTxInf><Extra/><CdtTrfTxInf>"),
        (b"<MsgId>", b"<MsgId>" + b"x" * 40),
        (b"</Document>\n", b""),
        (b"</Document>\n", b"</Document>junk"),
    ],
)
def test_a_broken_message_is_named(old: bytes, new: bytes) -> None:
    batch, instructions = instructions_of(3, "kid")
    message = rendered(batch, instructions)
    assert old in message
    wrong = message.replace(old, new, 1)
    assert schema_faults(io.BytesIO(wrong))
    check = schema_check("09")
    assert check(wrong)
    assert check(message) == []  # what was wrong before is forgotten


def test_a_message_that_ends_early_is_never_valid() -> None:
    batch, instructions = instructions_of(2, "kid")
    message = rendered(batch, instructions)
    end = message.rindex(b">") + 1
    check = schema_check("09")
    for length in range(0, end, 7):
        assert schema_faults(io.BytesIO(message[:length])), length
        assert check(message[:length]), length


def test_other_versions_are_refused() -> None:
    batch, instructions = instructions_of(1, "kid")
    with pytest.raises(ValueError, match="not written here"):
        rendered(batch, instructions, "03")
    with pytest.raises(ValueError, match="not written here"):
        schema_faults(io.BytesIO(b""), "../../etc")


def test_instructions_that_are_not_the_batch_make_no_message() -> None:
    batch, instructions = instructions_of(3, "kid")
    with pytest.raises(TotalsError):
        rendered(batch, instructions[:2])
