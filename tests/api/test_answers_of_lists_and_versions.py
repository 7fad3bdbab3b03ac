"""Lists by pages, single resources by version, and problems in two languages with the place of each fault."""

import json
from typing import Any
from uuid import uuid4

import pytest

from tests.api.door import Door, code, pages
from tests.intake.bodies import buyer, claim


def test_pages_of_any_size_give_each_claim_once_in_the_same_order(door: Door) -> None:
    caller, enterprise = door.platform(), buyer()
    made = [caller.post("/v1/claims", json=claim(by=enterprise)).get_json()["id"] for _ in range(7)]
    path = f"/v1/claims?enterprise={enterprise.uscc}"
    for limit in (1, 2, 3, 6, 7, 8, 500):
        seen = list(pages(caller, f"{path}&limit={limit}"))
        assert [item["id"] for page in seen for item in page] == made
        assert all(len(page) == limit for page in seen[:-1])
        assert seen[-1]


def test_a_claim_that_comes_while_someone_pages_is_seen_once_at_the_end(door: Door) -> None:
    caller, enterprise = door.platform(), buyer()
    path = f"/v1/claims?enterprise={enterprise.uscc}&limit=2"
    made = [caller.post("/v1/claims", json=claim(by=enterprise)).get_json()["id"] for _ in range(3)]
    reading = pages(caller, path)
    first = next(reading)
    made.append(caller.post("/v1/claims", json=claim(by=enterprise)).get_json()["id"])
    rest = [item for page in reading for item in page]
    assert [item["id"] for item in first + rest] == made


LIMITS = ("0", "501", "-1", "", "x", "1e2", "1.0", "５", " 1", "1_0", "+1", "9" * 5000)


@pytest.mark.parametrize("limit", LIMITS)
def test_a_faulty_limit_is_refused_by_name(door: Door, limit: str) -> None:
    answer = door.platform().get("/v1/claims", query_string={"limit": limit})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.get_json()["errors"]] == ["/limit"]


@pytest.mark.parametrize("path", ["/v1/claims", "/v1/reservations", "/v1/tenants/jiangsu/batches"])
@pytest.mark.parametrize("cursor", ["", "AAAA", "!!", "x", "5Zyw", "MTIz", "=", "a" * 3000, "0' or 1=1"])
def test_a_cursor_that_is_not_ours_is_refused_by_name(door: Door, path: str, cursor: str) -> None:
    caller = door.hire("claims:read", "batches:write", platform="jssic")
    answer = caller.get(path, query_string={"cursor": cursor})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.get_json()["errors"]] == ["/cursor"]


def test_a_claim_unchanged_is_not_sent_again_and_changed_it_is(door: Door) -> None:
    caller = door.platform()
    stored = caller.post("/v1/claims", json=claim())
    path, etag = stored.headers["Location"], stored.headers["ETag"]
    assert caller.get(path).headers["ETag"] == etag
    for match in (etag, f'"other", {etag}', f"W/{etag}", "*"):
        unchanged = caller.get(path, headers={"If-None-Match": match})
        assert (unchanged.status_code, unchanged.data, unchanged.headers["ETag"]) == (304, b"", etag)
    assert caller.get(path, headers={"If-None-Match": '"other"'}).status_code == 200
    caller.post(f"{path}/withdraw", json={"reason": "误报"})
    assert caller.get(path, headers={"If-None-Match": etag}).get_json()["state"] == "withdrawn"


@pytest.mark.parametrize("match", ['"1-0-in_review"', 'W/"x"', '"a", "b"'])
def test_an_edit_of_what_changed_meanwhile_is_refused_and_without_effect(door: Door, match: str) -> None:
    caller = door.platform()
    path = caller.post("/v1/claims", json=claim()).headers["Location"]
    answer = caller.post(f"{path}/withdraw", headers={"If-Match": match})
    assert code(answer) == (412, "claim.changed")
    assert caller.get(path).get_json()["state"] == "in_review"


@pytest.mark.parametrize("match", ["{etag}", '"x", {etag}', "*", None])
def test_an_edit_of_what_the_caller_read_is_done(door: Door, match: str | None) -> None:
    caller = door.platform()
    stored = caller.post("/v1/claims", json=claim())
    headers = {} if match is None else {"If-Match": match.format(etag=stored.headers["ETag"])}
    answer = caller.post(f"{stored.headers['Location']}/withdraw", headers=headers)
    assert (answer.status_code, answer.get_json()["state"]) == (200, "withdrawn")
    assert answer.headers["ETag"] != stored.headers["ETag"]


