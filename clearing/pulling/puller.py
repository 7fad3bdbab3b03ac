"""The puller: asks each source that is due for its next page, and has it taken in.

Several pullers do no harm: a source is leased while it is asked, and a page that two of them hold has its effect once.
Times here are the machine's, as the courier's are.
"""

import json
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

import structlog
from sqlalchemy.exc import IntegrityError

from clearing.metrics import observe_job
from clearing.pulling.pace import WHOLE, Pace
from clearing.pulling.sources import token_place
from clearing.pulling.taking import RACED, Asked, Counter, Taken, take_page
from clearing.service import Service
from clearing.webhooks.targets import Heard, TargetError, get, target_of
from connectors.pages import JSON, MAX_PAGE_BYTES, MAX_RECORDS, NDJSON, Page, PageError, moved_on, read_page
from connectors.record import SUPPORT_RECORDS
from tenants.credentials import principal_named
from tenants.kernel.database import Scope, Work, run
from tenants.kernel.errors import Problem, Text
from tenants.principal import Principal

LEASE: Final = timedelta(minutes=2)
SOURCES_AT_ONCE: Final = 16
_OK: Final = 200
_CLOSED: Final = frozenset({401, 403, 404, 410})
"""Statuses that no repetition changes: the breaker opens at once."""
_ERROR_CHARACTERS: Final = 300

_log = structlog.get_logger()


