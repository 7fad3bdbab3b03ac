"""What can be wrong with one value, in Chinese and English."""

from typing import Final

from tenants.kernel.errors import Text
from tenants.kernel.texts import TEXT_FAULTS

SEPARATOR: Final = "|"

MESSAGES: Final = TEXT_FAULTS | {
    "field.required": Text("缺少此项。", "This field is missing."),
    "field.null": Text("此项必填，不能为 null。", "This field is required and may not be null."),
    "field.unknown": Text("没有这个字段。", "There is no such field."),
    "object.expected": Text("此处应为对象。", "An object is expected here."),
    "list.expected": Text("此处应为列表。", "A list is expected here."),
    "list.too_long": Text("最多 {detail} 项。", "At most {detail} items."),
    "text.expected": Text("此处应为字符串。", "A string is expected here."),
    "text.blank": Text("此项不能为空白。", "This may not be blank."),
    "text.too_long": Text("最多 {detail} 个字符。", "At most {detail} characters."),
    "text.invisible_character": Text("含有不可见字符 {detail}。", "It holds the invisible character {detail}."),
    "code.malformed": Text("代码格式不正确。", "The code is malformed."),
    "external_id.malformed": Text(
        "平台编号须为 1 至 64 个半角可见字符或汉字，不含空格。",
        "An external id has 1 to 64 visible ASCII or Chinese characters and no space.",
    ),
    "media_type.malformed": Text(
        "媒体类型格式不正确，例如 application/pdf。", "Not a media type such as application/pdf."
    ),
    "account.malformed": Text(
        "账号须为 6 至 34 位半角数字或大写字母，可含连字符。",
        "An account number has 6 to 34 ASCII digits or capital letters; hyphens may stand between them.",
    ),
    "choice.unknown": Text("可选值：{detail}。", "One of: {detail}."),
    "label.unknown": Text("可填：{detail}。", "One of: {detail}."),
    "order_number.malformed": Text(
        "订单编号须为 CXQ 加 8 位日期和 4 位数字，例如 CXQ202408293280。",
        "An order number is CXQ, a day in 8 digits and 4 digits, such as CXQ202408293280.",
    ),
    "provider.unconfirmed": Text(
        "须先由服务单位在平台上确认。", "The provider has to confirm on the platform before this is submitted."
    ),
    "team.without_host": Text(
        "只有平台企业代团队申请时才填团队名称。", "A team is named only where its host applies for it."
    ),
    "boolean.expected": Text("此处应为 true 或 false。", "true or false is expected here."),
    "integer.expected": Text("此处应为整数。", "A whole number is expected here."),
    "integer.out_of_range": Text("数值范围：{detail}。", "It must lie in {detail}."),
    "money.text_expected": Text('金额须为字符串，例如 "408000.00"。', 'An amount is a string such as "408000.00".'),
    "money.malformed": Text(
        "金额须为以元为单位的半角数字，最多两位小数，不含符号、空格和千分位。",
        "An amount is in yuan, in ASCII digits with at most two decimals; no sign, space or separator.",
    ),
    "money.not_positive": Text("金额须大于 0。", "The amount must be above zero."),
    "claimed_amount.above_amount": Text("本次使用金额超过票面金额。", "The part claimed is above the face amount."),
    "rate.text_expected": Text('比例须为字符串，例如 "33.4"。', 'A percentage is a string such as "33.4".'),
    "rate.malformed": Text("比例须为半角十进制数。", "A percentage is a decimal number in ASCII digits."),
    "rate.too_high": Text("不得超过 {detail}。", "At most {detail}."),
    "day.malformed": Text("日期格式须为 YYYY-MM-DD。", "A day is written YYYY-MM-DD."),
    "day.impossible": Text("没有这一天。", "There is no such day."),
    "day.out_of_range": Text("年份范围：{detail}。", "The year must lie in {detail}."),
    "instant.malformed": Text(
        "时间须符合 RFC 3339 并带时区，例如 2024-08-29T21:21:19+08:00。",
        "An instant is of RFC 3339 with its offset, such as 2024-08-29T21:21:19+08:00.",
    ),
    "uscc.malformed": Text(
        "统一社会信用代码须为 18 位半角数字或大写字母（不含 I、O、S、V、Z）。",
        "A unified social credit code has 18 ASCII digits or capital letters (no I, O, S, V, Z).",
    ),
    "uscc.check_character": Text("统一社会信用代码的校验码不符。", "The check character of this credit code is wrong."),
    "division.malformed": Text("行政区划代码须为 6 位数字。", "A division code has six digits."),
    "cnaps.malformed": Text("联行号须为 12 位数字。", "A bank line number (CNAPS) has twelve digits."),
    "sha256.malformed": Text("SHA-256 摘要须为 64 位十六进制数。", "A SHA-256 digest has 64 hexadecimal digits."),
    "uuid.malformed": Text("须为本系统给出的 UUID。", "A UUID given by this service is expected."),
}


class Fault(ValueError):  # noqa: N818 - a fault of the input, not an error of ours
    """One value is wrong; ``code`` is a key of ``MESSAGES`` and ``detail`` what its text names."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}{SEPARATOR}{detail}" if detail else code)


def explain(fault: str) -> tuple[str, Text]:
    """Code and text of a printed :class:`Fault`."""
    code, _, detail = fault.partition(SEPARATOR)
    text = MESSAGES[code]
    return code, Text(text.zh.format(detail=detail), text.en.format(detail=detail))
