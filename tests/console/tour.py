"""A tour of every screen: a world with something everywhere, much of it with hostile names, and the way through it."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from html import unescape
from typing import Any, Final
from urllib.parse import urlencode

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule

from clearing.people import enrol
from clearing.receipts import issue_receipts
from connectors.claim_schema import NAME_CHARACTERS
from tests.console.test_bank import hand_in, told_by
from tests.console.test_cases import alike, supported_elsewhere
from tests.console.test_clearing import business_day, owing
from tests.console.test_policies import drafted
from tests.console.test_registers import ADMISSIONS, QUALIFICATIONS, TRUST, stored
from tests.console.world import PASSWORD, Visitor, World, form_token
from tests.verification.platform_story import pull, register_webhooks
from tests.verification.reserving import reservation

MARKUP: Final = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
HOSTILE: Final = f"=cmd|'/C calc'!A0 {MARKUP} شركة עברית 12345678901234567890 ".ljust(NAME_CHARACTERS, "某")
"""A formula, markup, quotes, words from right to left, 20 digits and many characters without a gap, in one name."""
INVISIBLE: Final = f"{HOSTILE}零\u200b宽"
"""Where a title may hold characters that nobody sees, it does."""
A_RULE: Final = 4
"""So many pages of one kind are visited: the same screen in its several states."""
NOT_VISITED: Final = {
    "/console/<path:anything>": "where nothing is, in test_screens",
    "/console/sign-in": "the door, of which the tour has gone through; below by itself",
    "/console/sign-in/code": "after a sign-in by a provider, in test_single_sign_on_in_a_browser",
    "/console/sign-in/out/<name>": "leads to a provider",
    "/console/sign-in/return": "comes from a provider",
    "/console/sign-in/with/<name>": "leads to a provider",
    "/console/language/<chosen>": "leads back",
    "/console/static/<version>/<name>": "a file",
    "/console/queue": "leads to a claim",
    "/console/invitation": "of nobody who is signed in: tests/console/test_account_proposals_in_a_browser.py",
    "/console/invitation/<secret>": "leads to the invitation",
    "/console/months/<tenant>/<month>/differences.json": "a file",
    "/console/batches/<tenant>/<uuid:batch_id>/files/<name>": "a file",
    "/console/batches/<tenant>/<uuid:batch_id>/bank/demonstration/answer.xml": "a file",
    "/console/batches/<tenant>/<uuid:batch_id>/bank/settlement/<int(min=1, max=10000):number>/lines": "a file",
    "/console/clearing/orders/<tenant>/<uuid:order_id>/file": "a file",
}
"""Addresses that are no screens, and screens that others look at, each with the reason."""
FILES: Final = re.compile(r"/files/|/file$|answer\.xml|differences\.json|/lines$|/console/static/")


def dressed(body: dict[str, Any]) -> None:
    """Give the claim hostile names wherever it has a text."""
    body["enterprise"]["name"] = body["provider"]["name"] = HOSTILE
    body["payee"]["account_name"] = body["payee"]["bank_name"] = HOSTILE
    body["contract"]["title"] = INVISIBLE
    for service in body["services"]:
        service["name"] = INVISIBLE
    for invoice in body["invoices"]:
        invoice["number"] = f"{int(invoice['number']):020d}"


@dataclass
class Tour:
    """The world and its walker, and under which rule which addresses were found."""

    world: World
    login: str
    addresses: dict[str, list[str]] = field(default_factory=dict)
    exports: dict[str, list[str]] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)

    def one_of_each(self, which: int) -> list[str]:
        """One address of each screen: the first, or the last that was found."""
        return [*(found[which] for found in self.addresses.values()), *self.notices]

    @property
    def screens(self) -> list[str]:
        """Every address."""
        return [*(address for found in self.addresses.values() for address in found), *self.notices]


def rules(world: World) -> list[str]:
    """Every rule of the console that answers a reader, less the exports and what only leads to the first region."""
    every = (rule for rule in world.app.url_map.iter_rules() if rule.rule.startswith("/console"))
    readable = {rule.rule for rule in every if "GET" in (rule.methods or ()) and not rule.endpoint.endswith(".choose")}
    return sorted(rule for rule in readable if "/export." not in rule)


@contextmanager
def toured(world: World) -> Iterator[Tour]:
    """Furnish the world and walk through it from the home page by its links alone."""
    world.dress = dressed
    walker = world.invite("walker", *ROLES_OF_WALKER, tenants=world.story.tenants)
    enrol(
        world.service, "hostile", "p-hostile", HOSTILE[:100], world.story.tenants, ("auditor",), PASSWORD,
    )  # fmt: skip
    with ExitStack() as stack:
        tour = Tour(world, walker)
        tour.notices = _furnish(world, stack)
        _walk(tour, world.visitor(walker))
        yield tour


ROLES_OF_WALKER: Final = (
    "center_reviewer", "authority_approver", "tenant_admin", "policy_approver", "finance_maker", "finance_releaser",
    "clearing_operator", "auditor",
)  # fmt: skip


def _furnish(world: World, stack: ExitStack) -> list[str]:
    story = world.story
    maker = world.visitor("finance-maker")
    paid, answer = told_by(world)
    assert hand_in(maker, paid, answer, "回单.xml").status_code == 303
    _correct(world, maker)
    _register(world)
    supported_elsewhere(world, world.one_in_review())
    alike(world)
    world.one_on_hold()
    register_webhooks(story)
    pull(story, world.draft().body)
    story.do(issue_receipts)
    _reserve(world)
    drafted(world.visitor("tenant-admin"), "2091-01-01")
    owed = stack.enter_context(owing(world))
    _close(world, owed.cycle_id)
    _explain(maker)
    story.approve(world.one_in_review())
    batch = story.cut("jiangsu", "provincial")
    story.step("maker", "jiangsu", batch, "publish")
    claim = world.one_in_review()
    refused = {"stage": claim["next_stage"], "outcome": "reject", "reason": HOSTILE}
    story.call(f"reviewer of {claim['next_stage']}", "POST", f"/v1/claims/{claim['id']}/reviews", refused)
    story.approve(world.one_in_review())
    story.cut("jiangsu", "provincial")
    world.one_in_review()
    _spoil_a_job(world)
    world.app.extensions["clearing-requests"].flush()
    return ["/notices", f"/notices/jiangsu/{batch['batch_no']}", "/console/sign-in"]


def _correct(world: World, maker: Visitor) -> None:
    """Another account for what came back."""
    claim = world.story.in_state("jiangsu", "returned")[0]
    path = f"/console/claims/{claim['id']}/payee"
    account = {
        "account_name": HOSTILE, "account_number": "6222000099990002", "bank_name": HOSTILE, "cnaps": "102301000017",
        "reason": HOSTILE,
    }  # fmt: skip
    assert maker.send(path, path, **account, **maker.proof()).status_code == 303


def _register(world: World) -> None:
    """Registers, commitments, districts and an agreement with hostile names."""
    story, administrator = world.story, world.visitor("tenant-admin")
    cell = '"' + HOSTILE[1:].replace('"', '""') + '"'  # a table with a formula is refused
    body = world.draft().body
    buyer, provider = body["enterprise"]["uscc"], body["provider"]["uscc"]
    qualified = f"统一社会信用代码,单位名称,企业类型,入库编号,发证日期\n{buyer},{cell},高新技术企业,,2023-11-06\n"
    head = "统一社会信用代码,服务单位名称,注册地,单位性质,注册成立时间,资质"
    admitted = f"{head}\n{provider},{cell},320100,高等学校,1999-01-01,\n"
    trusted = f"统一社会信用代码,单位名称,起始日,截止日\n{provider},{cell},2090-01-01,2090-12-31\n"
    for page, table in (
        (f"{QUALIFICATIONS}/import?scheme=provincial&year=2024", qualified),
        (f"{ADMISSIONS}/import?scheme=provincial", admitted),
        (f"{TRUST}/import?cite=苏科服〔2024〕8号", trusted),
    ):
        assert stored(administrator, page, table.encode()).status_code == 303, page
    district = {"person": HOSTILE, "division": "320300", "ground": HOSTILE}
    story.call("administrator", "POST", "/v1/tenants/jiangsu/districts", district)
    year = int(business_day(world)[:4]) + 1
    offered = {
        "province": "jiangsu", "scheme": "provincial", "year": year, "division": "320300", "types": ["tech_sme"],
        "provincial_to_local": "7:3", "cap": "60000.00", "from_on": f"{year}-01-01", "cite": HOSTILE,
    }  # fmt: skip
    story.call("administrator", "POST", "/v1/tenants/jiangsu/linkages", offered)
    agreed = {
        "counterparty": "qingpu", "form": "home_region", "effective_on": business_day(world), "document": HOSTILE,
    }  # fmt: skip
    story.call("administrator", "PUT", "/v1/tenants/maanshan/agreements", agreed)


def _reserve(world: World) -> None:
    """Quota that waits for its confirmation."""
    from clearing.demonstration.claims import cross_redemption
    from tenants.kernel.money import Money

    draft = cross_redemption(77, None, Money(300_000)).body
    dressed(draft)
    world.story.call("delta", "POST", "/v1/reservations", reservation(draft, "reservation-tour"))


def _close(world: World, cycle_id: str) -> None:
    """The window closed and confirmed, so that its orders are there."""
    path = f"/console/clearing/{cycle_id}"
    operator = world.visitor(world.invite("tour-operator", "clearing_operator", tenants=world.story.tenants))
    assert operator.send(path, f"{path}/close").status_code == 303
    finance = world.visitor(world.invite("tour-finance", "finance_releaser", tenants=("wujiang", "jiashan")))
    page = finance.see(path)
    for tenant, net in re.findall(
        r'name="tenant" value="([a-z-]+)">\s*<input type="hidden" name="net" value="([^"]+)"', page
    ):
        form = {"form_token": form_token(page), "tenant": tenant, "net": net}
        assert finance.browser.post(f"{path}/confirmation", data=form).status_code == 303


def _explain(maker: Visitor) -> None:
    """An explanation of a stray movement, which somebody else has to look at."""
    path = "/console/suspense/jiangsu"
    line = re.search(r'name="line" value="([^"]+)"', maker.see(path))
    assert line is not None
    answer = maker.send(path, f"{path}/resolutions", line=line[1], kind="unrelated", reason=HOSTILE)
    assert answer.status_code == 303


def _spoil_a_job(world: World) -> None:
    """A job that fails with a hostile word."""
    spoil = (
        "update outbox set attempts = 9, last_error = %s, next_attempt_at = created_at + interval '2 hours' "
        "where id = (select id from outbox where done_at is null and tenant = 'jiangsu' order by id limit 1)"
    )
    world.story.do(lambda work: work.connection.exec_driver_sql(spoil, (HOSTILE,)).rowcount)


def _walk(tour: Tour, visitor: Visitor) -> None:
    waiting, seen = ["/console/claims?state=returned", "/console/", "/console/instruction"], set[str]()
    adapter = tour.world.app.url_map.bind("localhost")
    while waiting:
        address = waiting.pop(0)
        path = address.partition("?")[0]
        try:
            matched: tuple[Rule, Any] = adapter.match(path, method="GET", return_rule=True)
        except HTTPException:
            continue
        rule = matched[0].rule
        shelf = tour.exports if "/export." in rule else tour.addresses
        if path in seen or FILES.search(path) or len(shelf.get(rule, ())) >= A_RULE:
            continue
        seen.add(path)
        if shelf is tour.exports:
            shelf.setdefault(rule, []).append(address)
            continue
        answer = visitor.browser.get(address)
        if answer.status_code in {302, 303, 308}:
            waiting.insert(0, answer.headers["Location"])
            continue
        assert answer.status_code == 200, (address, answer.status_code)
        shelf.setdefault(rule, []).append(address)
        waiting += _links(path, answer.get_data(as_text=True))


def _links(path: str, page: str) -> list[str]:
    """Where the page's links lead, and its forms that only ask, with what they offer first."""
    asking = []
    for action, inside in re.findall(r'<form method="get" action="([^"]+)"[^>]*>(.*?)</form>', page, re.DOTALL):
        chosen = re.findall(r'<select name="([^"]+)">.*?<option value="([^"]+)"', inside, re.DOTALL)
        filled = re.findall(r'<input[^>]* name="([^"]+)"[^>]* value="([^"]+)"', inside)
        if action != path:  # another one than the list's own filters
            asking.append(f"{action}?{urlencode([*chosen, *filled])}")
    found = (unescape(link).partition("#")[0] for link in re.findall(r'href="([^"]+)"', page))
    links = [f"{path}{link}" if link.startswith("?") else link for link in found if link.startswith(("/console", "?"))]
    return links + asking
