"""Calendars loaded by hand: provisional days become days, running notices are counted again, every loading is kept."""

from datetime import date
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from settlement.calendars import load_year, read_year
from tenants.kernel.errors import Conflict, Invalid
from tests.settlement_service.bench import Bench, shanghai

NOTICE = {"cite": "国办发明电〔2026〕11号", "holidays": [date(2027, 1, 1)], "workdays": [date(2027, 1, 3)]}
"""A made-up notice: Friday 1 January off, Sunday 3 January at work."""
LOADED = shanghai("2026-12-31")


def load(bench: Bench, year: int = 2027, **members: Any) -> dict[str, Any]:
    loaded: dict[str, Any] = bench.do(
        lambda c: load_year(c, bench.tenant, year, NOTICE | members, "管理员", LOADED), LOADED
    )
    return loaded


def test_a_year_that_nobody_published_is_provisional_until_it_is_loaded(bench: Bench) -> None:
    before = bench.do(lambda c: read_year(c, bench.tenant, 2027))
    assert before == {"tenant": bench.tenant, "year": 2027, "provisional": True}
    loaded = load(bench)
    assert (loaded["provisional"], loaded["version"], loaded["cite"]) == (False, "loaded-1", NOTICE["cite"])
    assert load(bench)["version"] == "loaded-1"
    assert load(bench, holidays=[date(2027, 1, 1), date(2027, 2, 8)])["version"] == "loaded-2"
    kept = bench.rows("select version from calendar_year where year = 2027 order by version")
    assert [version for (version,) in kept] == ["loaded-1", "loaded-2"]


def test_a_running_notice_is_counted_again_by_the_loaded_year_and_then_sealed(bench: Bench) -> None:
    bench.approve("100.00")
    bench.set_account()
    published = bench.publish(bench.cut(), at=shanghai("2026-12-29"))
    assert (published.publicity_through_on, published.publicity_provisional) == (date(2027, 1, 5), True)
    with pytest.raises(Conflict) as refused:
        bench.seal(published, at=shanghai("2027-01-20"))
    assert refused.value.code == "publicity.provisional"
    load(bench)
    dated = bench.read(published)
    assert (dated.publicity_through_on, dated.publicity_provisional) == (date(2027, 1, 5), False)
    assert str(dated.calendar_version).endswith("+2027:loaded-1")
    assert dated.version == published.version + 1
    with pytest.raises(Conflict):
        bench.seal(published, at=shanghai("2027-01-05", 23))
    assert bench.seal(published, at=shanghai("2027-01-06", 0)).state == "sealed"


def test_a_year_that_moves_no_running_notice_leaves_its_batch_alone(bench: Bench) -> None:
    bench.approve("100.00")
    published = bench.publish(bench.cut())
    load(bench)
    assert bench.read(published) == published


@pytest.mark.parametrize(
    ("members", "pointer", "code"),
    [
        ({"holidays": [date(2026, 1, 1)]}, "/holidays/0", "calendar.other_year"),
        ({"holidays": [date(2027, 1, 1)] * 2}, "/holidays/1", "calendar.repeated"),
        ({"workdays": [date(2027, 1, 4)]}, "/workdays/0", "calendar.no_weekend"),
        ({"holidays": [date(2027, 1, 3)]}, "/workdays/0", "calendar.both"),
        ({"holidays": []}, "/holidays", "calendar.empty"),
    ],
)
def test_an_impossible_notice_is_refused_at_its_day(
    bench: Bench, members: dict[str, Any], pointer: str, code: str
) -> None:
    with pytest.raises(Invalid) as refused:
        load(bench, **members)
    assert [(fault.pointer, fault.code) for fault in refused.value.errors] == [(pointer, code)]
    assert bench.rows("select 1 from calendar_year") == []


def test_a_loaded_year_is_never_changed_nor_deleted(bench: Bench) -> None:
    load(bench)
    for statement in ("update calendar_year set cite = 'x'", "delete from calendar_year"):
        with pytest.raises(DBAPIError):
            bench.change(statement)
