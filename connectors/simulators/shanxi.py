"""Shanxi's voucher system: uploaded by the enterprise, bound by the provider, claimed in one of two windows (S4 四)."""

from collections.abc import Callable, Mapping
from itertools import count
from typing import Final

from connectors.simulators.conduct import Form
from connectors.simulators.simulator import WRONG, Case, Simulator, require
from tenants.kernel.clock import print_instant, shanghai_day

UNBOUND: Final = "待服务机构确认"
BOUND: Final = "已绑定"


class ShanxiSimulator(Simulator):
    """上传材料 → 服务机构确认（创新券绑定）→ 兑现申请 → 市局初审 → 省厅审核 → 公示 → 兑现."""

    name = "shanxi-inno"
    _numbers = count(1)

    def actions(self) -> Mapping[tuple[str, str], Callable[[str, Form], Case]]:
        """The steps of S4 四（三）（四）: upload, bind, apply."""
        return {
            ("applications", ""): self.upload,
            ("applications", "bind"): self.bind,
            ("applications", "apply"): self.apply,
        }

    def upload(self, _number: str, form: Form) -> Case:
        """The enterprise, or the host of a team, uploads the materials (S4 四（三）)."""
        number = f"SXKJ{shanghai_day(self.business.now()):%Y%m%d}{next(self._numbers):04d}"
        case = Case(number, form | {"申请编号": number}, UNBOUND)
        self.cases[number] = case
        return case

    def bind(self, number: str, _form: Form) -> Case:
        """The provider confirms in the system: the voucher is bound (创新券绑定)."""
        case = self.cases[number]
        require(case, UNBOUND)
        case.form["绑定"] = {"服务机构确认时间": print_instant(self.business.now())}
        case.status = BOUND
        return case

    def apply(self, number: str, form: Form) -> Case:
        """The application is made, in the first or second window, or made again once corrected (S4 四（四）)."""
        case = self.cases[number]
        require(case, BOUND, "待补正", WRONG)
        case.form |= form
        return self.submit(case)
