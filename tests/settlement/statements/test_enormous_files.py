"""Enormous answers of banks: read in a bounded memory, or refused by a bound before they take one.

Each file is read by a process of its own, after a small one of the same kind; what it grows by is asked of the kernel.
"""

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from clearing.settings import DEFAULT_STATEMENT_MIB
from settlement.bank.simulator import Payment
from settlement.bank.simulator.answers import camt053, csv_table, entries_of, pain002, table_rows, xlsx_table
from settlement.statements.line import MAX_LINES, StatementRefused
from settlement.statements.mt940 import MAX_BYTES
from settlement.statements.reading import format_of, read_lines
from tenants.kernel.money import Money
from tests.settlement.statements.test_refused_files import ACCOUNT, DAY, MESSAGE, OWNER

MEBIBYTE = 2**20
GROWS_AT_MOST = 24 * MEBIBYTE
READER = """
import json, resource, sys
from pathlib import Path
from settlement.statements.line import Owner, StatementRefused
from settlement.statements.reading import format_of, read_lines
owner = Owner(sys.argv[1], lambda message_id: message_id == sys.argv[2])
def read(path):
    count, code = 0, None
    try:
        for line in read_lines(path, format_of(path), owner):
            count += 1
    except StatementRefused as refused:
        code = refused.code
    return count, code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
small, large = (read(Path(name)) for name in sys.argv[3:])
print(json.dumps({"count": large[0], "code": large[1], "grown": large[2] - small[2]}))
"""


