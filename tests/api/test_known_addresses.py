"""Where a caller calls from: the connection says it, and a proxy only where the operator named one."""

from dataclasses import replace

import pytest

from clearing.app import create_app
from clearing.proxies import caller_of, proxies_from
from clearing.settings import TRUSTED_PROXIES, SettingsError, trusted_proxies_from
from tenants.client_terms import Terms, networks_from, set_terms
from tenants.kernel.database import Scope, Work, run
from tests.api.door import Caller, Door

NEAR, FAR = "10.1.2.3", "203.0.113.9"
KNOWN = networks_from(["203.0.113.0/24", "2001:db8::/32"])


@pytest.fixture(params=["", "10.1.2.3", "10.0.0.0/8,fd00::/8"])
def behind(request: pytest.FixtureRequest, door: Door) -> tuple[str, Caller]:
    """A caller whose addresses are known, of an application behind the proxies of these networks."""
    caller, networks = door.platform(), str(request.param)
    settings = replace(door.service.settings, trusted_proxies=proxies_from(networks))
    app = create_app(replace(door.service, settings=settings))
    terms = Terms(networks=KNOWN)

    def use_case(work: Work) -> None:
        set_terms(work, "jiangsu", caller.client.client_id, terms, "赵管")

    run(door.service.engine, Scope(("jiangsu",)), door.service.machine, use_case)
    return networks, Caller(app, caller.client, caller.token)


def status(caller: Caller, peer: str, forwarded: str | None = None) -> int:
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    return caller.get("/v1/claims", headers=headers, environ_base={"REMOTE_ADDR": peer}).status_code


def test_a_caller_is_let_in_by_the_word_of_trusted_proxies_alone(behind: tuple[str, Caller]) -> None:
    networks, caller = behind
    seen = {
        "connected from a known address": status(caller, FAR),
        "said by the proxy": status(caller, NEAR, FAR),
        "said by the proxy behind the proxy": status(caller, NEAR, f"{FAR}, 10.9.9.9"),
        "said by the caller alone": status(caller, NEAR, f"{FAR}, 198.51.100.1"),
        "said by one who is no proxy": status(caller, "198.51.100.1", FAR),
        "known, whatever it says": status(caller, FAR, "198.51.100.1"),
        "nobody known": status(caller, NEAR, f"{NEAR}, {NEAR}"),
    }
    let_in = {where for where, code in seen.items() if code == 200}
    always = {"connected from a known address", "known, whatever it says"}
    expected = {
        "": always,
        "10.1.2.3": always | {"said by the proxy"},
        "10.0.0.0/8,fd00::/8": always | {"said by the proxy", "said by the proxy behind the proxy"},
    }
    assert let_in == expected[networks]
    assert set(seen.values()) == {200, 403}


INSIDE = proxies_from("10.0.0.0/8, fd00::/8")


@pytest.mark.parametrize(
    ("peer", "forwarded", "caller"),
    [
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "1.1.1.1, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "1.1.1.1,203.0.113.9,10.0.0.2", "203.0.113.9"),
        ("10.0.0.1", "1.1.1.1, 10.0.0.3, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("::ffff:10.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"),
        ("fd00::1", "2001:DB8::1", "2001:db8::1"),
        ("10.0.0.1", "10.0.0.2, 10.0.0.3", "10.0.0.2"),
        ("203.0.113.9", "1.1.1.1", "203.0.113.9"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", ",", "10.0.0.1"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9, _hidden", "10.0.0.1"),
        ("10.0.0.1", "1.1.1.1, <script>, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "fe80::1%eth0", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9:4711", "10.0.0.1"),
        ("10.0.0.1", "0203.0.113.9", "10.0.0.1"),
        ("10.0.0.1", "1.1.1.1," * 4000 + "203.0.113.9", "203.0.113.9"),
        ("", "1.1.1.1", ""),
        ("unix:", "1.1.1.1", "unix:"),
    ],
)
def test_the_right_most_hop_that_is_no_trusted_proxy_is_the_caller(peer: str, forwarded: str, caller: str) -> None:
    assert caller_of(peer, forwarded, INSIDE) == caller
    assert caller_of(peer, forwarded, ()) == peer


@pytest.mark.parametrize("text", ["1", "10.0.0.1/8", "proxy.example", "10.0.0.0/8;fd00::/8", "10.0.0.0/33", "*"])
def test_a_setting_that_names_no_network_is_refused_at_the_start(text: str) -> None:
    with pytest.raises(SettingsError, match="CLEARING_TRUSTED_PROXIES"):
        trusted_proxies_from({TRUSTED_PROXIES: text})
    assert trusted_proxies_from({}) == trusted_proxies_from({TRUSTED_PROXIES: " "}) == ()


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
