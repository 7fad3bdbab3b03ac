"""What is bought in each programme, through which platform, with which evidence."""

from dataclasses import dataclass
from typing import Final

from clearing.demonstration.parties import (
    DELTA_SELLERS,
    JIANGSU,
    JIANGSU_SELLERS,
    PILOT,
    SHANXI,
    SHANXI_SELLERS,
    Region,
    Seller,
)

Service = tuple[str, str, str | None]
"""Catalogue item, name of the service, instrument."""

_BASIC: Final = ("contract", "service_report", "invoice_image", "receipt_image")

_JIANGSU_SERVICES: Final[tuple[Service, ...]] = (
    ("A1.1", "扫描电镜形貌与能谱分析", "冷场发射扫描电子显微镜"),
    ("A1.1", "X射线光电子能谱分析", "X射线光电子能谱仪"),
    ("A1.2", "大动物临床前安全性评价", "数字减影血管造影系统"),
    ("A1.3", "微纳加工机时", "电子束曝光系统"),
    ("B1.1", "金属材料化学成分检测", "电感耦合等离子体质谱仪"),
    ("B1.1", "生物相容性试验", None),
    ("B1.2", "二代测序与文库质检", "高通量测序仪"),
    ("B1.3", "磨损性能测试", "摩擦磨损试验机"),
    ("B1.3", "弯曲疲劳试验", "微机控制电液伺服万能试验机"),
    ("B3.1", "集成电路封装测试", "集成电路自动测试系统"),
    ("B4.1", "软件产品功能与安全测评", None),
)
_DELTA_SERVICES: Final[tuple[Service, ...]] = (
    ("testing", "复合材料力学性能检测", "万能材料试验机"),
    ("testing", "汽车零部件盐雾与老化试验", "复合盐雾试验箱"),
    ("technology_rd", "伺服控制算法开发", None),
    ("technology_rd", "抗菌涂层工艺开发", None),
    ("open_resources", "核磁共振波谱仪开放机时", "核磁共振波谱仪"),
    ("technology_transfer", "专利技术熟化与转移服务", None),
)
_SHANXI_SERVICES: Final[tuple[Service, ...]] = (
    ("testing", "镁合金疲劳性能检测", "高频疲劳试验机"),
    ("testing", "煤基碳材料比表面测试", "全自动比表面分析仪"),
    ("novelty_search", "科技查新", None),
    ("design", "智能分选装备结构设计", None),
    ("sample_processing", "样品精密加工", "五轴加工中心"),
    ("pilot_trial", "生物有机肥中试试验", "中试发酵系统"),
    ("computing", "流体仿真计算服务", None),
    ("biological_material", "小麦种质资源鉴定与实验材料", None),
)


@dataclass(frozen=True, slots=True)
class Programme:
    """One scheme of one tenant as its platform serves it; ``weight`` is its share of the claims."""

    platform: str
    tenant: str
    scheme: str
    weight: int
    serial: str
    regions: tuple[Region, ...]
    sellers: tuple[Seller, ...]
    services: tuple[Service, ...]
    types: tuple[str, ...]
    evidence: tuple[str, ...]


def _delta(tenant: str, weight: int) -> Programme:
    return Programme(
        platform="delta",
        tenant=tenant,
        scheme="delta",
        weight=weight,
        serial="CSJ",
        regions=(PILOT[tenant],),
        sellers=DELTA_SELLERS,
        services=_DELTA_SERVICES,
        types=("tech_sme",),
        evidence=_BASIC,
    )


JIANGSU_PROVINCIAL: Final = Programme(
    platform="jssic",
    tenant="jiangsu",
    scheme="provincial",
    weight=56,
    serial="CXQ",
    regions=JIANGSU,
    sellers=JIANGSU_SELLERS,
    services=_JIANGSU_SERVICES,
    types=("tech_sme", "tech_sme", "tech_sme", "high_tech", "incubated", "talent"),
    evidence=(*_BASIC, "rd_evidence"),
)
SHANXI_PROVINCIAL: Final = Programme(
    platform="shanxi-inno",
    tenant="shanxi-hainan",
    scheme="provincial",
    weight=20,
    serial="SXKJ",
    regions=SHANXI,
    sellers=SHANXI_SELLERS,
    services=_SHANXI_SERVICES,
    types=("innovative_sme", "innovative_sme", "high_tech", "specialised_sme", "zone_resident"),
    evidence=(*_BASIC, "commitment_letter", "business_licence", "legal_representative_id"),
)
WUJIANG_DELTA: Final = _delta("wujiang", 9)
PROGRAMMES: Final = (
    JIANGSU_PROVINCIAL,
    SHANXI_PROVINCIAL,
    WUJIANG_DELTA,
    _delta("qingpu", 6),
    _delta("jiashan", 5),
    _delta("maanshan", 4),
)