def payments(count: int) -> list[Payment]:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return [
        Payment(
            MESSAGE,
            "".join(letters[number // 26**place % 26] for place in range(26)),
            f"测试企业{number}有限公司",
            f"622200{number:010d}",
            Money(10_000 + number),
            "paid",
        )
        for number in range(count)
    ]


def answer(kind: str, count: int) -> bytes:
    made = payments(count)
    match kind:
        case "camt.053":
            return camt053(ACCOUNT, entries_of(made), DAY)
        case "pain.002":
            return pain002(MESSAGE, made)
        case "csv":
            return csv_table(table_rows(ACCOUNT, made, DAY))
        case _:
            return xlsx_table(table_rows(ACCOUNT, made, DAY))


def reading(tmp_path: Path, small: bytes, large: bytes) -> dict[str, int | str | None]:
    paths = [tmp_path / "small", tmp_path / "large"]
    for path, content in zip(paths, (small, large), strict=True):
        path.write_bytes(content)
    command = [sys.executable, "-c", READER, ACCOUNT, MESSAGE, *map(str, paths)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    said: dict[str, int | str | None] = json.loads(done.stdout)
    return said


def flat(tmp_path: Path, kind: str, count: int) -> None:
    said = reading(tmp_path, answer(kind, 200), answer(kind, count))
    assert (said["count"], said["code"]) == (count, None)
    assert isinstance(said["grown"], int)
    assert said["grown"] < GROWS_AT_MOST


@pytest.mark.parametrize("kind", ["camt.053", "pain.002", "csv", "xlsx"])
def test_a_long_file_takes_no_more_memory_than_a_short_one(tmp_path: Path, kind: str) -> None:
    flat(tmp_path, kind, 4_000)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["camt.053", "pain.002", "csv", "xlsx"])
def test_hundreds_of_megabytes_take_no_more_memory_than_a_page(tmp_path: Path, kind: str) -> None:
    flat(tmp_path, kind, 300_000)


@pytest.mark.parametrize(
    "large",
    [
        b"\n".join([b"x" * 40_000_000]),
        b'"' + b"x" * 40_000_000,
        b"<" + b"a" * 40_000_000 + b">",
        b'<?xml version="1.0"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><A>'
        + b"x" * 40_000_000,
        b"<a>" * 10_000_000,
    ],
    ids=["one line", "one quoted cell", "one name", "one text", "one nest"],
)
def test_a_file_without_lines_is_refused_in_a_bounded_memory(tmp_path: Path, large: bytes) -> None:
    said = reading(tmp_path, answer("csv", 200), large)
    assert said["count"] == 0
    assert str(said["code"]).startswith("statement.")
    assert isinstance(said["grown"], int)
    assert said["grown"] < 3 * GROWS_AT_MOST


def test_a_statement_in_tags_is_refused_by_its_size_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "answer"
    path.write_bytes(b":20:X\n")
    with path.open("r+b") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(StatementRefused) as refused:
        list(read_lines(path, format_of(path), OWNER))
    assert refused.value.code == "statement.too_large"


@pytest.mark.long
def test_a_table_with_more_lines_than_any_batch_is_refused(tmp_path: Path) -> None:
    assert date.fromisoformat("2024-10-11") == DAY
    head, line = answer("csv", 1).splitlines(keepends=True)[:2]
    path = tmp_path / "answer"
    with path.open("wb") as file:
        file.write(head)
        for _ in range(MAX_LINES // 1000 + 1):
            file.write(line * 1000)
    with pytest.raises(StatementRefused) as refused:
        for _ in read_lines(path, format_of(path), OWNER):
            pass
    assert refused.value.code == "statement.too_long"


PARTY = """
                <{0}>
                  <Pty>
                    <Nm>江苏省苏州市吴江区科技创新技术服务有限责任公司</Nm>
                    <PstlAdr><Ctry>CN</Ctry>
                      <AdrLine>江苏省苏州市吴江区松陵街道开平路 1000 号 8 幢 1201 室</AdrLine></PstlAdr>
                  </Pty>
                </{0}>
                <{0}Acct>
                  <Id><Othr><Id>32000012345678901234567890</Id></Othr></Id>
                  <Ccy>CNY</Ccy>
                </{0}Acct>"""
AGENT = """
                <{0}>
                  <FinInstnId>
                    <ClrSysMmbId><ClrSysId><Cd>CNAPS</Cd></ClrSysId><MmbId>102301000017</MmbId></ClrSysMmbId>
                    <Nm>中国工商银行股份有限公司苏州吴江支行营业部</Nm>
                  </FinInstnId>
                </{0}>"""


def whole_entry() -> bytes:
    """One entry that says whatever a bank may say of a payment, indented, as some banks write it."""
    amount = '<Amt Ccy="CNY">1234567890123.45</Amt>'
    reference = "ABCDEFGHIJKLMNOPQRSTUVWX23"
    return f"""
        <Ntry>
          <NtryRef>{"0" * 35}</NtryRef>
          {amount}
          <CdtDbtInd>DBIT</CdtDbtInd>
          <Sts><Cd>BOOK</Cd></Sts>
          <BookgDt><DtTm>2024-10-11T09:00:00.000+08:00</DtTm></BookgDt>
          <ValDt><Dt>2024-10-11</Dt></ValDt>
          <AcctSvcrRef>{"0" * 35}</AcctSvcrRef>
          <BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>ICDT</Cd><SubFmlyCd>DMCT</SubFmlyCd></Fmly></Domn></BkTxCd>
          <NtryDtls>
            <TxDtls>
              <Refs>
                <MsgId>BT-JS-2024-0001</MsgId>
                <AcctSvcrRef>{"0" * 35}</AcctSvcrRef>
                <InstrId>{reference}</InstrId>
                <EndToEndId>{reference}</EndToEndId>
                <TxId>{"0" * 35}</TxId>
              </Refs>
              {amount}
              <CdtDbtInd>DBIT</CdtDbtInd>
              <AmtDtls><InstdAmt>{amount}</InstdAmt><TxAmt>{amount}</TxAmt></AmtDtls>
              <RltdPties>{PARTY.format("Dbtr")}{PARTY.format("Cdtr")}
              </RltdPties>
              <RltdAgts>{AGENT.format("DbtrAgt")}{AGENT.format("CdtrAgt")}
              </RltdAgts>
              <Purp><Cd>SUBS</Cd></Purp>
              <RmtInf><Ustrd>科技创新券兑付 {reference} BT-JS-2024-0001</Ustrd></RmtInf>
            </TxDtls>
          </NtryDtls>
        </Ntry>""".encode()


def test_the_bound_holds_a_million_entries_that_say_everything() -> None:
    size = len(whole_entry())
    assert size > 2_000
    assert size * 1_000_000 <= DEFAULT_STATEMENT_MIB * MEBIBYTE
