"""Used at home or elsewhere, stated elsewhere or free: the service does the same work, so that no clock tells (I24).

What is compared is what takes time: every message that the driver sends to the database, byte for byte on the wire but
for the values; the rows that are written, by table; and the size of the answer.
"""

import re
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Self

import pytest
from psycopg.pq import Trace
from sqlalchemy import Engine, event
from werkzeug.test import TestResponse

from clearing.demonstration.parties import Party
from tests.api.door import Caller, Door
from tests.intake.bodies import JIANGSU, WUJIANG, Body, again, buyer, claim, like, seller

LOOKS: Final = frozenset({"registry_probe", "client_probes"})
"""Where a look at another tenant's key is logged for it: what is written besides, in the statement that stores all."""
WORDS: Final = 400
"""Characters by which answers differ in words alone: the names of platforms, and the code of the verdict."""


@dataclass(frozen=True)
class Worked:
    """One call: its answer, what was sent to the database for it, and how many rows each table has more."""

    answer: TestResponse
    sent: list[str]
    written: Counter[str]

    @property
    def size(self) -> int:
        """Characters of the answer."""
        return len(self.answer.get_data())

    def different_statements(self, other: "Worked") -> int:
        """How many statements of the same place differ; each call sends as many as the other."""
        assert len(self.sent) == len(other.sent), set(self.sent) ^ set(other.sent)
        return sum(mine != theirs for mine, theirs in zip(self.sent, other.sent, strict=True))


class Wire:
    """What the connections of an engine send to the server, from their beginning on."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self._engine, self._folder = engine, folder
        self._logs: dict[int, IO[bytes]] = {}

    def __enter__(self) -> Self:
        self._engine.dispose()  # so that every statement's name is seen to be given
        event.listen(self._engine, "connect", self._begin)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(self._engine, "connect", self._begin)
        self._engine.dispose()
        for log in self._logs.values():
            log.close()

    def _begin(self, driver: Any, *_: Any) -> None:
        log = self._logs[len(self._logs)] = (self._folder / f"wire-{len(self._logs)}").open("w+b")
        driver.pgconn.trace(log.fileno())
        driver.pgconn.set_trace_flags(Trace.SUPPRESS_TIMESTAMPS)

    def statements(self) -> list[list[str]]:
        """The text of every statement that was run, in its order, by the connection."""
        return [list(_statements(Path(log.name).read_text(errors="replace"))) for log in self._logs.values()]


def _statements(trace: str) -> Iterator[str]:
    names: dict[str, str] = {}
    for line in trace.splitlines():
        direction, _, kind, *rest = line.split("\t", 3)
        if direction == "F" and kind == "Parse" and (parsed := _PARSE.match(rest[0])):
            names[parsed[1]] = parsed[2]
        elif direction == "F" and kind == "Bind" and (bound := _BIND.match(rest[0])):
            yield names[bound[1]]


_PARSE: Final = re.compile(r' "([^"]*)" "(.*)" [0-9]+(?: [0-9]+)*$')
_BIND: Final = re.compile(r' "[^"]*" "([^"]*)"')


@pytest.fixture
def jssic(door: Door) -> Caller:
    return door.platform("jssic", ("jiangsu",))


@pytest.fixture
def delta(door: Door) -> Caller:
    return door.hire("claims:write", "claims:read", "support:write", platform="delta", tenants=("wujiang",))


Work = Callable[[str, Body], Worked]


@pytest.fixture
def work(door: Door, delta: Caller, owner: Engine, tmp_path: Path) -> Iterator[Work]:
    with Wire(door.service.engine, tmp_path) as wire:
        delta.post("/v1/claims", json=claim(WUJIANG))  # its token is known from now on, and the scheme's accounts open

        def run(path: str, body: Body) -> Worked:
            rows_before, sent_before = rows(owner), wire.statements()
            answer = delta.post(path, json=body)
            sent = []
            for number, statements in enumerate(wire.statements()):
                known = len(sent_before[number]) if number < len(sent_before) else 0
                sent += statements[known:]
            return Worked(answer, sent, rows(owner) - rows_before)

        yield run


def rows(owner: Engine) -> Counter[str]:
    """How many rows every table has."""
    with owner.connect() as connection:
        connection.exec_driver_sql("select bind_scope('jiangsu,wujiang,shanxi-hainan', null)")
        tables = connection.exec_driver_sql(
            "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'"
        ).scalars()
        counts = [
            (name, connection.exec_driver_sql(f"select count(*) from {name}").scalar_one())  # noqa: S608 - our tables
            for name in list(tables)
        ]
        return Counter(dict(counts))


def known_elsewhere(jssic: Caller, by: Party | None = None) -> Body:
    """Spending that another tenant holds."""
    body = claim(JIANGSU, by=by or buyer(WUJIANG), to=seller(WUJIANG))
    assert jssic.post("/v1/claims", json=body).get_json()["state"] == "in_review"
    return body


def elsewhere(jssic: Caller, delta: Caller) -> Body:
    """Spending that another tenant holds, claimed anew by an enterprise that has claimed here before."""
    by = buyer(WUJIANG)
    assert delta.post("/v1/claims", json=claim(WUJIANG, by=by)).status_code == 201
    return like(known_elsewhere(jssic, by), WUJIANG)


def at_home(delta: Caller) -> Body:
    """Spending that the tenant itself holds, claimed anew."""
    body = claim(WUJIANG)
    assert delta.post("/v1/claims", json=body).status_code == 201
    return again(body)


def test_a_claim_refused_for_another_tenants_is_as_much_work_as_for_an_own_one(
    work: Work, jssic: Caller, delta: Caller
) -> None:
    home, away = (work("/v1/claims", body) for body in (at_home(delta), elsewhere(jssic, delta)))
    assert home.answer.status_code == away.answer.status_code == 201
    assert home.answer.get_json()["state"] == away.answer.get_json()["state"] == "rejected"
    assert home.different_statements(away) <= 1  # the one that stores everything names the log's tables
    assert set(away.written - home.written) <= LOOKS
    assert home.written - away.written == Counter()
    assert abs(home.size - away.size) < WORDS


def test_a_record_over_what_another_tenant_stated_is_as_much_work_as_over_a_free_key(
    work: Work, door: Door, jssic: Caller
) -> None:
    local = door.hire("support:write", platform="jiangsu-local", tenants=("jiangsu",))

    def stated(platform: str, tenant: str) -> Body:
        body = claim(JIANGSU)
        key = {"kind": "invoice", "value": body["invoices"][0]["number"], "amount": "10000.00"}
        return {
            "platform": platform, "external_id": f"S-{body['external_id']}", "tenant": tenant, "keys": [key],
            "enterprise_uscc": body["enterprise"]["uscc"], "supported_on": "2024-06-03",
        }  # fmt: skip

    def met() -> Body:
        theirs = stated("jiangsu-local", "jiangsu")
        assert local.post("/v1/support-records", json=theirs).status_code == 201
        return theirs | {"platform": "delta", "tenant": "wujiang"}

    free, used = (work("/v1/support-records", body) for body in (stated("delta", "wujiang"), met()))
    assert free.answer.status_code == used.answer.status_code == 201
    assert [len(one.answer.get_json()["collisions"]) for one in (free, used)] == [0, 1]
    assert free.different_statements(used) <= 1
    assert set(used.written - free.written) <= LOOKS | {"registry_key"}
    assert free.written - used.written <= Counter({"registry_key": 1})
    assert free.answer.get_json().keys() == used.answer.get_json().keys()
    assert abs(free.size - used.size) < WORDS


def with_invoice_of(theirs: Body) -> Body:
    """Another enterprise's claim in Wujiang, whose invoice these hold already."""
    body = claim(WUJIANG)
    body["invoices"][0] |= {name: theirs["invoices"][0].get(name) for name in ("number", "code")}
    return body


