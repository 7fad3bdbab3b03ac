"""The console's lists, found by the routes, in a world where there is something in each."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from clearing.receipts import issue_receipts
from tests.console.test_cases import alike, supported_elsewhere
from tests.console.test_clearing import owing
from tests.console.world import Visitor, World, approved
from tests.verification.platform_story import pull, register_webhooks

NO_LIST: Final = {
    "/console/": "home shows what waits, by its own tests",
    "/console/batches": "leads to the first region",
    "/console/agreements": "leads to the first region",
    "/console/registers": "leads to the first region",
    "/console/suspense": "leads to the first region",
    "/console/months": "leads to the first region",
    "/console/held": "leads to the first region",
    "/console/matching": "leads to the first region",
    "/console/accounts": "leads to the first region",
    "/console/months/<tenant>/<month>/differences.json": "a file, in test_month",
    "/console/audit": "leads to the first region",
    "/console/audit/<tenant>": "a chain, searched in windows from its end: counted by its own tests",
    "/console/batches/<tenant>/<uuid:batch_id>/<any(publish,seal,release,cancel,close):step>": "asks before a step",
    "/console/batches/<tenant>/<uuid:batch_id>/bank/statements/<uuid:statement_id>": "in test_bank, with a bank's file",
}
"""Screens that stand on an operation with pages and are no such list, each with the reason."""
NOT_OF_THE_PAGE: Final = {"suspense.get_resolutions"}
"""Operations with pages of which a screen shows the first few beside its list."""


@dataclass(frozen=True)
class Shelf:
    """One list: its screen's address and the path of the interface behind it, with the names of its filters."""

    address: str
    path: str
    filters: tuple[str, ...]


@contextmanager
def furnished_with(world: World) -> Iterator[dict[str, str]]:
    """Something in every list, and the ids that stand in addresses."""
    story = world.story
    approved(world, 2)
    batch = story.cut("jiangsu", "provincial")
    supported_elsewhere(world, world.one_in_review())
    alike(world)
    register_webhooks(story)
    pull(story, world.draft().body)
    for uscc in {world.draft().body["enterprise"]["uscc"] for _number in range(3)}:
        story.call("jssic", "PUT", f"/v1/enterprises/{uscc}/qualifications/jiangsu/2024", _high_tech())
    provider = world.draft().body["provider"]
    story.call(
        "administrator", "PUT", f"/v1/providers/{provider['uscc']}/admissions/jiangsu", _university(provider["name"])
    )
    for person in ("甲", "乙", "丙"):
        story.call("administrator", "POST", "/v1/tenants/jiangsu/districts", _bound(person))
    year = int(str(story.do(lambda work: work.at))[:4])
    for number in range(2):
        story.call("administrator", "POST", "/v1/tenants/jiangsu/linkages", _commitment(year + 1 + number))
    story.move(f"{story.do(lambda work: work.at).date() + timedelta(days=1)}T09:00:00+08:00")
    assert story.do(issue_receipts)
    with owing(world) as owed:
        endpoint = story.call("jssic", "GET", "/v1/webhooks").get_json()["items"][0]["id"]
        yield {
            "tenant": "jiangsu", "batch_id": str(batch["id"]), "cycle_id": owed.cycle_id, "endpoint_id": endpoint,
        }  # fmt: skip


def _high_tech() -> dict[str, Any]:
    return {"name": "某某高新企业", "enterprise_type": "high_tech", "issued_on": "2023-11-02"}


def _university(name: str) -> dict[str, Any]:
    return {
        "name": name, "division": "320100", "kind": "university", "established_on": "1952-03-01", "on_platform": True,
        "platform_number": "P1", "from_on": "2024-01-01",
        "qualifications": [{"kind": "CMA", "valid_through": "2026-05-31", "number": "231012340001"}],
    }  # fmt: skip


def _bound(person: str) -> dict[str, Any]:
    return {"person": person, "division": "320300", "ground": f"苏科〔2024〕{ord(person)}号"}


def _commitment(year: int) -> dict[str, Any]:
    return {
        "province": "jiangsu", "scheme": "provincial", "year": year, "division": "320300", "types": ["tech_sme"],
        "provincial_to_local": "7:3", "cap": "60000.00", "from_on": f"{year}-01-01", "cite": f"徐科〔{year}〕1号",
    }  # fmt: skip


def shelves(world: World, ids: dict[str, str]) -> list[Shelf]:
    """Every screen on an operation that answers page by page, unless it is named above as no list."""
    described = world.app.test_client().get("/v1/openapi.json").get_json()["paths"]
    pages: dict[str, tuple[str, tuple[str, ...]]] = {}
    for rule in world.app.url_map.iter_rules():
        path = re.sub(r"<(?:[a-z]+(?:\([^)]*\))?:)?([a-z_]+)>", r"{\1}", rule.rule)
        asked = described.get(path, {}).get("get", {}).get("parameters", ()) if "GET" in (rule.methods or ()) else ()
        names = tuple(each["name"] for each in asked if each.get("in") == "query")
        if "cursor" in names:
            pages[rule.endpoint] = (path, names)
    found = []
    for rule in world.app.url_map.iter_rules():
        if not rule.rule.startswith("/console") or "export" in rule.rule or "GET" not in (rule.methods or ()):
            continue
        view: Any = world.app.view_functions[rule.endpoint]
        for operation in getattr(view, "operations", ()):
            if operation in pages and rule.rule not in NO_LIST and operation not in NOT_OF_THE_PAGE:
                path, names = pages[operation]
                address = re.sub(r"<(?:[a-z]+:)?([a-z_]+)>", lambda match: ids[match[1]], rule.rule)
                found.append(Shelf(address, path.format(**ids), names))
    return found


def walker_of(world: World) -> Visitor:
    """Somebody with every role in every region."""
    roles = ("center_reviewer", "tenant_admin", "finance_maker", "clearing_operator", "auditor")
    return world.visitor(world.invite("walker", *roles, tenants=world.story.tenants))
