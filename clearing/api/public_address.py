"""The address under which clients call this service: the operator's word, never what a request itself names."""

import os
from typing import Final
from urllib.parse import urlsplit

from flask import request

PUBLIC_URL: Final = "CLEARING_PUBLIC_URL"
"""Environment variable: the address under which clients call this service, such as https://clearing.example."""
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


def public_address() -> str | None:
    """The address without a slash at its end; on this machine's loopback the one that was called.

    ``None`` where the operator set none: then nothing that depends on it can be believed.
    """
    named = os.environ.get(PUBLIC_URL)
    if named is None:
        if urlsplit(request.url_root).hostname not in _LOOPBACK:
            return None
        named = request.url_root
    return named.rstrip("/")
