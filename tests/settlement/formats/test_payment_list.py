"""The printable list, read back by a small reader of PDF that shares nothing with its writer."""

import io
import re
import tracemalloc
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from settlement.formats.payment_list import LINES_PER_PAGE, write_payment_list
from settlement.formats.payout_batch import TotalsError
from settlement.formats.pdf_pages import fitting, printable, text_width
from settlement.payouts.instruction import Account
from tenants.kernel.money import MAX_FEN, Money
from tests.settlement.making import NAMES, instructions_of


def rendered(count: int, claims_each: int = 1) -> bytes:
    batch, instructions = instructions_of(count, "kid", claims_each)
    out = io.BytesIO()
    write_payment_list(out, batch, instructions)
    return out.getvalue()


def pages_of(data: bytes) -> list[list[str]]:
    """The texts of each page, found through the table of objects and the page tree."""
    start = int(re.findall(rb"startxref\n(\d+)\n%%EOF\n\Z", data)[0])
    (count,) = [int(size) for size in re.findall(rb"\Axref\n0 (\d+)\n", data[start:])]
    entries = data[start:].split(b"\n", 2)[2][: 20 * count]
    offsets = [int(entries[20 * number : 20 * number + 10]) for number in range(count)]

    def body(number: int) -> bytes:
        at = offsets[number]
        assert data[at:].startswith(b"%d 0 obj\n" % number)
        return data[at : data.index(b"\nendobj", at)]

    root = int(re.findall(rb"/Root (\d+) 0 R", data)[-1])
    tree = int(re.findall(rb"/Pages (\d+) 0 R", body(root))[0])
    kids = [int(kid) for kid in re.findall(rb"(\d+) 0 R", body(tree).split(b"/Kids")[1])]
    assert len(kids) == int(re.findall(rb"/Count (\d+)", body(tree))[0])
    return [list(_texts(body(int(re.findall(rb"/Contents (\d+) 0 R", body(kid))[0])))) for kid in kids]


def _texts(content: bytes) -> Iterator[str]:
    head, stream = content.split(b"stream\n", 1)
    stream = stream.removesuffix(b"\nendstream")
    assert len(stream) == int(re.findall(rb"/Length (\d+)", head)[0])
    for shown in re.findall(rb"<([0-9a-f]*)> Tj", zlib.decompress(stream)):
        yield bytes.fromhex(shown.decode()).decode("utf-16-be")


def test_every_payment_and_the_totals_are_printed() -> None:
    batch, instructions = instructions_of(45, "kid")
    pages = pages_of(rendered(45))
    texts = [text for page in pages for text in page]
    assert len(pages) == 3
    for each in instructions:
        assert {f"{each.amount:,}", each.end_to_end_id, each.creditor.account_number, each.claims[0]} <= set(texts)
    assert [page[2] for page in pages] == [f"第 {number} 页 共 3 页" for number in (1, 2, 3)]
    assert all(page[0] == batch.title for page in pages)
    assert all(re.search(r"\d{4}年\d{1,2}月\d{1,2}日 \d\d:\d\d:\d\d$", page[1]) for page in pages)
    assert sum("合计" in text for text in texts) == 1
    (total,) = [text for text in texts if "合计" in text]
    assert f"45 笔　{batch.total:,} 元　人民币（大写）陆佰叁拾万零陆拾玖元叁角" in total
    assert any(batch.batch_root in text for text in pages[-1])
    assert sum(text.startswith(("制表", "复核", "签发", "单位盖章")) for text in pages[-1]) == 4


@pytest.mark.parametrize("count", [1, LINES_PER_PAGE, LINES_PER_PAGE + 1])
def test_no_page_is_empty(count: int) -> None:
    pages = pages_of(rendered(count))
    assert len(pages) == -(-count // LINES_PER_PAGE)
    assert sum(len(re.findall(r"[A-Z2-7]{26}", " ".join(page))) for page in pages) == count


def test_a_rare_character_is_printed_as_its_code_point() -> None:
    texts = [text for page in pages_of(rendered(len(NAMES))) for text in page]
    assert "[U+20BB7]林检测（苏州）有限公司" in texts
    assert printable("a𠮷b\U0001f600") == "a[U+20BB7]b[U+1F600]"


def test_a_long_name_takes_two_lines_and_ends_in_an_ellipsis() -> None:
    batch, (instruction,) = instructions_of(1, "kid")
    payee = Account("长" * 100, "6222021234567890", "行" * 100, "102301000017")
    out = io.BytesIO()
    write_payment_list(out, batch, [replace(instruction, creditor=payee)])
    texts = pages_of(out.getvalue())[0]
    assert "长" * 21 in texts
    assert "长" * 20 + "…" in texts
    assert "行" * 20 + "…" in texts


def test_texts_are_as_wide_as_they_look() -> None:
    assert text_width("汉字", 10) == 20
    assert text_width("0123456789", 10) == pytest.approx(46.2)
    assert fitting("汉字汉字", 10, 30) == 3
    assert fitting("iiii", 10, 100) == 4


@pytest.mark.parametrize("fen", [1, 99, 100, 100_000, 99_999_999, 123_456_789_012, MAX_FEN - 1, MAX_FEN])
def test_an_amount_of_any_length_ends_where_its_column_ends(fen: int) -> None:
    batch, (instruction,) = instructions_of(1, "kid")
    (item,), amount, out = instruction.items, Money(fen), io.BytesIO()
    paid = replace(instruction, amount=amount, items=(replace(item, amount=amount),))
    write_payment_list(out, replace(batch, total=amount), [paid])
    (content,) = [
        zlib.decompress(found) for found in re.findall(rb"stream\n(.*?)\nendstream", out.getvalue(), re.DOTALL)
    ]
    spelt = f"{amount:,}".encode("utf-16-be").hex().encode()
    (left,) = re.findall(rb"8 0 0 8 ([0-9.]+) [0-9.]+ Tm <" + spelt + b"> Tj", content)
    assert float(left) + text_width(f"{amount:,}", 8) == pytest.approx(604, abs=0.05)


def test_the_same_batch_is_printed_to_the_same_bytes() -> None:
    assert rendered(30) == rendered(30)


def test_the_document_says_when_the_batch_was_made_and_what_it_is() -> None:
    data = rendered(1)
    assert b"/CreationDate (D:20240927090000+08'00')" in data
    assert b"/Title <feff" + "2024年第一批科技创新券兑付清单".encode("utf-16-be").hex().encode() + b">" in data


def test_instructions_that_are_not_the_batch_make_no_list() -> None:
    batch, instructions = instructions_of(3, "kid")
    with pytest.raises(TotalsError):
        write_payment_list(io.BytesIO(), batch, instructions[:2])
    with pytest.raises(TotalsError):
        write_payment_list(io.BytesIO(), replace(batch, count=2, item_count=2), instructions)


def test_memory_does_not_grow_with_the_pages() -> None:
    class Nowhere(io.BytesIO):
        def write(self, data: Any) -> int:
            return len(data)

    def peak(count: int) -> int:
        batch, instructions = instructions_of(count, "kid")
        tracemalloc.start()
        try:
            write_payment_list(Nowhere(), batch, instructions)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(2000)  # from here on all that is kept for later pages is there
    assert peak(2000) < 2 * peak(200)