class AskingError(Exception):
    """The source gave no page; ``hopeless`` where asking again soon would not help."""

    def __init__(self, code: str, text: Text, *, hopeless: bool = False, wait: timedelta | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.text = text
        self.hopeless = hopeless
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Due:
    """One source that is asked now."""

    tenant: str
    id: UUID
    platform: str
    client_id: str
    what: str
    url: str
    token_sealed: bytes
    every_seconds: int
    failures: int
    pages: int
    cursor: str | None

    @property
    def asked(self) -> Asked:
        """Behind which page, and at which cursor."""
        return Asked(self.tenant, self.id, self.pages, self.cursor)


class Puller:
    """Pulls for all tenants."""

    def __init__(self, service: Service, pace: Pace | None = None) -> None:
        self._service = service
        self._pace = pace or Pace()
        self._threads = ThreadPoolExecutor(SOURCES_AT_ONCE, "pull")

    def round(self) -> int:
        """Ask every source that is due; how many were asked."""
        due = run(self._service.engine, self._everyone(), self._service.machine, self._lease)
        list(self._threads.map(self.ask, due))
        return len(due)

    def ask(self, due: Due) -> None:
        """Take the source's pages in until there are no more, and say when it is asked next."""
        try:
            for _ in range(self._pace.pages_at_once):
                page = self.fetch(due)
                if not self.take(due, page):
                    break
                due = replace(due, pages=due.pages + 1, cursor=page.next_cursor, failures=0)
                if not page.more:
                    break
                self._answered(due, LEASE)
            else:
                self._answered(due, timedelta(0))
                return
        except AskingError as error:
            self._failed(due, error)
            return
        self._answered(due, timedelta(seconds=due.every_seconds))

    def fetch(self, due: Due) -> Page:
        """The page behind the source's cursor; nothing is stored.

        Raises:
            AskingError: there is none to be had now.
        """
        token = self._service.vault.sealer.unseal(bytes(due.token_sealed), token_place(due.tenant, due.id))
        headers = {"Authorization": f"Bearer {token}", "Accept": f"{NDJSON}, {JSON}", "Accept-Encoding": "identity"}
        try:
            target = target_of(self._address(due), demonstration=self._service.settings.calls_loopback)
            heard = get(target, headers, MAX_PAGE_BYTES, self._pace.deadline_seconds)
        except Problem as problem:
            raise AskingError(problem.code, problem.text, hopeless=True) from problem
        except TargetError as error:
            said = str(error)[:_ERROR_CHARACTERS]
            raise AskingError("pull.unanswered", Text(f"没有得到答复：{said}", f"No answer: {said}")) from error
        if heard.status != _OK:
            raise self._refused(heard)
        try:
            return read_page(heard.headers.get("content-type", ""), heard.body)
        except PageError as error:
            raise AskingError(error.code, error.text) from error

    def take(self, due: Due, page: Page) -> Taken | None:
        """Take the page in; ``None`` where it leads no further, or another puller has been quicker.

        Raises:
            AskingError: it goes in a circle, or the service cannot take it now.
        """
        try:
            if not moved_on(page, due.cursor):
                return None
            taken = self._taken(due, self._counter(due), page)
        except PageError as error:
            raise AskingError(error.code, error.text) from error
        except Problem as problem:
            raise AskingError(problem.code, problem.text) from problem
        if taken is not None and taken.refused:
            _log.warning("dead_letters", source=str(due.id), page=due.pages + 1, letters=taken.refused)
        return taken

    def _taken(self, due: Due, counter: Counter, page: Page) -> Taken | None:
        scope, machine = Scope((due.tenant,), due.platform), self._service.machine

        def use_case(work: Work, *, alone: bool) -> Taken | None:
            return take_page(work, self._service.vault, counter, due.asked, page, alone=alone)

        together: Callable[[Work], Taken | None] = partial(use_case, alone=False)
        with suppress(IntegrityError):  # one of the records meets what this tenant may not see
            return run(self._service.engine, scope, machine, together, RACED)
        return run(self._service.engine, scope, machine, partial(use_case, alone=True), RACED)

    def _counter(self, due: Due) -> Counter:
        with self._service.engine.connect() as connection:
            caller = principal_named(connection, due.client_id)
        return counter_for(self._service, caller, due.tenant, due.platform, due.what)

    def _address(self, due: Due) -> str:
        query = {"limit": str(MAX_RECORDS)} | ({} if due.cursor is None else {"cursor": due.cursor})
        return f"{due.url}{'&' if '?' in due.url else '?'}{urlencode(query)}"

    def _refused(self, heard: Heard) -> AskingError:
        after = heard.headers.get("retry-after", "")
        wait = timedelta(seconds=int(after)) if after.isascii() and after.isdecimal() and len(after) < 6 else None  # noqa: PLR2004 - a day has five digits
        said = Text(f"平台答复 {heard.status}。", f"The platform answered {heard.status}.")
        return AskingError("pull.refused", said, hopeless=heard.status in _CLOSED, wait=wait)

    def _everyone(self) -> Scope:
        with self._service.engine.connect() as connection:
            return Scope(tuple(connection.exec_driver_sql("select tenant from tenant order by tenant").scalars()))

    def _lease(self, work: Work) -> list[Due]:
        now = self._service.machine.now()
        rows = work.connection.exec_driver_sql(_LEASE, (now, SOURCES_AT_ONCE, now + LEASE, now))
        return [Due(*row) for row in rows]

    def _answered(self, due: Due, wait: timedelta) -> None:
        observe_job("pull", "done")
        now = self._service.machine.now()
        self._note(due, (now + wait, now, 0, None))

    def _failed(self, due: Due, error: AskingError) -> None:
        failures = due.failures + 1
        if error.hopeless:
            failures = max(failures, self._pace.opens_after)
        wait = self._pace.wait_after(failures, secrets.randbelow(WHOLE + 1))
        if error.wait is not None:
            wait = max(wait, min(error.wait, self._pace.longest_pause))
        observe_job("pull", "failed")
        if failures >= self._pace.opens_after:
            _log.error("pull_breaker_open", source=str(due.id), failures=failures, code=error.code)
        said = {"code": error.code, "zh": error.text.zh, "en": error.text.en}
        text = json.dumps(said, ensure_ascii=False)
        self._note(due, (self._service.machine.now() + wait, None, failures, text))

    def _note(self, due: Due, given: tuple[object, ...]) -> None:
        scope = Scope((due.tenant,))
        values = (*given, due.tenant, due.id)
        run(
            self._service.engine,
            scope,
            self._service.machine,
            lambda work: work.connection.exec_driver_sql(_NOTE, values).rowcount,
        )


def counter_for(service: Service, caller: Principal | None, tenant: str, platform: str, what: str) -> Counter:
    """The counter at which the client's records go in, within one tenant.

    Raises:
        AskingError: the client is revoked, or may not submit this.
    """
    scope = "support:write" if what == SUPPORT_RECORDS else "claims:write"
    if caller is None or not caller.may(scope) or tenant not in caller.tenants:
        said = Text(
            f"登记此来源的客户端已吊销，或没有 {scope} 权限。",
            f"The client that registered the source is revoked, or lacks {scope}.",
        )
        raise AskingError("pull.client", said, hopeless=True)
    settings = service.settings
    own = replace(caller, tenants=(tenant,))
    return Counter(own, platform, what, settings.demonstration, settings.looks_per_hour)


_LEASE: Final = """
with due as (
    select g.tenant, g.source_id from pull_progress g
      join pull_source s on s.tenant = g.tenant and s.id = g.source_id and s.disabled_at is null
     where g.next_poll_at <= %s order by g.next_poll_at limit %s for update of g skip locked),
leased as (
    update pull_progress g set next_poll_at = %s, polled_at = %s from due d
     where g.tenant = d.tenant and g.source_id = d.source_id
    returning g.tenant, g.source_id, g.failures)
select s.tenant, s.id, s.platform, s.client_id, s.what, s.url, s.token_sealed, s.every_seconds, l.failures,
       coalesce(p.seq, 0), p.cursor_after
  from leased l join pull_source s on s.tenant = l.tenant and s.id = l.source_id
  left join lateral (select seq, cursor_after from pull_page p where p.tenant = s.tenant and p.source_id = s.id
                      order by seq desc limit 1) p on true
"""
_NOTE: Final = (
    "update pull_progress set next_poll_at = %s, answered_at = coalesce(%s, answered_at), failures = %s, "
    "last_error = %s where tenant = %s and source_id = %s"
)
