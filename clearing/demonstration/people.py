"""Who takes part in the demonstration: four platforms and the people of the regions, each a client of their own."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Final

from connectors.client import Caller, ClientSecret

Create = Callable[[str | None, tuple[str, ...], tuple[str, ...], str | None], tuple[str, str]]
"""Makes a client of a platform, with tenants, scopes and person; answers its id and secret."""

PLATFORMS: Final = {
    "jssic": ("jiangsu",),
    "delta": ("qingpu", "wujiang", "jiashan", "maanshan"),
    "shanxi-inno": ("shanxi-hainan",),
    "wujiang-local": ("wujiang",),
}
SUBMIT: Final = ("claims:write", "claims:read", "claims:import", "support:write")


@dataclass(frozen=True, slots=True)
class People:
    """Everyone's caller."""

    platforms: dict[str, Caller]
    administrator: Caller
    approver: Caller
    center: Caller
    authority: Caller
    maker: Caller
    releaser: Caller
    operator: Caller
    auditor: Caller


STAFF: Final = {
    "administrator": ("policies:write", "claims:read"),
    "approver": ("policies:approve", "claims:read"),
    "center": ("reviews:write", "claims:read"),
    "authority": ("reviews:write", "claims:read"),
    "maker": ("batches:write", "claims:read"),
    "releaser": ("batches:release", "claims:read"),
    "operator": ("clearing:operate", "audit:read"),
    "auditor": ("audit:read", "claims:read"),
}
PERSONS: Final = {
    "administrator": "admin-gu",
    "approver": "policy-he",
    "center": "reviewer-zhang",
    "authority": "approver-li",
    "maker": "maker-wang",
    "releaser": "releaser-zhao",
    "operator": "operator-chen",
    "auditor": "auditor-sun",
}


def invite(address: str, tenants: tuple[str, ...], create: Create) -> People:
    """Make a client for each; each signs in when it first calls."""

    def caller(platform: str | None, served: tuple[str, ...], scopes: tuple[str, ...], person: str | None) -> Caller:
        return Caller(address, ClientSecret(*create(platform, served, scopes, person)))

    staff = {role: caller(None, tenants, scopes, PERSONS[role]) for role, scopes in STAFF.items()}
    return People(
        platforms={platform: caller(platform, served, SUBMIT, None) for platform, served in PLATFORMS.items()},
        **{field.name: staff[field.name] for field in fields(People) if field.name in staff},
    )
