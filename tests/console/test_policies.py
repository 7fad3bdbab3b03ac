"""A policy version's way through the console: drafted by one person, rehearsed, submitted, decided by another."""

import csv
import io
import json
import re
from html import unescape
from typing import Any, Final

import openpyxl
import pytest

from clearing.console import rehearsal
from tests.console.world import Visitor, World, hidden_fields, plain

SCHEME: Final = "/console/policies/jiangsu/provincial"
DRAFT: Final = f"{SCHEME}/draft"
RATE: Final = "value:/zones/0/rate"
CITE: Final = "苏科规范〔2029〕9号 第三条"


def typed(page: str) -> dict[str, str]:
    """What the draft's form holds, as a browser sends it."""
    found = {
        name: unescape(value)
        for name, value in re.findall(r'<input name="((?:value|cite):[^"]+)" value="([^"]*)"', page)
    }
    text = re.search(r"<textarea id=\"document\"[^>]*>\n(.*?)</textarea>", page, re.DOTALL)
    assert text
    return {**hidden_fields(page, DRAFT), **found, "document": unescape(text[1])}


def sent(visitor: Visitor, form: dict[str, Any], act: str = "save") -> tuple[int, str]:
    answer = visitor.browser.post(DRAFT, data={**form, "act": act}, content_type="multipart/form-data")
    return answer.status_code, answer.get_data(as_text=True)


def drafted(visitor: Visitor, on: str, rate: str = "0.30") -> str:
    """A draft of Jiangsu's with another rate for the north; its address."""
    form = typed(visitor.see(DRAFT)) | {"value:/effective": on, "cite:/effective": CITE, RATE: rate}
    status, page = sent(visitor, form)
    assert status == 303, plain(page)
    return f"{SCHEME}/{on}"


def stored(world: World, on: str) -> dict[str, Any]:
    path = f"/v1/tenants/jiangsu/schemes/provincial/policies/jiangsu%2Fprovincial%2F{on}"
    return dict(world.story.call("auditor", "GET", path).get_json())


def test_what_the_form_changes_stands_in_the_document_and_nothing_else_does(world: World) -> None:
    visitor = world.visitor("tenant-admin")
    form = typed(visitor.see(DRAFT))
    before = form["document"].splitlines()
    form |= {RATE: "0.30", "cite:/zones/0/rate": CITE, "value:/provider/direct_kinds": "university、institute"}
    status, page = sent(visitor, form, "check")
    assert status == 200, plain(page)
    assert "检查通过，尚未保存" in page
    after = typed(page)["document"].splitlines()
    changed = [new for old, new in zip(before, after, strict=True) if old != new]
    assert changed == [
        f'rate = {{ value = "0.30", cite = "{CITE}" }}',
        next(line for line in after if line.startswith('direct_kinds = { value = ["university", "institute"], cite')),
    ]
    assert "支持比例由35%改为30%" in plain(page)
    assert typed(page)[f"was-{RATE}"] == "0.30"


def test_a_fault_stands_at_its_line_and_nothing_typed_is_lost(world: World) -> None:
    visitor = world.visitor("tenant-admin")
    form = typed(visitor.see(DRAFT)) | {RATE: "1.30", "reason": "写了很久的说明"}
    status, page = sent(visitor, form)
    assert status == 422
    number = 1 + form["document"].splitlines().index(next(x for x in form["document"].splitlines() if "0.35" in x))
    assert f'data-line="{number}">第 {number} 行' in page
    assert "写了很久的说明" in page
    assert typed(page)[RATE] == "1.30"
    assert re.search(r'name="value:/zones/0/rate" value="1.30"[^>]*aria-invalid', page)
    broken = form | {"document": "tenant = \n" + form["document"], RATE: "0.35"}
    status, page = sent(visitor, broken)
    assert (status, 'data-line="1"' in page) == (422, True)
    assert typed(page)["document"].startswith("tenant = \n")
    for bad in ("\x01", "a" * 300_000):
        status, page = sent(visitor, {**form, RATE: "0.35", "document": form["document"] + f"# {bad}\n"})
        assert status in {400, 413, 422}, plain(page)


