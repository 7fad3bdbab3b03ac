"""Where a caller calls from: the connection says it, and a proxy only where the operator named one."""

import pytest

from clearing.app import create_app, trust_proxies
from tenants.client_terms import Terms, networks_from, set_terms
from tenants.kernel.database import Scope, Work, run
from tests.api.door import Caller, Door

NEAR, FAR = "10.1.2.3", "203.0.113.9"
KNOWN = networks_from(["203.0.113.0/24", "2001:db8::/32"])


@pytest.fixture(params=[0, 1, 2])
def behind(request: pytest.FixtureRequest, door: Door) -> tuple[int, Caller]:
    """A caller whose addresses are known, of an application behind so many proxies."""
    caller, proxies = door.platform(), int(request.param)
    app = create_app(door.service)
    trust_proxies(app, proxies)
    terms = Terms(networks=KNOWN)

    def use_case(work: Work) -> None:
        set_terms(work, "jiangsu", caller.client.client_id, terms, "赵管")

    run(door.service.engine, Scope(("jiangsu",)), door.service.machine, use_case)
    return proxies, Caller(app, caller.client, caller.token)


def status(caller: Caller, peer: str, forwarded: str | None = None) -> int:
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    return caller.get("/v1/claims", headers=headers, environ_base={"REMOTE_ADDR": peer}).status_code


def test_a_caller_is_let_in_by_the_word_of_as_many_proxies_as_there_are(behind: tuple[int, Caller]) -> None:
    proxies, caller = behind
    seen = {
        "connected from a known address": status(caller, FAR),
        "said by the nearest proxy": status(caller, NEAR, FAR),
        "said by the one before it": status(caller, NEAR, f"{FAR}, {NEAR}"),
        "said by the caller alone": status(caller, NEAR, f"{FAR}, 198.51.100.1, {NEAR}"),
        "nobody known": status(caller, NEAR, f"{NEAR}, {NEAR}"),
    }
    let_in = [where for where, code in seen.items() if code == 200]
    expected = {
        0: ["connected from a known address"],
        1: ["connected from a known address", "said by the nearest proxy"],
        2: ["connected from a known address", "said by the one before it"],
    }
    assert let_in == expected[proxies]
    assert set(seen.values()) == {200, 403}


@pytest.mark.parametrize(
    ("address", "is_known"),
    [
        ("203.0.113.255", True), ("203.0.114.0", False), ("::ffff:203.0.113.1", True), ("2001:db8::1", True),
        ("2001:db9::1", False), ("", False), ("unix:", False), (None, False),
    ],
)  # fmt: skip
def test_an_address_lies_in_a_network_or_it_does_not(address: str | None, *, is_known: bool) -> None:
    assert Terms(networks=KNOWN).lets_in(address) is is_known
    assert Terms().lets_in(address)