ENGLISH = ("en", "en-US", "EN-gb", "en-US,en;q=0.9,zh;q=0.8", "fr,en;q=0.1", "zh;q=0.1,en;q=0.2", "de, en")
CHINESE = (
    "", "zh", "zh-CN", "zh-TW,en;q=0.5", "zh-Hans-CN, en;q=0.9", "fr", "*", "en;q=0", "zh,en", "english", "zh-CN;q=x",
    "x" * 3000, ";;,,",
)  # fmt: skip


@pytest.mark.parametrize(("wanted", "english"), [(one, True) for one in ENGLISH] + [(one, False) for one in CHINESE])
def test_a_problem_speaks_chinese_unless_english_is_preferred(door: Door, wanted: str, *, english: bool) -> None:
    answer = door.app.test_client().get("/v1/claims", headers={"Accept-Language": wanted})
    body = answer.get_json()
    assert answer.content_type == "application/problem+json"
    assert body["title"] == ("Not authenticated" if english else "未认证")
    assert body["detail"].isascii() is english
    assert set(body) == {"type", "title", "status", "code", "detail"}
    assert (body["type"], body["status"]) == ("/problems/token.missing", 401)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("DELETE", "/v1/claims", 405), ("GET", "/v1/claims/not-a-uuid", 404), ("PUT", "/", 404)],
)
def test_what_the_framework_refuses_is_a_problem_too(door: Door, method: str, path: str, status: int) -> None:
    for language in ("zh", "en"):
        answer = door.hire("claims:read").call(method, path, headers={"Accept-Language": language})
        assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
        assert answer.get_json()["status"] == status
        assert answer.get_json()["title"].isascii() is (language == "en")


def test_every_fault_is_named_with_its_place(door: Door) -> None:
    body = claim(unknown=1)
    body["contract"]["amount"] = 10000.5
    del body["enterprise"]["uscc"]
    body["invoices"][0]["amount"] = "１２.００"
    body["services"].append({**body["services"][0], "completed_on": "2024-02-30"})
    body["a/b~c"] = 1
    refused = door.platform().post("/v1/claims", json=body)
    assert (code(refused), refused.get_json()["errors"][0]["pointer"]) == ((400, "json.fraction"), "/contract/amount")
    body["contract"]["amount"] = "10000.50"
    pointers = {error["pointer"] for error in door.platform().post("/v1/claims", json=body).get_json()["errors"]}
    assert pointers == {"/unknown", "/a~1b~0c", "/enterprise/uscc", "/invoices/0/amount", "/services/1/completed_on"}


def test_a_fault_of_ours_tells_nothing_of_the_inside(door: Door) -> None:
    def fail(_: Any) -> Any:
        raise RuntimeError(f"secret of {door.service.settings.database_url}")

    door.offer("/fail", fail)
    answer = door.hire("claims:read").post("/fail", headers={"X-Request-Id": "r-1"})
    text = answer.get_data(as_text=True)
    assert code(answer) == (500, "internal")
    assert "r-1" in text
    for secret in ("secret", "RuntimeError", "postgresql", "Traceback", ".py"):
        assert secret not in text


def test_a_database_fault_tells_nothing_of_the_database(door: Door) -> None:
    def fail(work: Any) -> Any:
        work.connection.exec_driver_sql("insert into tenant (tenant) values ('jiangsu')")

    door.offer("/fail", fail)
    answer = door.hire("claims:read").post("/fail")
    assert answer.status_code == 500
    for word in ("tenant", "insert", "null value", "constraint", "psycopg"):
        assert word not in json.dumps(answer.get_json(), ensure_ascii=False).replace("/problems/", "")


YEARS = ("-1", "0", "1999", "2101", "9999999999", "9" * 400, "2024.0", "x", "", "２０２４", "2_024", " 2024")


@pytest.mark.parametrize("year", YEARS)
def test_a_quota_of_an_impossible_year_is_refused_by_name(door: Door, year: str) -> None:
    query = {"tenant": "jiangsu", "scheme": "provincial", "enterprise": buyer().uscc, "year": year}
    answer = door.hire("claims:read").get("/v1/quotas", query_string=query)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.get_json()["errors"]] == ["/year"]


def test_a_quota_shows_what_a_claim_took_and_a_foreign_tenant_shows_nothing(door: Door) -> None:
    caller, body = door.platform(), claim()
    stored = caller.post("/v1/claims", json=body).get_json()
    query = {"tenant": "jiangsu", "scheme": "provincial", "enterprise": body["enterprise"]["uscc"], "year": "2024"}
    shown = caller.get("/v1/quotas", query_string=query).get_json()
    assert (shown["cap"], shown["reserved"], shown["used"]) == ("100000.00", stored["assessment"]["award"], "0.00")
    assert shown["left"] == "97500.00"
    stranger = door.hire("claims:read", tenants=("wujiang",))
    foreign = stranger.get("/v1/quotas", query_string=query).get_json()
    assert (foreign["cap"], foreign["reserved"], foreign["used"]) == (None, "0.00", "0.00")


