"""Who calls, where proxies stand before the service: only their word for the caller's address is taken.

``X-Forwarded-For`` grows at its right end: each proxy appends whom it was called by. From there leftwards every address
that is a trusted proxy's own is passed over; the first other one is the caller, whatever it wrote further to the left.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HEADER: Final = "HTTP_X_FORWARDED_FOR"
Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class TrustedProxies:
    """The application behind proxies of these networks; behind none, nobody's word is taken."""

    def __init__(self, app: "WSGIApplication", networks: tuple[Network, ...]) -> None:
        self._app = app
        self._networks = networks

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer the request as the caller's own."""
        said = environ.pop(HEADER, "")
        if said:
            environ["REMOTE_ADDR"] = caller_of(environ.get("REMOTE_ADDR", ""), said, self._networks)
        return self._app(environ, start_response)


def caller_of(peer: str, forwarded: str, networks: tuple[Network, ...]) -> str:
    """The right-most address that is no trusted proxy's; where nothing further can be read, the last proxy's own."""
    caller = _address(peer)
    if caller is None or not _within(caller, networks):
        return peer
    for text in reversed(forwarded.split(",")):
        hop = _address(text.strip())
        if hop is None:  # a proxy of ours writes addresses: what it did not write tells nothing of who is behind it
            break
        caller = hop
        if not _within(hop, networks):
            break
    return str(caller)


def proxies_from(text: str) -> tuple[Network, ...]:
    """The networks of a setting: CIDR notation, commas between; a single address is a network of one.

    Raises:
        ValueError: one of them is none.
    """
    return tuple(dict.fromkeys(ip_network(one.strip()) for one in text.split(",") if one.strip()))


def _address(text: str) -> Address | None:
    """The address in its one spelling: an IPv4 address stays one, however an IPv6 socket writes it."""
    try:
        found = ip_address("" if "%" in text else text)
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


def _within(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address in network for network in networks)
