"""The outlet that this service pulls from: its token, its pages, its cursor, and each record on them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from urllib.parse import urlencode

from connectors.conformance.asking import GOOD, Asker, Reply
from connectors.conformance.check import Check, Result, State, failed, passed, skipped
from connectors.pages import JSON, MAX_RECORDS, NDJSON, Page, PageError, read_page
from tenants.kernel.errors import Problem, Text

DEADLINE: Final = timedelta(seconds=20)
MAX_PAGES: Final = 200
"""Pages that are read; what lies behind is not looked at."""
SMALL: Final = 2
_CLOSED: Final = frozenset({401, 403})
_STRANGE: Final = "no-cursor-of-yours-5b1f"

Read = Callable[[bytes], object]
"""Reads one record as the service would; raises ``Problem``."""


def _check(name: str, zh: str, en: str, next_zh: str, next_en: str) -> Check:
    return Check(f"outlet.{name}", Text(zh, en), Text(next_zh, next_en))


THERE: Final = _check(
    "reachable", "可以连接，并在 20 秒内答复。", "It can be reached, and answers within 20 seconds.",
    "检查地址与防火墙；查询加索引，减小每页条数。", "Look at address and firewall; index, make pages smaller.",
)  # fmt: skip
MOVED: Final = _check(
    "no_redirection", "不以重定向答复。", "It answers with no redirection.",
    "登记最终地址：重定向不会被跟随。", "Register the final address: redirections are not followed.",
)  # fmt: skip
OPENS: Final = _check(
    "opens_with_token", "带令牌的请求答复 200。", "It answers 200 to a request with its token.",
    "请求头为 Authorization: Bearer 令牌；核对令牌。", "The header is Authorization: Bearer TOKEN; compare the token.",
)  # fmt: skip
TYPE: Final = _check(
    "media_type", f"Content-Type 为 {NDJSON} 或 {JSON}，字符集为 UTF-8 或 GB18030。",
    f"Its Content-Type is {NDJSON} or {JSON}, in UTF-8 or GB18030.",
    "设置正确的 Content-Type；GB18030 须写明 charset。", "Set the Content-Type; name the charset where it is GB18030.",
)  # fmt: skip
ENCODED: Final = _check(
    "encoding", "内容确为所称的字符集。", "The content is in the character set that it names.",
    "按声明的字符集输出，不要混用。", "Write all of it in the one character set that is named.",
)  # fmt: skip
WHOLE: Final = _check(
    "whole_pages", "每页完整：records、next_cursor、more；NDJSON 以末行结束。",
    "Each page is whole: records, next_cursor, more; NDJSON ends with its last line.",
    "按文档的页格式输出，next_cursor 为字符串。", "Write pages as documented; next_cursor is a string.",
)  # fmt: skip
FITS: Final = _check(
    "keeps_limit", "每页不超过 limit 条。", "A page has no more records than its limit.",
    "按查询参数 limit 截断。", "Cut the page at the query's limit.",
)  # fmt: skip
LOCKED: Final = _check(
    "needs_token", "没有令牌或令牌错误时答复 401 或 403。", "It answers 401 or 403 without its token.",
    "每次请求都校验令牌。", "Check the token of every request.",
)  # fmt: skip
SAME: Final = _check(
    "repeatable", "同一游标再问，答复相同。", "Asked again with the same cursor, it answers the same.",
    "游标只由请求给出，服务端不要记住读到哪里。", "The cursor is the request's alone: remember no reader.",
)  # fmt: skip
MOVES: Final = _check(
    "cursor_moves", "有记录的页，next_cursor 向前。", "Behind a page with records the cursor has moved on.",
    "next_cursor 须指向本页最后一条之后。", "next_cursor lies behind the page's last record.",
)  # fmt: skip
ROUND: Final = _check(
    "cursor_never_returns", "读过的游标不再出现。", "A cursor that was passed never comes again.",
    "按唯一、递增的键排序并作游标。", "Order by a unique, growing key, and make it the cursor.",
)  # fmt: skip
ONCE: Final = _check(
    "no_overlap", "相邻页没有重复的记录。", "No record stands on two pages.",
    "从游标之后取，不含游标所指的一条。", "Take what lies behind the cursor, without the one that it names.",
)  # fmt: skip
ALL: Final = _check(
    "nothing_lost", "小页与大页读出的记录相同。", "Small pages and large ones give the same records.",
    "页边界处漏了记录：排序键须唯一。", "Records are lost at the pages' edges: the order needs a unique key.",
)  # fmt: skip
ENDS: Final = _check(
    "ends", "读完后 more 为 false，再问得到空页，游标不变。",
    "At the end more is false; asked again it gives an empty page and the same cursor.",
    "读完后返回空页和原游标。", "Answer an empty page with the cursor that was given.",
)  # fmt: skip
STRICT: Final = _check(
    "refuses_unknown_cursor", "不认识的游标答复 4xx。", "It answers 4xx to a cursor that is none of its own.",
    "游标无法识别时答复 400，不要从头开始。", "Answer 400 where the cursor is unknown; do not begin anew.",
)  # fmt: skip
RECORDS: Final = _check(
    "records", "每条记录都能读入。", "Every record can be read.",
    "按所列位置逐项改正。", "Correct each place that is named.",
)  # fmt: skip
CHECKS: Final = (
    THERE, MOVED, OPENS, TYPE, ENCODED, WHOLE, FITS, LOCKED, SAME, MOVES, ROUND, ONCE, ALL, ENDS, STRICT, RECORDS,
)  # fmt: skip
_FAULTS: Final = {
    "page.media_type": TYPE, "page.charset": TYPE, "page.encoding": ENCODED, "page.too_many": FITS,
}  # fmt: skip
"""Which check a page that cannot be taken fails; ``whole_pages`` where it is none of these."""


class _StopError(Exception):
    """No further check can be tried."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.check.name)
        self.result = result


