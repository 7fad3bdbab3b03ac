"""A pilot region's own platform: it pays its vouchers itself and says so, that nobody pays them again (S3 三（一）)."""

from collections.abc import Callable, Mapping
from typing import Final

from connectors.client import CallError
from connectors.simulators.conduct import REPEATED, Conduct, Form
from connectors.simulators.simulator import WRONG, Case, Simulator
from tenants.kernel.clock import shanghai_day

PAID: Final = "已兑付"


class LocalSimulator(Simulator):
    """本地兑付 → 登记支持记录."""

    name = "local"

    def actions(self) -> Mapping[tuple[str, str], Callable[[str, Form], Case]]:
        """It pays."""
        return {("payments", ""): self.pay}

    def pay(self, _number: str, form: Form) -> Case:
        """What was paid here is registered with the clearing service."""
        case = Case(str(form["兑付编号"]), form, PAID)
        self.cases[case.number] = case
        times = REPEATED if self.conduct in (Conduct.DUPLICATE, Conduct.RETRYING) else 1
        try:
            for _ in range(times):
                self.platform.register_support_form(form)
            self.accounts.enter_record(case.number, shanghai_day(self.business.now()))
        except CallError as error:
            case.status, case.problem = WRONG, {"detail": error.body}
        return case