def sent_back(body: Body) -> Body:
    """The claim without one of its documents."""
    return body | {"documents": body["documents"][:-1]}


def test_a_claim_that_is_sent_back_is_as_much_work_whoever_holds_its_invoice(
    work: Work, jssic: Caller, delta: Caller
) -> None:
    own = claim(WUJIANG)
    assert delta.post("/v1/claims", json=own).status_code == 201
    bodies = (claim(WUJIANG), with_invoice_of(own), with_invoice_of(known_elsewhere(jssic)))
    free, home, away = (work("/v1/claims", sent_back(body)) for body in bodies)
    assert {one.answer.get_json()["state"] for one in (free, home, away)} == {"needs_correction"}
    assert free.different_statements(home) <= 1
    assert free.different_statements(away) <= 1
    assert set(away.written - free.written) <= LOOKS
    assert free.written - away.written <= Counter({"registry_key": 1})
    assert free.answer.get_json().keys() == away.answer.get_json().keys()


def test_what_a_hold_over_another_tenants_claim_takes_longer_is_told_by_its_own_answer(
    work: Work, jssic: Caller, delta: Caller
) -> None:
    """The case stands on both sides before anything is answered, which takes a transaction over both tenants.

    No call looks a spending up without submitting it, so that nobody learns of it but by the answer that says it; and
    one who is sent back, above, or refused, learns nothing from the clock.
    """
    own = claim(WUJIANG)
    assert delta.post("/v1/claims", json=own).status_code == 201
    bodies = (claim(WUJIANG), with_invoice_of(own), with_invoice_of(known_elsewhere(jssic)))
    free, home, away = (work("/v1/claims", body) for body in bodies)
    assert [one.answer.get_json()["state"] for one in (free, home, away)] == ["in_review", "on_hold", "on_hold"]
    assert len(free.sent) == len(home.sent) < len(away.sent)
    assert (home.written["duplicate_case"], away.written["duplicate_case"]) == (1, 1)
    assert set(away.written - home.written) <= LOOKS | {"audit_entry"}, "the other side is told of its case"
    for one in (home, away):
        assert "duplicate.foreign_invoice" in {hold["code"] for hold in one.answer.get_json()["holds"]}


@pytest.mark.long
def test_no_statistic_over_many_answers_tells_used_elsewhere_from_used_at_home(jssic: Caller, delta: Caller) -> None:
    """The chance that an answer of the one kind takes longer than one of the other is that of a coin (Mann-Whitney)."""
    makers = {"home": lambda: at_home(delta), "away": lambda: elsewhere(jssic, delta)}
    times: dict[str, list[float]] = {kind: [] for kind in makers}
    for turn in range(ANSWERS):
        kinds = list(makers) if turn % 2 else list(reversed(makers))  # whatever drifts, drifts for both
        for kind in kinds:
            body = makers[kind]()
            begun = time.perf_counter()
            answer = delta.post("/v1/claims", json=body)
            times[kind].append(time.perf_counter() - begun)
            assert answer.get_json()["state"] == "rejected"
    longer = sum((away > home) + (away == home) / 2 for away in times["away"] for home in times["home"])
    assert abs(longer / ANSWERS**2 - 1 / 2) < ADVANTAGE, statistics.median(times["away"])


ANSWERS: Final = 300
"""Each meets three keys of another tenant, of which a client may meet a thousand in an hour."""
ADVANTAGE: Final = 0.10
"""How much better than a coin one answer's time may tell: three standard errors of so many, and a look's one row."""
