"""The platforms that may submit, and for which programmes of which tenants, as the tenants' own files say."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from tenants.profile import load_tenants


@dataclass(frozen=True, slots=True)
class Programme:
    """One scheme (券种) of one tenant."""

    tenant: str
    scheme: str


@dataclass(frozen=True, slots=True)
class Platform:
    """A system that submits claims or support records (平台).

    A client of the platform may be bound to fewer tenants than the platform serves, never to more.
    """

    code: str
    name_zh: str
    name_en: str
    programmes: tuple[Programme, ...]


@cache
def platforms() -> Mapping[str, Platform]:
    """Every platform by its code; one that serves several tenants bears the name that the first of them gives it."""
    found: dict[str, Platform] = {}
    for tenant in load_tenants():
        for named in tenant.platforms:
            earlier = found.get(named.code, Platform(named.code, named.zh, named.en, ()))
            served = tuple(Programme(tenant.tenant, scheme) for scheme in named.schemes)
            found[named.code] = Platform(earlier.code, earlier.name_zh, earlier.name_en, earlier.programmes + served)
    return MappingProxyType(found)


def may_submit(platform: str, tenant: str, scheme: str) -> bool:
    """Whether the platform serves this programme at all; an unknown platform serves none."""
    known = platforms().get(platform)
    return known is not None and Programme(tenant, scheme) in known.programmes
