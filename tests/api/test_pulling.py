"""Pulling from outlets over real sockets, with a clock that the test moves: each record has its effect once."""

import json
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from clearing.embedded import Addresses
from clearing.pulling.pace import WHOLE, Pace, State
from clearing.pulling.puller import Due, Puller
from connectors.all_connectors import connector_of
from connectors.form_writing import write_form
from connectors.pages import JSON, NDJSON
from connectors.simulators.outlet import Manner, Outlet, outlet_serving
from tenants.kernel.database import run
from tests.api.conftest import opened_door
from tests.api.door import Caller, Door, code, pages
from tests.connectors.forms import filled
from tests.intake.bodies import SHANXI, WUJIANG, claim

ON = date(2024, 8, 29)
TOKEN = "the-platform-knows-us-by-this"
QUICK = Pace(deadline_seconds=0.25)
_NUMBERS = count(1)


@dataclass
class Desk:
    """A platform with its outlet, which a puller asks."""

    door: Door
    platform: Caller
    outlet: Outlet
    source_id: str
    puller: Puller

    def state(self) -> Any:
        return self.platform.get(f"/v1/pull-sources/{self.source_id}").get_json()

    def due(self) -> Due:
        """What a puller takes on itself when it begins: it may be killed at any moment after."""
        self.hasten()
        service = self.door.service
        [due] = run(service.engine, self.puller._everyone(), service.machine, self.puller._lease)
        assert str(due.id) == self.source_id
        return due

    def hasten(self) -> None:
        assert self.platform.post(f"/v1/pull-sources/{self.source_id}/poll").status_code == 202

    def ask(self) -> Any:
        self.puller.ask(self.due())
        return self.state()

    def letters(self, **query: str) -> list[Any]:
        more = "".join(f"&{name}={value}" for name, value in query.items())
        return [
            one
            for page in pages(self.platform, f"/v1/dead-letters?source={self.source_id}&limit=2{more}")
            for one in page
        ]

    def claims(self, *bodies: Any) -> list[Any]:
        found = [self.platform.get(f"/v1/claims?external_id={one['external_id']}").get_json() for one in bodies]
        return [one for page in found for one in page["items"]]


class Desks:
    """Makes desks, and closes them all in the end."""

    def __init__(self, door: Door, stack: ExitStack) -> None:
        self.door, self.stack, self.made = door, stack, list[Desk]()

    def open(self, platform: str = "jssic", tenant: str = "jiangsu", what: str = "claims", **given: Any) -> Desk:
        outlet = Outlet(TOKEN, **given)
        address = self.stack.enter_context(outlet_serving(outlet))
        caller = self.door.hire("claims:write", "claims:read", "support:write", platform=platform, tenants=(tenant,))
        body = {"tenant": tenant, "url": address, "token": TOKEN, "every_seconds": 60, "what": what}
        made = caller.post("/v1/pull-sources", json=body)
        assert made.status_code == 201, made.get_json()
        desk = Desk(self.door, caller, outlet, made.get_json()["id"], Puller(self.door.service, QUICK))
        self.made.append(desk)
        return desk


@pytest.fixture(scope="module")
def door(database: Addresses, data_dir: Path, app: Engine, owner: Engine) -> Door:
    """One for the module: its clock only goes forward."""
    return opened_door(database, data_dir, app, owner)


@pytest.fixture
def desks(door: Door) -> Iterator[Desks]:
    with ExitStack() as stack:
        found = Desks(door, stack)
        yield found
        for desk in found.made:
            closer = door.platform(desk.state()["platform"], (desk.state()["tenant"],))
            assert closer.post(f"/v1/pull-sources/{desk.source_id}/disable").get_json()["state"] == "disabled"


def bodies(number: int) -> list[Any]:
    return [claim(on=ON) for _ in range(number)]