def test_an_uploaded_file_takes_the_place_of_the_text_and_a_foreign_one_is_refused(world: World) -> None:
    visitor = world.visitor("tenant-admin")
    form = typed(visitor.see(DRAFT))
    text = form["document"].replace('"0.35"', '"0.31"')
    status, page = sent(visitor, {**form, "file": (io.BytesIO(text.encode("utf-8-sig")), "x.toml")}, "check")
    assert status == 200, plain(page)
    assert typed(page)["document"] == text
    for content in ("政策".encode("gb18030"), b"PK\x03\x04\xff\xfe", b"x" * 300_000):
        status, page = sent(visitor, {**form, "file": (io.BytesIO(content), "x.xlsx")})
        assert status in {413, 422}, plain(page)
        assert typed(page)["document"] == form["document"], "what was typed is still there"


def test_a_draft_that_another_rewrote_is_not_overwritten(world: World) -> None:
    visitor = world.visitor("tenant-admin")
    place = drafted(visitor, "2031-01-01")
    old = typed(visitor.see(f"{place}/draft"))
    assert sent(visitor, old | {RATE: "0.28"})[0] == 303
    status, page = sent(visitor, old | {RATE: "0.29"})
    assert (status, "他人在您打开之后改写了它" in page, typed(page)[RATE]) == (412, True, "0.29")
    assert '"0.28"' in stored(world, "2031-01-01")["document"]
    status, page = sent(visitor, typed(visitor.see(DRAFT)) | {"value:/effective": "2031-01-01"})
    assert status == 412, "a new draft does not take the place of one that is there"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_version_is_compared_rehearsed_submitted_and_decided_by_another(world: World, language: str) -> None:
    on = {"zh": "2032-01-01", "en": "2033-01-01"}[language]
    author, approver = world.visitor("tenant-admin"), world.visitor("policy-approver")
    for visitor in (author, approver):
        visitor.browser.get(f"/console/language/{language}")
    place = drafted(author, on)
    words = plain(author.see(f"{place}/differences?against=jiangsu/provincial/2024-01-01"))
    assert {"zh": "支持比例由35%改为30%", "en": "support rate changes from 35% to 30%"}[language] in words
    found = plain(author.send(f"{place}/rehearsal", f"{place}/rehearsal").get_data(as_text=True))
    assert {"zh": "按分区：当时与按本版本", "en": "Zone: as assessed, and by this version"}[language] in found
    assert author.send(place, f"{place}/submit").status_code == 303
    assert author.browser.post(f"{place}/submit", data=hidden_fields(author.see(DRAFT), DRAFT)).status_code in {
        409,
        412,
    }
    assert "/approve" not in author.see(place)
    wrong = approver.send(place, f"{place}/approve", password="no", code="123456")
    assert (wrong.status_code, stored(world, on)["state"]) == (403, "submitted")
    assert approver.send(place, f"{place}/reject", reason=" ").status_code == 422
    if language == "zh":
        assert approver.send(place, f"{place}/reject", reason="比例无文号").status_code == 303
        assert "比例无文号" in author.see(place)
        return
    assert approver.send(place, f"{place}/approve", content_sha256="0" * 64, **approver.proof()).status_code == 412
    assert approver.send(place, f"{place}/approve", **approver.proof()).status_code == 303
    assert (stored(world, on)["state"], stored(world, on)["approver"]) == ("approved", "p-policy-approver")
    assert f"{place}/draft" not in author.see(place)