@dataclass(slots=True)
class _Walk:
    """What reading from the beginning to the end found."""

    records: list[bytes] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)
    cursors: list[str | None] = field(default_factory=lambda: [None])
    stuck: bool = False
    circle: bool = False
    overlong: bool = False


def check_outlet(url: str, token: str, read: Read, deadline: timedelta = DEADLINE) -> Iterator[Result]:
    """Each check of the outlet at ``url`` in its order; those that stand on a failed one are not tried."""
    results: dict[Check, list[Result]] = {}
    try:
        for result in _results(_Outlet(Asker(url, deadline), token), read):
            results.setdefault(result.check, []).append(result)
    except _StopError as stop:
        results[stop.result.check] = [stop.result]
    hopeless = any(result.state == State.FAILED for some in results.values() for result in some)
    for check in CHECKS:
        if check in results:
            yield from results[check]
        else:
            yield skipped(check) if hopeless and not _implied(check, results) else passed(check)


def _implied(check: Check, results: dict[Check, list[Result]]) -> bool:
    """Whether a later check was reached, which this one lies before."""
    return any(CHECKS.index(other) > CHECKS.index(check) for other in results)


@dataclass(slots=True)
class _Outlet:
    asker: Asker
    token: str

    def get(self, cursor: str | None, limit: int, token: str | None = None) -> Reply:
        headers = {"Authorization": f"Bearer {self.token if token is None else token}", "Accept": f"{NDJSON}, {JSON}"}
        if token == "":
            del headers["Authorization"]
        query = {"limit": str(limit)} | ({} if cursor is None else {"cursor": cursor})
        return self.asker.ask("GET", headers, query=urlencode(query))

    def page(self, cursor: str | None, limit: int) -> Page:
        """The page behind the cursor.

        Raises:
            _StopError: there is none.
        """
        reply = self.get(cursor, limit)
        for check, wrong in ((THERE, reply.status == 0), (MOVED, reply.status // 100 == 3)):  # noqa: PLR2004
            if wrong:
                raise _StopError(failed(check, reply.said.zh, reply.said.en))
        if reply.status not in GOOD:
            raise _StopError(failed(OPENS, reply.said.zh, reply.said.en))
        try:
            return read_page(reply.headers.get("content-type", ""), reply.body)
        except PageError as error:
            raise _StopError(failed(_FAULTS.get(error.code, WHOLE), error.text.zh, error.text.en)) from error

    def walk(self, limit: int) -> _Walk:
        """All pages from the beginning, until the end or a fault of the cursor."""
        found = _Walk()
        while len(found.pages) < MAX_PAGES:
            page = self.page(found.cursors[-1], limit)
            found.pages.append(page)
            found.records += page.records
            found.overlong |= len(page.records) > limit
            if page.next_cursor in (None, found.cursors[-1]):
                found.stuck = bool(page.records) or page.more
                return found
            if page.next_cursor in found.cursors:
                found.circle = True
                return found
            found.cursors.append(page.next_cursor)
            if not page.more:
                return found
        return found


def _results(outlet: _Outlet, read: Read) -> Iterator[Result]:
    first = outlet.page(None, MAX_RECORDS)
    for token in ("", "not-the-token-of-this-outlet"):
        reply = outlet.get(None, 1, token)
        if reply.status not in _CLOSED:
            yield failed(LOCKED, reply.said.zh, reply.said.en)
            break
    else:
        yield passed(LOCKED)
    yield _same(first, outlet.page(None, MAX_RECORDS))
    small, large = outlet.walk(SMALL), outlet.walk(MAX_RECORDS)
    if small.overlong:
        yield failed(FITS, f"要 {SMALL} 条，得到更多", f"asked for {SMALL}, it gave more")
    yield from _cursors(small, large)
    if not (small.stuck or small.circle):
        yield from _end(outlet, large)
    yield _strict(outlet.get(_STRANGE, SMALL))
    yield from _records(large.records, read)


def _same(first: Page, second: Page) -> Result:
    if (first.records[: len(second.records)] == second.records and second.records) or first == second:
        return passed(SAME)
    return failed(SAME, "两次答复不同", "the two answers differ")


def _cursors(small: _Walk, large: _Walk) -> Iterator[Result]:
    yield failed(MOVES, "游标没有前进", "the cursor has not moved") if small.stuck else passed(MOVES)
    if small.stuck:
        return
    yield failed(ROUND, "游标回到了读过的位置", "the cursor went back") if small.circle else passed(ROUND)
    if small.circle:
        return
    doubled = len(small.records) - len(set(small.records))
    yield failed(ONCE, f"重复 {doubled} 条", f"{doubled} come twice") if doubled else passed(ONCE)
    lost = len(set(large.records) - set(small.records))
    yield failed(ALL, f"小页少了 {lost} 条", f"small pages lack {lost}") if lost else passed(ALL)


def _end(outlet: _Outlet, walk: _Walk) -> Iterator[Result]:
    if walk.pages[-1].more and len(walk.pages) >= MAX_PAGES:
        return  # its end was not reached
    page = outlet.page(walk.cursors[-1], SMALL)
    if page.records or page.more or page.next_cursor not in (None, walk.cursors[-1]):
        yield failed(ENDS, "读完后又给出记录或另一游标", "behind its end it gives records or another cursor")
    else:
        yield passed(ENDS)


def _strict(reply: Reply) -> Result:
    return passed(STRICT) if reply.refused else failed(STRICT, reply.said.zh, reply.said.en)


def _records(records: list[bytes], read: Read) -> Iterator[Result]:
    wrong = False
    for number, record in enumerate(records, 1):
        for fault in faults_of(record, read):
            wrong = True
            yield failed(RECORDS, fault[1].zh, fault[1].en, f"第 {number} 条 / record {number} {fault[0]}".strip())
    if not wrong:
        yield passed(RECORDS)


def faults_of(record: bytes, read: Read) -> list[tuple[str, Text]]:
    """Every fault of a record, with its place."""
    try:
        read(record)
    except Problem as problem:
        return [(one.pointer, one.message) for one in problem.errors] or [("", problem.text)]
    return []
