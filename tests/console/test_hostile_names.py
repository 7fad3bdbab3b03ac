"""Names that are markup or run from right to left: on every list a name, kept apart from what stands beside it."""

import re
from html import escape

import pytest

from tests.console.world import World

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)> شركة الاختبار עברית"
OVERRIDE = "某某\u202e司公限有"
"""A right-to-left override, with which a name shows as another one."""
APART = re.compile(r"<(?:bdi|td|dd)(?: [^>]*)?>$")
"""What keeps the direction of a name from the text around it."""


@pytest.fixture(scope="module")
def pages(world: World) -> dict[str, list[str]]:
    """Addresses on which the names stand, by who looks at them."""
    given = world.draft()
    given.body["enterprise"]["name"] = given.body["contract"]["title"] = HOSTILE
    given.body["provider"]["name"] = given.body["payee"]["account_name"] = HOSTILE
    story = world.story
    story.approve(story.submit(given))
    batch = story.cut("jiangsu", "provincial")
    story.step("maker", "jiangsu", batch, "publish")
    uscc = given.body["enterprise"]["uscc"]
    qualified = {"name": HOSTILE, "enterprise_type": "high_tech", "issued_on": "2023-11-02"}
    story.call("jssic", "PUT", f"/v1/enterprises/{uscc}/qualifications/jiangsu/2024", qualified)
    district = {"person": HOSTILE, "division": "320300", "ground": HOSTILE}
    story.call("administrator", "POST", "/v1/tenants/jiangsu/districts", district)
    return {
        "auditor": [
            f"/console/claims?enterprise={uscc}",
            f"/console/batches/jiangsu/{batch['id']}",
            f"/notices/jiangsu/{batch['batch_no']}",
        ],
        "tenant-admin": ["/console/registers/qualifications/jiangsu", "/console/settings/jiangsu/districts"],
    }  # fmt: skip


def test_on_every_list_a_hostile_name_is_a_text_that_is_kept_apart(world: World, pages: dict[str, list[str]]) -> None:
    name = escape(HOSTILE).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
    for login, addresses in pages.items():
        visitor = world.visitor(login)
        for address in addresses:
            page = visitor.see(address)
            assert "<script>alert" not in page, address
            assert "<img src=x" not in page, address
            places = [match.start() for match in re.finditer(re.escape(name), page)]
            assert places, address
            shown = [at for at in places if page.rfind("<", 0, at) < page.rfind(">", 0, at)]  # others are attributes
            assert shown, address
            assert [page[at - 40 : at] for at in shown if not APART.search(page[:at])] == [], address


def test_a_name_with_a_direction_control_is_refused_with_its_place(world: World) -> None:
    given = world.draft()
    given.body["enterprise"]["name"] = OVERRIDE
    answer = world.story.call("jssic", "POST", "/v1/claims", given.body, ok=400).get_json()
    assert ("/enterprise/name", "text.bidi_control") in {(one["pointer"], one["code"]) for one in answer["errors"]}


def test_a_reason_with_a_direction_control_is_refused_and_nothing_is_decided(world: World) -> None:
    visitor = world.visitor("center-reviewer")
    waiting = world.one_in_review()
    page = f"/console/claims/{waiting['id']}"
    answer = visitor.send(page, f"{page}/review", outcome="reject", reason=OVERRIDE)
    assert answer.status_code == 422
    assert "双向排版控制字符" in answer.get_data(as_text=True)
    assert world.story.claim(waiting["id"])["state"] == "in_review"