def test_who_both_drafts_and_approves_does_not_decide_his_own(world: World) -> None:
    both = world.visitor(world.invite("both-hands", "tenant_admin", "policy_approver"))
    place = drafted(both, "2034-01-01")
    assert both.send(place, f"{place}/submit").status_code == 303
    assert "须由另一位审批人决定" in both.see(place)
    form = {"form_token": hidden_fields(both.see("/console"), "/console/sign-out")["form_token"]}
    digest = stored(world, "2034-01-01")["content_sha256"]
    assert (
        both.browser.post(f"{place}/approve", data=form | {"content_sha256": digest, **both.proof()}).status_code == 403
    )
    assert stored(world, "2034-01-01")["state"] == "submitted"


def test_a_rehearsal_says_how_far_it_is_and_ends_in_the_same_page(world: World) -> None:
    visitor = world.visitor("tenant-admin")
    place = drafted(visitor, "2035-01-01")
    page = f"{place}/rehearsal"
    form = hidden_fields(visitor.see(page), page)
    answer = visitor.browser.post(page, data=form, headers={"Accept": "application/x-ndjson"})
    lines = [json.loads(line) for line in answer.get_data(as_text=True).splitlines()]
    assert lines[-2]["done"] == lines[-2]["of"] > 10
    whole = visitor.send(page, page).get_data(as_text=True)
    assert lines[-1]["html"].strip() in whole
    figures = [json.loads(unescape(each)) for each in re.findall(r'data-figure="([^"]+)"', lines[-1]["html"])]
    assert [len(figure["data"]) for figure in figures] == [2, 2, 2]
    assert all(isinstance(amount, str) for figure in figures for bar in figure["data"] for amount in bar["y"])
    wrong = visitor.browser.post(
        page, data=form | {"submitted_from": "soon"}, headers={"Accept": "application/x-ndjson"}
    )
    assert wrong.status_code == 422
    assert visitor.send(page, page, submitted_from="2090-01-01").get_data(as_text=True).count("没有可以预演的申请") == 1


def test_every_changed_claim_of_a_rehearsal_is_in_the_file_in_the_order_of_the_page(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rehearsal, "CHANGED_SHOWN", 2)
    monkeypatch.setattr(rehearsal, "AT_ONCE", 1)
    visitor = world.visitor("tenant-admin")
    page = f"{drafted(visitor, '2037-01-01')}/rehearsal"
    shown = visitor.send(page, page).get_data(as_text=True)
    [count] = re.findall(r"共 (\d+) 笔 · 下面是最早的 2 笔", plain(shown))
    assert int(count) > 2
    version = "/v1/tenants/jiangsu/schemes/provincial/policies/2037-01-01"
    whole = world.story.call("administrator", "POST", f"{version}/simulate", {"limit": 500}).get_json()
    [address] = re.findall(r'href="([^"]+export\.csv[^"]*)"', shown)
    answer = visitor.browser.get(unescape(address))
    rows = list(csv.reader(io.StringIO(answer.get_data().decode("utf-8-sig"))))[1:]
    assert [row[0] for row in rows[: int(count)]] == [one["claim_no"] for one in whole["changed_claims"]]
    assert re.findall(r">(CL-JS-[0-9-]+)<", shown) == [row[0] for row in rows[:2]]
    assert rows[int(count)] == ["条数", count]
    assert rows[-1][1] == whole["award"]["difference"]
    with visitor.browser.get(unescape(address).replace(".csv", ".xlsx")) as file:
        sheet = openpyxl.load_workbook(io.BytesIO(file.get_data())).worksheets[0]
    assert sheet.max_row == int(count) + 1
    assert visitor.browser.get(f"{page}/export.csv?submitted_from=soon").status_code == 422
    assert visitor.browser.get(page.replace("2037", "2099") + "/export.csv").status_code == 404


def test_a_stranger_sees_no_draft_and_a_reader_only_what_is_approved(world: World) -> None:
    place = drafted(world.visitor("tenant-admin"), "2036-01-01")
    assert "2036-01-01" not in world.visitor("finance-maker").see("/console/policies")
    for login in ("finance-maker", "stranger"):
        for page in (place, f"{place}/differences"):
            assert world.visitor(login).browser.get(page).status_code == 404
    assert "2036-01-01" in world.visitor("auditor").see("/console/policies")
