"""Which connector reads what a platform sends."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from connectors import jiangsu, local, shanxi, yangtze_delta
from connectors.connector import Connector
from connectors.form_document import Target

_MODULES: Final = (jiangsu, yangtze_delta, shanxi, local)
"""One line for each platform's module."""

CONNECTORS: Final[Mapping[tuple[str, Target], Connector]] = MappingProxyType(
    {(one.platform, one.document.makes): one for module in _MODULES for one in module.CONNECTORS}
)


def connector_of(platform: str, makes: Target) -> Connector | None:
    """The connector for what the platform sends, or ``None`` where it speaks the canonical form alone."""
    return CONNECTORS.get((platform, makes))