REGIONS: list[tuple[Any, list[str]]] = [
    ([], [""]),
    ({"regions": []}, ["/regions"]),
    ({"regions": None}, ["/regions"]),
    ({"regions": {"3203": ["tech_sme"]}}, ["/regions/3203"]),
    ({"regions": {"３２０３００": ["tech_sme"]}}, ["/regions/３２０３００"]),
    ({"regions": {"320300": []}}, ["/regions/320300"]),
    ({"regions": {"320300": "tech_sme"}}, ["/regions/320300"]),
    ({"regions": {"320300": ["tech_sme", 1]}}, ["/regions/320300"]),
    ({"regions": {"320300": ["Tech"]}}, ["/regions/320300"]),
    ({"a/b": ["tech_sme"]}, ["/a~1b"]),
    ({"regions": {}, "more": 1}, ["/more"]),
]


@pytest.mark.parametrize(("body", "pointers"), REGIONS)
def test_faulty_linked_regions_are_refused_each_with_its_place(door: Door, body: Any, pointers: list[str]) -> None:
    caller = door.hire("policies:write", "claims:read")
    answer = caller.put("/v1/tenants/wujiang/linked-regions/2040", json=body)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.get_json()["errors"]] == pointers
    assert caller.get("/v1/tenants/wujiang/linked-regions/2040").get_json()["regions"] == {}


def test_linked_regions_are_replaced_whole_and_may_be_none(door: Door) -> None:
    caller, other = door.hire("policies:write"), door.hire("policies:approve", "claims:read")
    path = "/v1/tenants/wujiang/linked-regions/2041"
    bodies: list[Any] = [{"320300": ["b", "a", "a"]}, {"regions": {"320400": ["x"]}}, {"regions": {}}]
    stands: Any = {}
    for number, body in enumerate(bodies, 1):
        shown = caller.put(path, json=body).get_json()
        wanted = {division: sorted(set(types)) for division, types in body.get("regions", body).items()}
        assert (shown["regions"], shown["proposed"]["regions"]) == (stands, wanted)
        decided = other.post(f"{path}/decision", json={"version": number, "outcome": "approve"}).get_json()
        assert (decided["version"], decided["regions"], decided["proposed"]) == (number, wanted, None)
        assert other.get(path).get_json() == decided
        stands = wanted


def test_who_proposed_linked_regions_does_not_approve_them(door: Door) -> None:
    both, other = door.hire("policies:write", "policies:approve"), door.hire("policies:approve", "policies:write")
    path = "/v1/tenants/wujiang/linked-regions/2042"
    both.put(path, json={"320300": ["a"]})
    own = both.post(f"{path}/decision", json={"version": 1, "outcome": "approve"})
    assert (own.status_code, own.get_json()["code"]) == (403, "linked_regions.four_eyes")
    other.put(path, json={"320300": ["b"]})
    for version in (1, 3):  # superseded, and not there
        stale = both.post(f"{path}/decision", json={"version": version, "outcome": "approve"})
        assert (stale.status_code, stale.get_json()["code"]) == (409, "linked_regions.state")
    unsaid = both.post(f"{path}/decision", json={"version": 2, "outcome": "reject"})
    assert [error["pointer"] for error in unsaid.get_json()["errors"]] == ["/reason"]
    rejected = both.post(f"{path}/decision", json={"version": 2, "outcome": "reject", "reason": "文号不符"}).get_json()
    assert (rejected["version"], rejected["regions"], rejected["proposed"]) == (None, {}, None)
    again = both.post(f"{path}/decision", json={"version": 2, "outcome": "approve"})
    assert again.status_code == 409


@pytest.mark.parametrize("version", ["2024-01-01", "jiangsu/provincial/2024-01-01"])
def test_a_policy_version_is_found_by_its_short_and_its_whole_name(door: Door, version: str) -> None:
    caller = door.hire("claims:read")
    path = "/v1/tenants/jiangsu/schemes/provincial/policies"
    shown = caller.get(f"{path}/{version}").get_json()
    assert shown["version"] == "jiangsu/provincial/2024-01-01"
    assert shown["document"]
    [listed] = caller.get(path).get_json()["items"]
    assert listed == {name: value for name, value in shown.items() if name != "document"}
    assert caller.get(f"{path}/{uuid4()}").status_code == 404
    assert caller.get("/v1/tenants/jiangsu/schemes/nothing/policies").get_json()["items"] == []
