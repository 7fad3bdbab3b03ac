"""Pages of an outlet: what is one, what is none, and that each record is the very bytes that came."""

import json

import pytest

from connectors.pages import JSON, MAX_RECORDS, NDJSON, PAGE_FAULTS, Page, PageError, moved_on, read_page

END = b'{"next_cursor": "2", "more": true}'


def test_lines_are_records_and_the_last_one_is_the_end() -> None:
    page = read_page(NDJSON, b'{"a": 1}\n  {"b":\n{"c": 3}\r\n\n' + END)
    assert page == Page((b'{"a": 1}', b'{"b":', b'{"c": 3}'), "2", more=True)


def test_an_objects_records_are_kept_as_they_were_written() -> None:
    odd = '{"amount": 1.10, "amount": 2e400, "x": "\\ud800"}'
    page = read_page(JSON, f'{{"more": false, "records": [ {odd} , [], "t"], "next_cursor": null}}'.encode())
    assert page == Page((odd.encode(), b"[]", b'"t"'), None, more=False)


@pytest.mark.parametrize("kind", [NDJSON, JSON])
@pytest.mark.parametrize("charset", ["gb18030", "gbk", "GB2312"])
def test_a_page_in_gb18030_becomes_utf_8(kind: str, charset: str) -> None:
    record = '{"企业": "江左理工"}'
    lines = f'{record}\n{{"next_cursor": "2", "more": true}}'
    whole = lines if kind == NDJSON else f'{{"records": [{record}], "next_cursor": "2", "more": true}}'
    page = read_page(f"{kind}; charset={charset}", whole.encode("gb18030"))
    assert page.records == (record.encode(),)


def test_a_line_that_is_no_text_is_kept_as_it_came_and_harms_no_other() -> None:
    page = read_page(NDJSON, b'{"a": "\xff"}\n{"b": 2}\n' + END)
    assert page.records == (b'{"a": "\xff"}', b'{"b": 2}')


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [
        ("text/html", b"<html>", "page.media_type"),
        ("", b"{}", "page.media_type"),
        (f"{NDJSON}; charset=latin-1", END, "page.charset"),
        (NDJSON, b"", "page.truncated"),
        (NDJSON, b'{"a": 1}\n{"a": 2}\n', "page.truncated"),
        (NDJSON, b'{"a": 1}\n{"next_cursor": "2"', "page.truncated"),
        (NDJSON, b'{"next_cursor": "", "more": true}', "page.cursor"),
        (NDJSON, b'{"next_cursor": 7, "more": true}', "page.cursor"),
        (NDJSON, b'{"next_cursor": "7", "more": 1}', "page.members"),
        (JSON, b'{"records": [], "next_cursor": "1", "more": false', "page.not_json"),
        (JSON, b'{"records": [{}, ], "next_cursor": "1", "more": false}', "page.not_json"),
        (JSON, b'{"records": [{} {}], "next_cursor": "1", "more": false}', "page.not_json"),
        (JSON, b'{"records": [], "next_cursor": "1", "more": false} x', "page.not_json"),
        (JSON, b'{"records": [], "records": [], "next_cursor": "1", "more": false}', "page.not_json"),
        (JSON, b"[" * 100_000, "page.not_json"),
        (JSON, b'{"records": ' + b"[" * 100_000, "page.not_json"),
        (JSON, b"\xff", "page.encoding"),
        (JSON, b'{"records": {}, "next_cursor": "1", "more": false}', "page.members"),
        (JSON, b'{"items": [], "next_cursor": "1", "more": false}', "page.members"),
        (NDJSON, b"{}\n" * (MAX_RECORDS + 1) + END, "page.too_many"),
    ],
)
def test_what_is_no_whole_page_is_named(kind: str, body: bytes, code: str) -> None:
    with pytest.raises(PageError) as refused:
        read_page(kind, body)
    assert refused.value.code == code
    assert code in PAGE_FAULTS


def test_a_page_cut_anywhere_is_never_taken_for_a_whole_one() -> None:
    records = [{"编号": number, "名称": "检测"} for number in range(3)]
    lines = "\n".join(json.dumps(one, ensure_ascii=False) for one in records).encode() + b"\n" + END
    whole = json.dumps({"records": records, "next_cursor": "2", "more": True}).encode()
    for kind, body in ((NDJSON, lines), (JSON, whole)):
        for end in range(len(body)):
            with pytest.raises(PageError):
                read_page(kind, body[:end])


def test_a_cursor_stays_only_where_there_is_nothing() -> None:
    assert moved_on(Page((b"{}",), "2", more=False), "1")
    assert moved_on(Page((), "2", more=False), "1")
    assert not moved_on(Page((), "1", more=False), "1")
    assert not moved_on(Page((), None, more=False), None)
    for page in (Page((b"{}",), "1", more=False), Page((), "1", more=True), Page((b"{}",), None, more=False)):
        with pytest.raises(PageError, match="stuck"):
            moved_on(page, "1")