@pytest.mark.parametrize(("form", "charset"), [(NDJSON, "utf-8"), (JSON, "utf-8"), (NDJSON, "gb18030")])
def test_pages_become_claims_and_what_cannot_be_read_stops_nothing_else(desks: Desks, form: str, charset: str) -> None:
    desk = desks.open(form=form, charset=charset, page_size=3)
    good = bodies(4)
    wrong = claim(on=ON) | {"submitted_at": "yesterday"}
    order = filled("jssic", claim(on=ON)) | {"订单编号": f"CXQ20240829{9000 + next(_NUMBERS):04d}"}
    desk.outlet.put(good[0], wrong, good[1], good[2], {"订单编号": "x"}, order, good[3])
    state = desk.ask()
    assert (state["pages"], state["records"], state["stored"], state["refused"]) == (3, 7, 5, 2)
    assert (state["cursor"], state["state"], state["failures"], state["dead_letters_open"]) == ("7", "live", 0, 2)
    assert {one["state"] for one in desk.claims(*good)} == {"in_review"}
    first, second = desk.letters()
    assert (first["page"], first["position"], first["code"]) == (1, 2, "claim.invalid")
    assert [one["pointer"] for one in first["problem"]["errors"]] == ["/submitted_at"]
    assert (second["page"], second["position"], second["code"]) == (2, 2, "form.invalid")
    whole = desk.platform.get(f"/v1/dead-letters/{first['id']}").get_json()
    assert json.loads(whole["record"]) == wrong


def test_a_line_that_is_no_json_is_kept_whole(desks: Desks) -> None:
    desk, good = desks.open(), claim(on=ON)
    desk.outlet.put(b'{"external_id": "A\xff', good, b"<html>")
    assert (desk.ask()["stored"], len(desk.letters())) == (1, 2)
    whole = [desk.platform.get(f"/v1/dead-letters/{one['id']}").get_json() for one in desk.letters()]
    assert (whole[0]["record"], whole[0]["record_base64"]) == (None, "eyJleHRlcm5hbF9pZCI6ICJB/w==")
    assert (whole[1]["record"], whole[1]["code"]) == ("<html>", "json.syntax")


def test_a_puller_killed_between_asking_and_storing_leaves_nothing_behind(desks: Desks) -> None:
    desk, given = desks.open(page_size=2), bodies(4)
    desk.outlet.put(*given)
    desk.puller.fetch(desk.due())  # and it dies
    assert (desk.state()["pages"], desk.claims(*given)) == (0, [])
    state = Desk(desk.door, desk.platform, desk.outlet, desk.source_id, Puller(desk.door.service)).ask()
    assert (state["pages"], state["stored"], state["known"]) == (2, 4, 0)


def test_a_page_stored_by_a_puller_that_dies_before_it_goes_on_is_not_taken_twice(desks: Desks) -> None:
    desk, given = desks.open(page_size=2), bodies(4)
    desk.outlet.put(*given)
    due = desk.due()
    page = desk.puller.fetch(due)
    assert desk.puller.take(due, page) is not None  # and it dies
    assert desk.puller.take(due, page) is None  # another held the same page
    state = desk.ask()
    assert (state["pages"], state["stored"], state["known"], state["records"]) == (2, 4, 0, 4)
    assert desk.outlet.asked == [None, "2"]
    assert [one["revision"] for one in desk.claims(*given)] == [1] * 4


def test_pullers_at_once_take_each_page_once(desks: Desks) -> None:
    desk, given = desks.open(page_size=2), bodies(4)
    desk.outlet.put(*given)
    desk.hasten()
    assert sum(Puller(desk.door.service, QUICK).round() for _ in range(3)) == 1
    assert (desk.state()["pages"], desk.state()["stored"]) == (2, 4)


@pytest.mark.parametrize(
    ("manner", "error"),
    [
        (Manner.SLOW, "pull.unanswered"),
        (Manner.CUT, "pull.unanswered"),
        (Manner.ERROR, "pull.refused"),
        (Manner.BUSY, "pull.refused"),
        (Manner.MOVED, "pull.refused"),
        (Manner.FORBIDDEN, "pull.refused"),
        (Manner.BROKEN, "page.truncated"),
        (Manner.TRUNCATED, "page.truncated"),
        (Manner.UNREADABLE, "page.truncated"),
        (Manner.HTML, "page.media_type"),
        (Manner.STUCK, "page.cursor_stuck"),
        (Manner.TOO_MANY, "page.too_many"),
    ],
)
def test_an_outlet_that_misbehaves_is_named_and_loses_nothing(desks: Desks, manner: Manner, error: str) -> None:
    desk, given = desks.open(page_size=2), bodies(3)
    desk.outlet.put(*given)
    desk.outlet.manners = deque([Manner.WELL, manner])
    state = desk.ask()
    assert (state["last_error"]["code"], state["pages"], state["stored"]) == (error, 1, 2)
    assert state["state"] == ("open" if manner == Manner.FORBIDDEN else "failing")
    if manner == Manner.BUSY:
        waits_until = desk.door.clock.now() + timedelta(seconds=120)
        assert datetime.fromisoformat(state["next_poll_at"]) == waits_until
    state = desk.ask()
    assert (state["state"], state["last_error"], state["stored"], state["known"]) == ("live", None, 3, 0)


