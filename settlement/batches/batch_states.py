"""Which step leads from which state of a batch to which, and who may find it done already."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from settlement.batches.batch import Batch
from tenants.kernel.errors import Conflict, Text


@dataclass(frozen=True, slots=True)
class Step:
    """One step: the states it starts from, the one it ends in, and the states in which it counts as done.

    ``doer``: the column that keeps who did it; ``state_by`` where the state itself does.
    """

    name: str
    words: Text
    starts: tuple[str, ...]
    ends: str
    done: tuple[str, ...]
    doer: str = "state_by"


PUBLISH: Final = Step("publish", Text("公示", "publish"), ("cut",), "in_publicity", ("in_publicity",), "published_by")
OBJECT: Final = Step("objection", Text("受理异议", "take an objection"), ("in_publicity",), "in_publicity", ())
FREEZE: Final = Step("freeze", Text("暂停其中一笔", "freeze a claim of"), ("cut", "in_publicity"), "", ())
"""A claim of it turned out to be suspect; the batch stays in its state."""
SEAL: Final = Step("seal", Text("封存", "seal"), ("in_publicity",), "sealed", ("sealed",), "sealed_by")
RELEASE: Final = Step(
    "release", Text("放行", "release"), ("sealed",), "released", ("released", "instructed", "settled"), "released_by"
)
INSTRUCT: Final = Step(
    "instruct", Text("生成拨付指令", "instruct"), ("released",), "instructed", ("instructed", "settled")
)
SETTLE: Final = Step("settle", Text("结算", "settle"), ("instructed",), "settled", ("settled",))
"""The bank has told of each instruction; no person does it."""
CANCEL: Final = Step("cancel", Text("撤销", "cancel"), ("cut", "in_publicity"), "cancelled", ("cancelled",))
CLOSE: Final = Step(
    "close", Text("关闭（空批次）", "close (when empty)"), ("cut", "in_publicity", "sealed"), "closed", ("closed",)
)
CLOSE_SETTLED: Final = Step(
    "close",
    Text("关闭（区域间债务已清算）", "close (when its debts are settled)"),
    ("released",),
    "closed",
    ("closed",),
)
"""The end of a batch whose payees are paid by their home region."""
CLOSE_PAID: Final = Step(
    "close", Text("关闭（已结算）", "close (once it is settled)"), ("settled",), "closed", ("closed",)
)
"""The end of a batch of which the bank has told everything: its statement is signed."""
STEPS: Final = (PUBLISH, OBJECT, SEAL, RELEASE, INSTRUCT, CANCEL, CLOSE)

STATES: Final[Mapping[str, Text]] = {
    "cut": Text("已切批", "cut"),
    "in_publicity": Text("公示中", "in publicity"),
    "sealed": Text("已封存", "sealed"),
    "released": Text("已放行", "released"),
    "instructed": Text("已生成指令", "instructed"),
    "settled": Text("已结算", "settled"),
    "closed": Text("已关闭", "closed"),
    "cancelled": Text("已撤销", "cancelled"),
}


def already_done(batch: Batch, step: Step, actor: str) -> bool:
    """Whether this person did this step already, so that doing it again changes nothing and answers the batch."""
    return batch.state in step.done and getattr(batch, step.doer) == actor


def possible_steps(batch: Batch) -> list[str]:
    """The names of the steps that the batch's state allows; what a person may do depends on the person too."""
    return [
        step.name
        for step in _steps_of(batch)
        if batch.state in step.starts and (step is not CLOSE or batch.item_count == 0)
    ]


def require_start(batch: Batch, step: Step) -> None:
    """Refuse a step that the batch's state does not allow.

    Raises:
        Conflict: ``batch.state``, saying the state and what is possible in it.
    """
    if batch.state in step.starts:
        return
    state = STATES[batch.state]
    possible = [other for other in _steps_of(batch) if other.name in possible_steps(batch)]
    next_zh = "、".join(other.words.zh for other in possible) or "无"
    next_en = ", ".join(other.words.en for other in possible) or "nothing"
    raise Conflict(
        "batch.state",
        f"批次 {batch.batch_no} {state.zh}，不能{step.words.zh}；现在可以进行的操作：{next_zh}。",
        f"Batch {batch.batch_no} is {state.en}: it is not possible to {step.words.en} it. Possible now: {next_en}.",
    )


def _steps_of(batch: Batch) -> tuple[Step, ...]:
    """The steps that a batch in this state may go, with the words for how it is closed."""
    if batch.form == "home_region" and batch.state in CLOSE_SETTLED.starts:
        return (CLOSE_SETTLED,)
    return (CLOSE_PAID,) if batch.state in CLOSE_PAID.starts else STEPS
