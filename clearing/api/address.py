"""Addresses: our own, and those that are refused.

A control character in a path or query is refused before anything reads it; the database takes no NUL.
"""

import os
import re
from typing import Final
from urllib.parse import urlsplit

from flask import Flask, request

from tenants.kernel.errors import Malformed

PUBLIC_URL: Final = "CLEARING_PUBLIC_URL"
"""Environment variable: the address under which clients and people call this service: https://clearing.example."""

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_CONTROL: Final = re.compile("[\x00-\x1f\x7f]")
_ESCAPED: Final = re.compile(r"%(?:[01][0-9A-Fa-f]|7[Ff])")


def public_url() -> str | None:
    """The service's address without a slash at its end, as the operator named it: no request's word is taken for it.

    Where it is not named, what is called on this machine is at the address called; anything else is at none.
    """
    named = os.environ.get(PUBLIC_URL)
    if named is None and urlsplit(request.url_root).hostname in _LOOPBACK:
        named = request.url_root
    return None if named is None else named.rstrip("/")


def refuse_hostile_addresses(app: Flask) -> None:
    """Answer 400 to every request whose address holds a control character."""
    app.before_request(_refuse)


def _refuse() -> None:
    if _CONTROL.search(request.environ["PATH_INFO"]) or _ESCAPED.search(request.environ["QUERY_STRING"]):
        raise Malformed("address.control_character", "网址中含有控制字符。", "The address holds a control character.")
