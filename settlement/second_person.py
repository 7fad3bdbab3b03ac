"""What a second person says of what a first one proposed (four eyes): the two words, and what saying them needs."""

from typing import Final

from tenants.kernel.errors import Forbidden, Invalid, Text

APPROVE: Final = "approve"
REFUSE: Final = "refuse"


def require_second_person(of: str, said: Text, proposed_by: str, actor: str, outcome: str, reason: str | None) -> None:
    """Refuse a decision by who proposed it, and a refusal that does not say why.

    ``of`` begins the codes; ``said`` tells who has to decide.

    Raises:
        Forbidden: ``<of>.four_eyes``.
        Invalid: ``<of>.reason``.
    """
    if actor == proposed_by:
        raise Forbidden(f"{of}.four_eyes", said.zh, said.en)
    if outcome == REFUSE and not reason:
        raise Invalid(f"{of}.reason", "不同意须说明理由。", "A refusal needs a reason.")
