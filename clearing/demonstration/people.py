"""Who takes part in the demonstration: four platforms and the people of the regions, each a client of their own."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Final

from clearing.demonstration.caller import Caller, sign_in

Create = Callable[[str | None, tuple[str, ...], tuple[str, ...], str | None], tuple[str, str]]
"""Makes a client of a platform, with tenants, scopes and person; answers its id and secret."""

PLATFORMS: Final = {
    "jssic": ("jiangsu",),
    "delta": ("qingpu", "wujiang", "jiashan", "maanshan"),
    "shanxi-inno": ("shanxi-hainan",),
    "wujiang-local": ("wujiang",),
}
_SUBMIT: Final = ("claims:write", "claims:read", "claims:import", "support:write")


@dataclass(frozen=True, slots=True)
class People:
    """Everyone's caller."""

    platforms: dict[str, Caller]
    administrator: Caller
    center: Caller
    authority: Caller
    maker: Caller
    releaser: Caller
    operator: Caller
    auditor: Caller


_STAFF: Final = {
    "administrator": ("policies:write", "claims:read"),
    "center": ("reviews:write", "claims:read"),
    "authority": ("reviews:write", "claims:read"),
    "maker": ("batches:write", "claims:read"),
    "releaser": ("batches:release", "claims:read"),
    "operator": ("clearing:operate", "audit:read"),
    "auditor": ("audit:read", "claims:read"),
}
_PERSONS: Final = {
    "administrator": "admin-gu",
    "center": "reviewer-zhang",
    "authority": "approver-li",
    "maker": "maker-wang",
    "releaser": "releaser-zhao",
    "operator": "operator-chen",
    "auditor": "auditor-sun",
}


def invite(address: str, tenants: tuple[str, ...], create: Create) -> People:
    """Make a client for each, and sign each in."""
    logins = {platform: create(platform, served, _SUBMIT, None) for platform, served in PLATFORMS.items()}
    staff = {role: sign_in(address, *create(None, tenants, scopes, _PERSONS[role])) for role, scopes in _STAFF.items()}
    return People(
        platforms={platform: sign_in(address, *login) for platform, login in logins.items()},
        **{field.name: staff[field.name] for field in fields(People) if field.name in staff},
    )
