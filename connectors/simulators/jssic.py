"""Jiangsu's platform: orders online, offline and under service commitment (S1, S2)."""

from collections.abc import Callable, Mapping
from itertools import count
from typing import Final

from connectors.jiangsu import COMMITMENT
from connectors.simulators.conduct import Form
from connectors.simulators.simulator import WRONG, Case, Simulator, require
from tenants.kernel.clock import print_instant, shanghai_day

OFFLINE: Final = "线下下单"
ORDERED: Final = "待接单"
SERVING: Final = "服务中"
UNCONFIRMED: Final = "已提交待确认"
TO_CORRECT: Final = "待补正"


class JssicSimulator(Simulator):
    """下单 → 服务单位接单 → 申请兑付 → (服务承诺制: 服务单位确认) → 审核 → 公示 → 拨付."""

    name = "jssic"
    _numbers = count(1)

    def actions(self) -> Mapping[tuple[str, str], Callable[[str, Form], Case]]:
        """The screens of S1: order, accept, redeem, confirm."""
        return {
            ("orders", ""): self.order,
            ("orders", "accept"): self.accept,
            ("orders", "redeem"): self.redeem,
            ("orders", "confirm"): self.confirm,
        }

    def order(self, _number: str, form: Form) -> Case:
        """The enterprise orders; an offline order is one whose service was performed already (S1 线下下单)."""
        number = f"CXQ{shanghai_day(self.business.now()):%Y%m%d}{next(self._numbers):04d}"
        case = Case(number, form, SERVING if form.get("订单类型") == OFFLINE else ORDERED)
        self.cases[number] = case
        return case

    def accept(self, number: str, _form: Form) -> Case:
        """The provider takes the order on (S1 第二步：服务单位接单)."""
        case = self.cases[number]
        require(case, ORDERED)
        case.status = SERVING
        return case

    def redeem(self, number: str, materials: Form) -> Case:
        """The enterprise uploads what it has and asks to be paid (S1 第三步：创新券申兑), or corrects it (补正)."""
        case = self.cases[number]
        require(case, SERVING, TO_CORRECT, WRONG)
        case.form = case.form | materials | {"订单编号": number}
        if case.form.get("订单类型") == COMMITMENT and "服务单位确认时间" not in case.form:
            case.status = UNCONFIRMED
            return case
        return self.submit(case)

    def confirm(self, number: str, _form: Form) -> Case:
        """The provider confirms what the enterprise uploaded (S1 服务单位确认，服务承诺制)."""
        case = self.cases[number]
        require(case, UNCONFIRMED)
        case.form["服务单位确认时间"] = print_instant(self.business.now())
        return self.submit(case)
