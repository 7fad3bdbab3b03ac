"""Platforms' own forms over HTTP: taken in like canonical claims, refused with places in the form."""

from datetime import date
from itertools import count
from typing import Any

import pytest

from connectors.client import Caller, CallError, ClientSecret, Platform
from tenants.principal import PLATFORM_SCOPES
from tests.connectors.forms import filled
from tests.intake.bodies import JIANGSU, SHANXI, WUJIANG, Programme, claim
from tests.scenarios.callers import Callers
from tests.service.running import Api

ON = date(2024, 9, 27)
_ORDERS = count(7000)


def platform_of(callers: Callers, code: str, *tenants: str) -> Platform:
    api: Api = callers.platform(code, *tenants, scopes=PLATFORM_SCOPES)
    assert api.client_id is not None
    return Platform(Caller(callers.address, ClientSecret(api.client_id, api.client_secret)))


def form_for(platform: str, programme: Programme) -> dict[str, Any]:
    body = claim(programme, on=ON)
    if platform == "jssic":
        body["external_id"] = f"CXQ20240927{next(_ORDERS)}"
    return filled(platform, body)


@pytest.mark.parametrize(
    ("platform", "programme", "tenant", "state"),
    [
        ("jssic", JIANGSU, "jiangsu", "in_review"),
        ("delta", WUJIANG, "wujiang", "in_review"),
        ("shanxi-inno", SHANXI, "shanxi-hainan", "in_review"),
    ],
)
def test_a_platforms_form_becomes_its_claim(
    callers: Callers, platform: str, programme: Programme, tenant: str, state: str
) -> None:
    sender, form = platform_of(callers, platform, tenant), form_for(platform, programme)
    answer = sender.submit_form(form)
    assert (answer.tenant, answer.state, answer.revision) == (tenant, state, 1)
    assert sender.submit_form(form).id == answer.id
    told = sender.caller.get("/v1/forms")["items"]
    assert {one["makes"] for one in told} >= {"claim"}
    assert all(field["source"] for one in told for field in one["fields"])


def test_a_faulty_form_is_refused_with_places_in_the_form(callers: Callers) -> None:
    sender, form = platform_of(callers, "jssic", "jiangsu"), form_for("jssic", JIANGSU)
    form["发票"][0]["发票金额"] = "一万元"
    form["企业"]["所属企业类型"] = "上市公司"
    with pytest.raises(CallError) as refused:
        sender.submit_form(form)
    problem = refused.value.problem
    assert problem is not None
    assert {(one.pointer, one.code) for one in problem.errors} >= {
        ("/发票/0/发票金额", "money.malformed"),
        ("/企业/所属企业类型", "label.unknown"),
    }
    assert sender.find(form["订单编号"]) is None


def test_forms_in_bulk_are_answered_by_the_line(callers: Callers) -> None:
    sender = platform_of(callers, "jssic", "jiangsu")
    forms = [form_for("jssic", JIANGSU) for _ in range(4)]
    del forms[2]["合同"]["合同金额"]
    answers = list(sender.submit_all_forms(forms))
    assert [one.status for one in answers] == [201, 201, 422, 201]
    problem = answers[2].problem
    assert problem is not None
    assert [one.pointer for one in problem.errors] == ["/合同/合同金额"]


def test_an_intended_contract_reserves_quota_and_a_local_payment_blocks_its_invoice(callers: Callers) -> None:
    sender, local = platform_of(callers, "delta", "wujiang"), platform_of(callers, "wujiang-local", "wujiang")
    form = form_for("delta", WUJIANG)
    intended = {
        "意向编号": f"YX{next(_ORDERS)}",
        "提交时间": "2024-09-27 10:00:00",
        **{name: form[name] for name in ("试点区域", "兑付模式", "企业", "服务机构")},
        "意向合同": {name: value for name, value in form["合同"].items() if name != "合同文件"},
    }
    reserved = sender.reserve_by_form(intended)
    assert (reserved["state"], reserved["tenant"]) == ("requested", "wujiang")
    paid = {
        "兑付编号": f"WJ{next(_ORDERS)}",
        "企业统一社会信用代码": form["企业"]["统一社会信用代码"],
        "兑付日期": "2024-09-20",
        "发票": [{"发票号码": form["发票"][0]["发票号码"]}],
    }
    assert local.register_support_form(paid).keys == 1
    refused = sender.submit_form(form)
    assert refused.state == "rejected"
    assert "duplicate.cross_scheme" in {finding.rule for finding in refused.findings}


def test_a_platform_without_such_a_form_and_who_is_no_platform_are_told_so(callers: Callers) -> None:
    with pytest.raises(CallError, match="404"):
        platform_of(callers, "jssic", "jiangsu").reserve_by_form({})
    staff = callers.person("孙某", "claims:write")
    assert staff.post("/v1/forms/claims", {}).code == "platform.missing"
