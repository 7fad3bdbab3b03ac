"""``delta``: the Yangtze-Delta platform (S3): the intended contract (意向合同) and the claim (申请兑付).

All of it is data, in ``forms/delta.*.toml``, but for one rule: in cross-redemption the claim hands in its voucher.
"""

from collections.abc import Mapping
from typing import Any, Final

from connectors.connector import connector
from connectors.mapping import Mapped


def voucher_is_handed_in(form: Mapping[str, Any], mapped: Mapped) -> None:
    """通兑: 收取的创新券 is part of what is submitted (S3 三（四）), for it is what the provider redeems."""
    if mapped.data.get("mode") == "cross_redemption" and not form.get("收取的创新券"):
        mapped.fault(("收取的创新券",), "field.required")


INTENDED_CONTRACT: Final = connector("delta", "delta.intended_contract")
CLAIM: Final = connector("delta", "delta.claim", voucher_is_handed_in)
CONNECTORS: Final = (INTENDED_CONTRACT, CLAIM)
