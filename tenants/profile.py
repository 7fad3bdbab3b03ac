"""Tenants as shipped: their names, divisions, schemes, and the platforms that may submit for them."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from tenants.kernel.errors import FieldError, Invalid, Text
from tenants.policy_codec import Reading

_REGIONS: Final = Path(__file__).parent / "regions"
DEFAULT_NEAR_DUPLICATE_PERCENT: Final = 99
_MISPLACED: Final = Text("租户文件与所在目录或其券种不符。", "The tenant's file contradicts its folder or its schemes.")


@dataclass(frozen=True, slots=True)
class SchemeProfile:
    """A scheme (券种) of the tenant; ``assessed`` is false where it only registers support paid elsewhere."""

    code: str
    zh: str
    en: str
    assessed: bool = True


@dataclass(frozen=True, slots=True)
class PlatformProfile:
    """A platform (平台) that submits for the tenant, and the schemes for which it may."""

    code: str
    zh: str
    en: str
    schemes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TenantProfile:
    """A tenant (区域): ``code`` stands in claim numbers, ``divisions`` are GB/T 2260 prefixes."""

    tenant: str
    code: str
    zh: str
    en: str
    divisions: tuple[str, ...]
    schemes: tuple[SchemeProfile, ...]
    platforms: tuple[PlatformProfile, ...]
    near_duplicate_percent: int = DEFAULT_NEAR_DUPLICATE_PERCENT
    """From which likelihood on, in percent, two claims that look alike hold the later one."""


def read_profile(text: str) -> TenantProfile:
    """The tenant that the TOML text describes.

    Raises:
        Invalid: ``tenant.document``, with the place of every fault.
    """
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise _invalid(
            FieldError("/", "syntax", Text(f"不是有效的 TOML：{error}", f"Not valid TOML: {error}"))
        ) from error
    reading = Reading()
    profile = reading.record(TenantProfile, data)
    if profile is None:
        raise _invalid(*reading.faults)
    if not 50 <= profile.near_duplicate_percent <= 99:  # noqa: PLR2004 - said in the message
        said = Text("须为 50 至 99 的整数。", "It is a whole number from 50 to 99.")
        raise _invalid(FieldError("/near_duplicate_percent", "near_duplicate_percent.range", said))
    known = {scheme.code for scheme in profile.schemes}
    for index, platform in enumerate(profile.platforms):
        if not platform.schemes or not known.issuperset(platform.schemes):
            raise _invalid(FieldError(f"/platforms/{index}/schemes", "unknown_scheme", _MISPLACED))
    return profile


@cache
def load_tenants() -> tuple[TenantProfile, ...]:
    """The tenants that come with the product, by name.

    Raises:
        Invalid: a shipped file is at fault.
    """
    found = []
    for path in sorted(_REGIONS.glob("*/tenant.toml")):
        profile = read_profile(path.read_text(encoding="utf-8"))
        if profile.tenant != path.parent.name:
            raise _invalid(FieldError("/tenant", "path", _MISPLACED))
        found.append(profile)
    return tuple(found)


def tenant_codes() -> tuple[str, ...]:
    """The codes of all tenants, in their order."""
    return tuple(profile.tenant for profile in load_tenants())


@cache
def platform_words(platform: str) -> Text:
    """What people call the platform; its code where no tenant knows it."""
    known = (each for profile in load_tenants() for each in profile.platforms if each.code == platform)
    return next((Text(each.zh, each.en) for each in known), Text(platform, platform))


def _invalid(*faults: FieldError) -> Invalid:
    places = "; ".join(f"{fault.pointer}: {fault.message.en}" for fault in faults[:3])
    return Invalid("tenant.document", "租户文件有误。", f"The tenant's document is wrong. {places}", errors=faults)
