"""Linkages over HTTP: the linked tenant proposes with its own token, the province decides with its own."""

from typing import Any

from tests.scenarios.callers import Callers

BODY: dict[str, Any] = {
    "province": "jiangsu", "year": 2090, "division": "320509", "types": ["tech_sme"], "provincial_to_local": "2:3",
    "cap": "150000.00", "from_on": "2090-01-01", "cite": "吴科〔2090〕1号",
}  # fmt: skip


def test_a_linked_tenant_proposes_and_the_province_approves(callers: Callers) -> None:
    scopes = ("policies:write", "policies:approve")
    wujiang = callers.person("吴江管理员", *scopes, tenants=("wujiang",))
    jiangsu = callers.person("省中心", *scopes, tenants=("jiangsu",))
    refused = jiangsu.post("/v1/tenants/jiangsu/linkages", BODY)
    assert (refused.status, refused.code) == (409, "linkage.own_tenant"), refused.json
    faults = wujiang.post("/v1/tenants/wujiang/linkages", BODY | {"cap": "1e5", "division": "32", "types": []})
    assert (faults.status, {each["pointer"] for each in faults.json["errors"]}) == (
        422, {"/cap", "/division", "/types"},
    )  # fmt: skip
    made = wujiang.post("/v1/tenants/wujiang/linkages", BODY)
    assert (made.status, made.json["state"], made.json["linked_tenant"]) == (201, "proposed", "wujiang")
    path = f"linkages/{made.json['id']}"
    own = wujiang.post(f"/v1/tenants/wujiang/{path}/decision", {"outcome": "approve"})
    assert (own.status, wujiang.post(f"/v1/tenants/jiangsu/{path}/decision", {"outcome": "approve"}).status) == (
        404,
        404,
    )
    done = jiangsu.post(f"/v1/tenants/jiangsu/{path}/decision", {"outcome": "approve"})
    assert (done.status, done.json["state"], done.json["decided_by"]) == (200, "approved", "省中心")
    for caller, tenant in ((wujiang, "wujiang"), (jiangsu, "jiangsu")):
        listed = caller.get(f"/v1/tenants/{tenant}/linkages?year=2090&state=approved").json["items"]
        assert [each["id"] for each in listed] == [made.json["id"]]
