"""The platforms that may submit, and for which programmes of which tenants."""

from dataclasses import dataclass
from typing import Final


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


PILOT_REGIONS: Final = ("qingpu", "wujiang", "jiashan", "maanshan")
"""The four pilot regions of 沪科合〔2020〕31号 一(一)."""

_LOCAL_NAMES: Final = {
    "qingpu": ("青浦区科技创新券平台", "Qingpu local platform"),
    "wujiang": ("吴江区科技创新券平台", "Wujiang local platform"),
    "jiashan": ("嘉善县科技创新券平台", "Jiashan local platform"),
    "maanshan": ("马鞍山市科技创新券平台", "Ma'anshan local platform"),
}

_PLATFORMS: Final = (
    Platform(
        "delta",
        "长三角科技创新券通用通兑平台",
        "Yangtze-Delta innovation voucher platform",
        tuple(Programme(region, "delta") for region in PILOT_REGIONS),
    ),
    Platform(
        "jssic",
        "江苏省科技资源统筹服务云平台",
        "Jiangsu science and technology resources platform",
        (Programme("jiangsu", "provincial"),),
    ),
    Platform(
        "shanxi-inno",
        "山西科技创新券管理系统",
        "Shanxi innovation voucher system",
        (Programme("shanxi-hainan", "provincial"),),
    ),
    *(Platform(f"{region}-local", *_LOCAL_NAMES[region], (Programme(region, "local"),)) for region in PILOT_REGIONS),
)

PLATFORMS: Final = {platform.code: platform for platform in _PLATFORMS}
"""Every platform by its code."""


def may_submit(platform: str, tenant: str, scheme: str) -> bool:
    """Whether the platform serves this programme at all; an unknown platform serves none."""
    known = PLATFORMS.get(platform)
    return known is not None and Programme(tenant, scheme) in known.programmes


def programmes_of(platform: str, tenants: frozenset[str]) -> tuple[Programme, ...]:
    """The platform's programmes within the tenants that one of its clients may submit for."""
    known = PLATFORMS.get(platform)
    return () if known is None else tuple(each for each in known.programmes if each.tenant in tenants)
