"""Wherever one person proposes or enters and another decides (四眼): a reason to refuse, and never the same person."""

from collections.abc import Mapping
from typing import Final

from tenants.kernel.errors import FieldError, Forbidden, Invalid, Text

OUTCOMES: Final = ("approve", "reject")
BECOMES: Final[Mapping[str, str]] = {"approve": "approved", "reject": "rejected"}
"""What an outcome makes of what was proposed."""


def require_reason(outcome: str, reason: str | None, *, without: str = "approve") -> None:
    """Only the outcome ``without`` needs no reason.

    Raises:
        Invalid: ``decision.invalid``, at ``/reason``.
    """
    if outcome != without and not reason:
        said = Text("请填写理由。", "A reason is needed.")
        raise Invalid("decision.invalid", said.zh, said.en, errors=(FieldError("/reason", "reason.missing", said),))


def require_another(noun: str, proposed_by: str, actor: str) -> None:
    """Nobody decides what he proposed.

    Raises:
        Forbidden: ``<noun>.four_eyes``.
    """
    if proposed_by == actor:
        raise Forbidden(f"{noun}.four_eyes", "提出人不能自行决定。", "Who proposed it may not decide it: four eyes.")