@pytest.mark.parametrize(("manner", "known"), [(Manner.REPEATED, 2), (Manner.REVERSED, 0)])
def test_pages_that_overlap_or_come_out_of_order_have_their_effect_once(
    desks: Desks, manner: Manner, known: int
) -> None:
    desk, given = desks.open(page_size=2), bodies(4)
    desk.outlet.put(*given)
    desk.outlet.always = manner
    state = desk.ask()
    assert (state["stored"], state["known"], state["refused"]) == (4, known, 0)
    assert [one["revision"] for one in desk.claims(*given)] == [1] * 4


def test_a_cursor_that_goes_back_is_refused_and_never_goes_in_a_circle(desks: Desks) -> None:
    desk, given = desks.open(page_size=1), bodies(3)
    desk.outlet.put(*given)
    desk.outlet.manners = deque([Manner.WELL, Manner.WELL, Manner.BACK])
    state = desk.ask()
    assert (state["last_error"]["code"], state["cursor"], state["stored"]) == ("page.cursor_back", "2", 2)
    assert desk.ask()["stored"] == 3


def test_a_page_that_changed_between_two_readings_is_read_as_it_now_is(desks: Desks) -> None:
    desk, (first, second, third) = desks.open(page_size=2), bodies(3)
    desk.outlet.put(first, second)
    due = desk.due()
    desk.puller.fetch(due)  # and it dies; meanwhile the platform puts one in front, and corrects another
    desk.outlet.records.clear()
    desk.outlet.put(third, first, second | {"note": "x"})
    state = desk.ask()
    assert (state["stored"], state["refused"], state["records"]) == (2, 1, 3)
    desk.outlet.records.insert(0, desk.outlet.records[0])  # and the rest moves behind what was read
    state = desk.ask()
    assert (state["stored"], state["known"], state["refused"]) == (2, 0, 2)


def test_the_same_record_twice_on_a_page_is_one_claim_and_another_with_its_id_is_named(desks: Desks) -> None:
    desk, one = desks.open(), claim(on=ON)
    other = claim(on=ON) | {"external_id": one["external_id"]}
    desk.outlet.put(one, one, other)
    state = desk.ask()
    assert (state["stored"], state["known"], state["refused"]) == (1, 1, 1)
    [letter] = desk.letters()
    assert (letter["code"], letter["position"]) == ("record.repeated", 3)
    refused = desk.platform.post(f"/v1/dead-letters/{letter['id']}/replay")
    assert code(refused) == (409, "claim.content_differs")
    assert desk.letters(state="open") == [letter]


def test_a_dead_letter_goes_in_once_corrected_or_is_laid_aside_and_is_then_decided(desks: Desks) -> None:
    desk, right = desks.open(), bodies(2)
    broken = [one | {"scheme": "nothing"} for one in right]
    desk.outlet.put(*broken)
    assert desk.ask()["refused"] == 2
    first, second = desk.letters()
    again = desk.platform.post(f"/v1/pull-sources/{desk.source_id}/replay").get_json()
    assert (again["tried"], again["taken"], len(again["still_open"])) == (2, 0, 2)
    taken = desk.platform.post(f"/v1/dead-letters/{first['id']}/replay", json={"record": right[0]})
    assert (taken.status_code, taken.get_json()["claim_state"]) == (200, "in_review")
    laid = desk.platform.post(f"/v1/dead-letters/{second['id']}/dismiss", json={"reason": "企业撤回"})
    assert laid.get_json()["state"] == "dismissed"
    for letter in (first, second):
        for path, body in (("replay", None), ("dismiss", {"reason": "再次"})):
            done = desk.platform.post(f"/v1/dead-letters/{letter['id']}/{path}", json=body)
            assert code(done) == (409, "dead_letter.decided")
    assert desk.state()["dead_letters_open"] == 0


