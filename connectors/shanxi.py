"""``shanxi-inno``: Shanxi's voucher system (S4): a claim after the provider bound it, by an enterprise or a host.

The fields are data, in ``forms/shanxi-inno.binding.toml``. The two cut-offs are the policy's, by 提交时间.
"""

from collections.abc import Mapping
from typing import Any, Final

from connectors.connector import connector, text_at
from connectors.mapping import Mapped

ENTERPRISE: Final = "企业"
HOST: Final = "平台企业代团队"


def provider_has_bound(form: Mapping[str, Any], mapped: Mapped) -> None:
    """The provider confirms in the system before the claim is made (S4 四（三）创新券绑定)."""
    if text_at(form, "绑定", "服务机构确认时间") is None:
        mapped.fault(("绑定", "服务机构确认时间"), "provider.unconfirmed")


def team_applies_through_its_host(form: Mapping[str, Any], mapped: Mapped) -> None:
    """A team that is no legal person applies through the enterprise that hosts it (S4 一（三）).

    The claim is then the host's, which is resident in the place by being its operator; the team is named.
    """
    applicant, team = text_at(form, "申请主体类别") or ENTERPRISE, text_at(form, "团队名称")
    if applicant not in (ENTERPRISE, HOST):
        mapped.fault(("申请主体类别",), f"label.unknown|{ENTERPRISE}、{HOST}")
    elif applicant == HOST and team is None:
        mapped.fault(("团队名称",), "field.required")
    elif applicant == ENTERPRISE and team is not None:
        mapped.fault(("团队名称",), "team.without_host")


BINDING: Final = connector("shanxi-inno", "shanxi-inno.binding", provider_has_bound, team_applies_through_its_host)
CONNECTORS: Final = (BINDING,)
