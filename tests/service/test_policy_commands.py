"""``clearing policy``: a version's whole way on the command line, its differences, its rehearsal, and recomputation."""

import json
from pathlib import Path

from tenants.policy_document import load_shipped
from tests.service.running import RunningService

PLACE = ("maanshan", "local")
DAY = "2031-01-01"


def document(rate: str) -> str:
    text = next(each.text for each in load_shipped() if each.policy.tenant == "maanshan")
    text = text.replace('scheme = "delta"', 'scheme = "local"').replace("2021-01-09", DAY)
    return text.replace('rate = { value = "unset"', f'rate = {{ value = "{rate}"')


def test_a_version_goes_its_way_by_commands_of_two_persons(service: RunningService, tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(document("1.50"), encoding="utf-8")
    refused = service.run("policy", "draft", *PLACE, str(file), "--person", "li", check=False)
    assert refused.returncode == 1
    assert "/document/zones/0/rate/value" in refused.stderr
    assert "Line " in refused.stderr
    file.write_text(document("0.40"), encoding="utf-8")
    drafted = json.loads(service.run("policy", "draft", *PLACE, str(file), "--person", "li").stdout)
    assert (drafted["state"], drafted["author"]) == ("draft", "li")
    service.run("policy", "submit", *PLACE, DAY, "--person", "li")
    own = service.run("policy", "approve", *PLACE, DAY, "--person", "li", check=False)
    assert own.returncode == 1
    assert "does not decide" in own.stderr
    reject = ("policy", "reject", *PLACE, DAY, "--reason", "比例有误")
    assert service.run(*reject, "--person", "li", check=False).returncode == 1
    assert json.loads(service.run(*reject, "--person", "wang").stdout)["state"] == "rejected"
    assert json.loads(service.run("policy", "draft", *PLACE, str(file), "--person", "li").stdout)["state"] == "draft"
    service.run("policy", "submit", *PLACE, DAY, "--person", "li")
    approved = json.loads(service.run("policy", "approve", *PLACE, DAY, "--person", "wang").stdout)
    assert (approved["state"], approved["approver"], approved["assessed_claims"]) == ("approved", "wang", 0)
    listed = json.loads(service.run("policy", "list", *PLACE, "--json").stdout)["items"]
    assert [item["version"] for item in listed] == [f"maanshan/local/{DAY}"]


def test_differences_rehearsal_and_recomputation_are_printed(service: RunningService, tmp_path: Path) -> None:
    told = service.run("policy", "diff", "maanshan", "delta", "2024-01-01-demonstration", "--against", "2021-01-09")
    assert "支持比例由未定改为30%" in told.stdout
    changed = tmp_path / "changed.ndjson"
    where = ("jiangsu", "provincial", "2024-01-01")
    report = service.run("policy", "simulate", *where, "--changed", str(changed), "--json").stdout
    assert json.loads(report)["changed"] == len(changed.read_text(encoding="utf-8").splitlines()) == 0
    assert "笔变化 changed" in service.run("policy", "simulate", *where, "--from", "2024-01-01").stdout
    found = json.loads(service.run("policy", "recompute", "jiangsu", "--json").stdout)
    assert found["differences"] == []