def test_a_record_that_came_too_early_goes_in_by_replay_alone(desks: Desks) -> None:
    desk = desks.open()
    soon = desk.door.clock.now() + timedelta(minutes=50)
    early = claim(on=ON) | {"submitted_at": soon.isoformat()}
    desk.outlet.put(early)
    assert desk.ask()["refused"] == 1
    desk.door.clock.move_to(soon)
    caller = desk.platform
    done = caller.post(f"/v1/pull-sources/{desk.source_id}/replay").get_json()
    assert (done["tried"], done["taken"], done["still_open"]) == (1, 1, [])


def test_local_platforms_give_what_they_paid(desks: Desks) -> None:
    desk = desks.open("wujiang-local", "wujiang", "support_records")
    body = claim(WUJIANG, on=ON)
    paid = {
        "兑付编号": f"WJ-P-{next(_NUMBERS)}-{body['external_id']}",
        "企业统一社会信用代码": body["enterprise"]["uscc"],
        "兑付日期": "2024-08-20",
        "发票": [{"发票号码": body["invoices"][0]["number"], "已支持金额": "3000"}],
    }
    desk.outlet.put(paid, {"兑付编号": ""}, paid)
    state = desk.ask()
    assert (state["stored"], state["known"], state["refused"]) == (1, 1, 1)
    told = desks.door.platform("delta", ("wujiang",)).post("/v1/claims", json=body).get_json()
    assert told["state"] == "rejected"


def intended(**members: Any) -> Any:
    """A request for quota for an intended contract, in the service's own form."""
    draft = claim(WUJIANG, on=ON)
    names = ("uscc", "name", "division", "types", "type_proofs", "prior_year_revenue", "established_on", "resident_of")
    return {
        "external_id": f"YX-{next(_NUMBERS)}-{draft['external_id']}", "tenant": "wujiang", "scheme": "delta",
        "mode": "cross_redemption", "requested_at": "2024-08-29T12:00:00+08:00",
        "enterprise": {name: draft["enterprise"][name] for name in names},
        "provider": draft["provider"], "contract": draft["contract"], "amount": "3000.00",
    } | members  # fmt: skip


def reserved(desk: Desk, *requests: Any) -> list[str]:
    """The states of what the platform has asked for so, each as often as it is there."""
    found = [one for page in pages(desk.platform, "/v1/reservations?limit=50") for one in page]
    wanted = {one["external_id"] for one in requests}
    return [one["state"] for one in found if one["external_id"] in wanted]


def test_requests_for_quota_are_pulled_from_a_platforms_form_and_from_ours_each_once(desks: Desks) -> None:
    desk, canonical = desks.open("delta", "wujiang", "reservations", page_size=2), intended()
    form = write_form(connector_of("delta", "reservation").document, intended())  # type: ignore[union-attr]
    desk.outlet.put(canonical, form, canonical)
    due = desk.due()
    page = desk.puller.fetch(due)
    assert desk.puller.take(due, page) is not None  # and it dies
    assert desk.puller.take(due, page) is None
    state = desk.ask()
    assert (state["what"], state["pages"], state["cursor"]) == ("reservations", 2, "3")
    assert (state["stored"], state["known"], state["refused"]) == (2, 1, 0), desk.letters()
    assert reserved(desk, canonical, {"external_id": form["意向编号"]}) == ["requested", "requested"]
    [first, *_] = [one for page in pages(desk.platform, "/v1/reservations?limit=50") for one in page]
    assert desks.door.hire("reviews:write", tenants=("wujiang",)).post(
        f"/v1/reservations/{first['id']}/confirm"
    ).get_json()["state"] == "confirmed"  # fmt: skip


