"""Made-up enterprises and providers of the six regions, with valid credit codes and bank accounts."""

from dataclasses import dataclass
from random import Random
from typing import Final

from stdnum.cn import uscc

_CODE_CHARACTERS: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_ORGANISATION_WEIGHTS: Final = (3, 7, 9, 10, 5, 8, 4, 2)

_WORDS: Final = (
    "恒锐", "华晟", "瑞霖", "天工", "博纳", "新源", "优诺", "嘉禾", "卓远", "启明", "金穗", "汇泽", "思特", "百川",
    "凌云", "盛和", "科朗", "润石", "海峡", "立方", "绿野", "晨曦", "衡准", "智造", "云帆", "铭泰", "益民", "同创",
)  # fmt: skip
_TRADES: Final = (
    "精密机械", "生物医药", "新材料", "半导体", "医疗器械", "环境科技", "智能装备", "电子", "食品科技", "化工新材料",
    "光电", "软件", "能源科技", "汽车零部件", "轨道交通装备", "农业科技",
)  # fmt: skip
_FORMS: Final = ("有限公司", "有限公司", "有限公司", "股份有限公司", "科技有限公司")
_BANKS: Final = (
    ("中国工商银行", "102100099996"),
    ("中国农业银行", "103100000026"),
    ("中国银行", "104100000004"),
    ("中国建设银行", "105100000017"),
    ("交通银行", "301290000007"),
    ("招商银行", "308584000013"),
)


@dataclass(frozen=True, slots=True)
class Region:
    """A division in which enterprises are registered; ``weight`` is its share of them."""

    division: str
    place: str
    weight: int


@dataclass(frozen=True, slots=True)
class Seller:
    """A provider: name, GB/T 2260 division and kind."""

    name: str
    division: str
    kind: str


@dataclass(frozen=True, slots=True)
class Party:
    """An enterprise or provider with its account."""

    uscc: str
    name: str
    division: str
    bank_name: str
    cnaps: str
    account_number: str


JIANGSU: Final = (
    Region("320115", "南京", 14),
    Region("320214", "无锡", 8),
    Region("320412", "常州", 7),
    Region("320506", "苏州", 10),
    Region("320509", "苏州吴江", 14),
    Region("320612", "南通", 6),
    Region("321012", "扬州", 4),
    Region("320312", "徐州", 14),
    Region("320706", "连云港", 4),
    Region("320812", "淮安", 5),
    Region("320903", "盐城", 8),
    Region("321302", "宿迁", 6),
)
SHANXI: Final = (Region("140802", "运城", 6), Region("140105", "太原", 4), Region("140213", "大同", 2))
PILOT: Final = {
    "qingpu": Region("310118", "上海", 1),
    "wujiang": Region("320509", "苏州吴江", 1),
    "jiashan": Region("330421", "嘉善", 1),
    "maanshan": Region("340504", "马鞍山", 1),
}

JIANGSU_SELLERS: Final = (
    Seller("江左理工大学", "320100", "university"),
    Seller("淮海矿冶大学", "320300", "university"),
    Seller("太湖新材料研究院", "320500", "new_rd_institution"),
    Seller("江苏省机电产品检测中心（演示）", "320100", "public_institution"),
    Seller("苏北医学与生物实验中心", "320300", "public_platform"),
    Seller("通海检测技术有限公司", "320600", "company"),
)
SHANXI_SELLERS: Final = (
    Seller("河东工业大学", "140800", "university"),
    Seller("晋阳煤化工研究所", "140100", "institute"),
    Seller("琼州热带农业科学院", "460100", "institute"),
    Seller("山西省分析测试中心（演示）", "140100", "public_institution"),
)
DELTA_SELLERS: Final = (
    Seller("沪上应用技术大学", "310100", "university"),
    Seller("钱塘检测研究院", "330100", "institute"),
    Seller("嘉善精密制造公共服务平台", "330421", "public_platform"),
    Seller("皖江材料检测中心（演示）", "340500", "public_institution"),
    Seller("姑苏生物技术研究院", "320500", "new_rd_institution"),
)


def enterprise_in(rng: Random, region: Region) -> Party:
    """A new enterprise registered in the region."""
    name = region.place + rng.choice(_WORDS) + rng.choice(_TRADES) + rng.choice(_FORMS)
    return _party(rng, "91", name, region.division)


def provider_of(rng: Random, seller: Seller) -> Party:
    """The seller with a credit code: of a company (91), or of a public institution (12)."""
    return _party(rng, "91" if seller.kind == "company" else "12", seller.name, seller.division)


def digits(rng: Random, count: int) -> str:
    """So many random digits."""
    return "".join(rng.choices("0123456789", k=count))


def _party(rng: Random, office: str, name: str, division: str) -> Party:
    bank_name, cnaps = rng.choice(_BANKS)
    code = office + division + _organisation_code(rng)
    number = str(rng.randrange(1, 10)) + digits(rng, 18)
    return Party(code + uscc.calc_check_digit(code), name, division, bank_name, cnaps, number)


def _organisation_code(rng: Random) -> str:
    """Eight characters and their check character (GB 11714)."""
    body = "MA" + "".join(rng.choices(_CODE_CHARACTERS, k=6))
    values = (int(character, 36) for character in body)
    check = -sum(weight * value for weight, value in zip(_ORGANISATION_WEIGHTS, values, strict=True)) % 11
    return body + "0123456789X"[check]
