"""``jssic``: orders of Jiangsu's platform (S1, S2): online, offline, and under service commitment (服务承诺制).

The fields are data, in ``forms/jssic.order.toml``; here is what depends on the kind of order and of enterprise.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from connectors.connector import connector, text_at
from connectors.mapping import Mapped

COMMITMENT: Final = "服务承诺制"
_ORDER_NUMBER: Final = re.compile(r"CXQ(20[0-9]{2})(0[1-9]|1[0-2])([0-2][0-9]|3[01])[0-9]{4}\Z")
"""As on S2's screen: CXQ, the day of the order, four digits."""
_PROOF_NUMBER: Final = "资格编号"


def order_number_is_sound(form: Mapping[str, Any], mapped: Mapped) -> None:
    """An order number is ``CXQ`` with a day and four digits (S2: CXQ202408293280)."""
    number = mapped.data.get("external_id")
    if isinstance(number, str) and not _ORDER_NUMBER.match(number):
        mapped.fault(("订单编号",), "order_number.malformed")
    del form


def commitment_is_confirmed(form: Mapping[str, Any], mapped: Mapped) -> None:
    """An order under service commitment comes here only after the provider's own confirmation (S1 确认材料)."""
    if text_at(form, "订单类型") == COMMITMENT and text_at(form, "服务单位确认时间") is None:
        mapped.fault(("服务单位确认时间",), "provider.unconfirmed")


def proof_goes_with_the_type(form: Mapping[str, Any], mapped: Mapped) -> None:
    """资格编号 proves the enterprise's type, whichever that is (S2); the registry number is that of a 科小."""
    enterprise = mapped.data.get("enterprise", {})
    number, types = text_at(form, "企业", _PROOF_NUMBER), enterprise.get("types") or []
    proofs = enterprise.setdefault("type_proofs", {})
    if number is not None:
        for code in types[:1]:
            proofs.setdefault(code, {})["number"] = number
            mapped.origins["enterprise", "type_proofs", code, "number"] = ("企业", _PROOF_NUMBER)


def service_is_named_by_its_instrument(form: Mapping[str, Any], mapped: Mapped) -> None:
    """A service line names the service or the instrument (S1: 或请输入提供此服务的仪器名称)."""
    for number, line in enumerate(mapped.data.get("services", [])):
        if "name" not in line and "instrument" in line:
            line["name"] = line["instrument"]
            mapped.origins["services", number, "name"] = ("服务明细", number, "仪器名称")
    del form


ORDER: Final = connector(
    "jssic",
    "jssic.order",
    order_number_is_sound,
    commitment_is_confirmed,
    proof_goes_with_the_type,
    service_is_named_by_its_instrument,
)
CONNECTORS: Final = (ORDER,)