def test_a_request_that_cannot_be_taken_is_a_dead_letter_and_stops_nothing_else(desks: Desks) -> None:
    desk, good, again = desks.open("delta", "wujiang", "reservations"), intended(), intended()
    related = intended()
    related["provider"] |= {"uscc": related["enterprise"]["uscc"]}
    foreign = intended(tenant="qingpu")
    no_mode = intended(mode="barter")
    desk.outlet.put(good, foreign, no_mode, {"意向编号": ""}, good | {"amount": "1.00"}, again)
    state = desk.ask()
    assert (state["stored"], state["refused"], state["dead_letters_open"]) == (2, 4, 4)
    assert [one["position"] for one in desk.letters()] == [2, 3, 4, 5]
    codes = [one["code"] for one in desk.letters()]
    assert (codes[0], codes[3]) == ("reservation.invalid", "record.repeated")
    assert reserved(desk, good, foreign, no_mode, again) == ["requested", "requested"]
    letter = next(one for one in desk.letters() if one["position"] == 3)
    refused = desk.platform.post(f"/v1/dead-letters/{letter['id']}/replay")
    assert (refused.status_code, len(desk.letters(state="open"))) == (422, 4)
    right = {"record": no_mode | {"mode": "cross_redemption"}}
    taken = desk.platform.post(f"/v1/dead-letters/{letter['id']}/replay", json=right)
    assert (taken.status_code, taken.get_json()["state"]) == (200, "taken")
    stored = desk.platform.get(f"/v1/reservations/{taken.get_json()['reservation_id']}").get_json()
    assert (stored["external_id"], stored["state"]) == (no_mode["external_id"], "requested")


def test_another_tenants_external_id_is_a_dead_letter_and_the_others_go_in(desks: Desks) -> None:
    elsewhere = desks.open("delta", "jiashan", "reservations")
    there = intended(tenant="jiashan")
    there["enterprise"] |= {"division": "330421"}
    elsewhere.outlet.put(there)
    assert elsewhere.ask()["stored"] == 1, elsewhere.letters()
    desk, good = desks.open("delta", "wujiang", "reservations"), intended()
    desk.outlet.put(intended(external_id=there["external_id"]), good)
    state = desk.ask()
    assert (state["stored"], state["refused"]) == (1, 1)
    assert [one["code"] for one in desk.letters()] == ["reservation.content_differs"]
    assert reserved(desk, good) == ["requested"]


def test_an_outlet_speaks_for_no_other_tenant(desks: Desks) -> None:
    desk = desks.open("delta", "wujiang")
    desk.outlet.put(claim(WUJIANG, on=ON) | {"tenant": "qingpu"}, claim(SHANXI, on=ON))
    assert (desk.ask()["stored"], [one["code"] for one in desk.letters()]) == (0, ["claim.invalid"] * 2)


def test_a_breaker_opens_after_five_failures_tries_once_and_closes(desks: Desks) -> None:
    desk = desks.open()
    desk.outlet.put(claim(on=ON))
    desk.outlet.always = Manner.ERROR
    due = desk.due()
    for failures in range(1, 6):
        desk.puller.ask(due)
        state = desk.state()
        assert (state["failures"], state["state"]) == (failures, "open" if failures == 5 else "failing")
        if failures < 5:
            assert desk.puller.round() == 0  # it waits
            desk.door.clock.move_to(desk.door.clock.now() + QUICK.longest_wait)
            service = desk.door.service
            [due] = run(service.engine, desk.puller._everyone(), service.machine, desk.puller._lease)
    asked = len(desk.outlet.asked)
    desk.door.clock.move_to(desk.door.clock.now() + QUICK.first_pause / 2 - timedelta(seconds=1))
    assert (desk.puller.round(), len(desk.outlet.asked)) == (0, asked)
    desk.door.clock.move_to(desk.door.clock.now() + QUICK.first_pause)
    desk.outlet.always = Manner.WELL
    assert desk.puller.round() == 1
    state = desk.state()
    assert (len(desk.outlet.asked), state["state"], state["stored"]) == (asked + 1, "live", 1)
    desk.door.clock.move_to(desk.door.clock.now() + timedelta(seconds=59))
    assert desk.puller.round() == 0
    desk.door.clock.move_to(desk.door.clock.now() + timedelta(seconds=1))
    assert desk.puller.round() == 1


def test_waits_double_within_their_bounds_and_differ() -> None:
    pace = Pace()
    whole = [pace.wait_after(failures, WHOLE) for failures in range(1, 12)]
    assert [one.total_seconds() for one in whole] == [5, 10, 20, 40, 300, 600, 1200, 2400, 3600, 3600, 3600]
    assert [pace.wait_after(failures, 0) * 2 for failures in range(1, 12)] == whole
    assert [pace.state_of(one) for one in (0, 1, 4, 5)] == [State.LIVE, State.FAILING, State.FAILING, State.OPEN]


