"""The Yangtze-Delta platform: the intended contract, the confirmed voucher, and the claim (S3 三)."""

from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, Final

from connectors.client import CallError
from connectors.simulators.conduct import Form
from connectors.simulators.simulator import WRONG, Case, RefusedError, Simulator, require
from tenants.kernel.clock import shanghai_day

ASKED: Final = "待确认额度"
CONFIRMED: Final = "额度已确认"


class DeltaSimulator(Simulator):
    """服务确认（意向合同）→ 额度确认 → 申请兑付 → 审核 → 公示 → 兑付."""

    name = "delta"
    _numbers = count(1)

    def __init__(self, *given: Any) -> None:  # noqa: ANN401 - as the simulator's
        super().__init__(*given)
        self.vouchers: dict[str, str] = {}
        """The reservation of each intended contract."""

    def actions(self) -> Mapping[tuple[str, str], Callable[[str, Form], Case]]:
        """The steps of S3 三: hand in the intended contract, claim."""
        return {("contracts", ""): self.intend, ("claims", ""): self.claim, ("claims", "correct"): self.correct}

    def intend(self, _number: str, form: Form) -> Case:
        """Enterprise or provider hands in the intended contract (服务确认)."""
        case = Case(self._next("YX"), form, ASKED)
        case.form["意向编号"] = case.number
        self.cases[case.number] = case
        try:
            self.vouchers[case.number] = self.platform.reserve_by_form(case.form)["id"]
        except CallError as error:
            case.status, case.problem = WRONG, {"detail": error.body}
        return case

    def claim(self, _number: str, form: Form) -> Case:
        """Enterprise or provider claims with contract, receipts, invoices, voucher and results (申请兑付).

        ``意向编号`` names the intended contract whose voucher is handed in.
        """
        intended = form.pop("意向编号", None)
        if intended is not None:
            if intended not in self.cases or self.cases[intended].status != CONFIRMED:
                raise RefusedError(f"{intended}：额度未确认")
            form["收取的创新券"] = self.vouchers[intended]
        case = Case(self._next("CSJ"), form, "")
        case.form["申请编号"] = case.number
        self.cases[case.number] = case
        return self.submit(case)

    def correct(self, number: str, form: Form) -> Case:
        """The claim is handed in again, corrected (补正)."""
        case = self.cases[number]
        require(case, "待补正", WRONG)
        case.form |= form
        return self.submit(case)

    def take(self, told: Mapping[str, Any]) -> None:
        """What is told of an intended contract, or as for every platform."""
        case = self.cases.get(told["data"].get("external_id", ""))
        if case is not None and told["type"].startswith("reservation."):
            case.told.append(told["type"])
            case.status = CONFIRMED if told["data"]["state"] == "confirmed" else case.status
        else:
            super().take(told)

    def _next(self, prefix: str) -> str:
        return f"{prefix}{shanghai_day(self.business.now()):%Y%m%d}{next(self._numbers):04d}"