def test_a_wrong_token_opens_the_breaker_and_a_right_one_closes_it(desks: Desks) -> None:
    desk = desks.open()
    desk.outlet.put(claim(on=ON))
    desk.outlet.token = "another-token-altogether"
    assert (desk.ask()["state"], desk.state()["last_error"]["code"]) == ("open", "pull.refused")
    new = desk.platform.post(f"/v1/pull-sources/{desk.source_id}/token", json={"token": desk.outlet.token})
    assert new.status_code == 200
    assert "token" not in json.dumps(new.get_json())
    assert desk.ask()["stored"] == 1


def test_a_revoked_client_pulls_nothing_more(desks: Desks) -> None:
    desk = desks.open()
    desk.outlet.put(claim(on=ON))
    due = desk.due()
    desk.door.fire(desk.platform)
    desk.puller.ask(due)
    other = desk.door.platform()
    state = other.get(f"/v1/pull-sources/{desk.source_id}").get_json()
    assert (state["state"], state["last_error"]["code"], state["stored"]) == ("open", "pull.client", 0)
    desk.platform = other


@pytest.mark.parametrize(
    "url",
    [
        "http://outlet.example/pull",
        "https://10.0.0.1/pull",
        "https://169.254.169.254/latest",
        "https://[::1]/pull",
        "https://user:word@outlet.example/pull",
        "https://localhost.localdomain:22/pull",
    ],
)
def test_no_outlet_lies_inside_a_network(door: Door, url: str) -> None:
    body = {"tenant": "jiangsu", "url": url, "token": TOKEN}
    refused = door.platform().post("/v1/pull-sources", json=body)
    assert refused.status_code == 422
    assert refused.get_json()["errors"][0]["code"] == "webhook.url_refused"


def test_people_see_how_it_stands_and_try_again_but_never_see_or_write_a_record(desks: Desks) -> None:
    desk = desks.open()
    wrong = claim(on=ON) | {"scheme": "nothing"}
    desk.outlet.put(wrong)
    desk.ask()
    person = desk.door.hire("clearing:operate", tenants=("jiangsu",))
    found = [one for page in pages(person, "/v1/pull-sources?limit=50") for one in page]
    assert desk.source_id in {one["id"] for one in found}
    [letter] = desk.letters()
    assert "record" not in person.get(f"/v1/dead-letters/{letter['id']}").get_json()
    right = {"record": wrong | {"scheme": "provincial"}}
    assert person.post(f"/v1/dead-letters/{letter['id']}/replay", json=right).status_code == 422
    stranger = desk.door.platform("shanxi-inno", ("jiangsu",))
    assert stranger.get(f"/v1/dead-letters/{letter['id']}").status_code == 404
    assert stranger.get("/v1/pull-sources").get_json()["items"] == []


NEXT = "insert into pull_page select tenant, source_id, seq + 1, {}, {}, 0, 0, 0, 0, stored_at from pull_page"


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        (NEXT.format("'9'", "'4'"), "does not begin where"),
        (NEXT.format("'2'", "'2'"), "pull_page_check"),
        (NEXT.replace("seq + 1", "seq + 2").format("'2'", "'4'"), "does not begin where"),
        ("update pull_page set cursor_after = '0'", "append-only"),
        ("delete from pull_page", "append-only"),
        ("update dead_letter set record_sealed = 'x'", "never changes"),
        ("delete from dead_letter", "never deleted"),
        ("update pull_progress set source_id = uuidv7()", "never changes"),
    ],
)
def test_the_database_keeps_pages_in_order_and_letters_as_they_came(
    desks: Desks, owner: Engine, change: str, refusal: str
) -> None:
    desk = desks.open()
    desk.outlet.put(claim(on=ON), {"bad": 1})
    desk.ask()
    with pytest.raises(DBAPIError, match=refusal):
        _change(owner, f"{change} where source_id = %s", desk.source_id)


def _change(owner: Engine, statement: str, source_id: str) -> None:
    with owner.begin() as connection:
        connection.exec_driver_sql("select bind_scope('jiangsu', null)")
        connection.exec_driver_sql(statement, (source_id,))
