"""Addresses: a control character in a path or query is refused before anything reads it; the database takes no NUL."""

import re
from typing import Final

from flask import Flask, request

from tenants.kernel.errors import Malformed

_CONTROL: Final = re.compile("[\x00-\x1f\x7f]")
_ESCAPED: Final = re.compile(r"%(?:[01][0-9A-Fa-f]|7[Ff])")


def refuse_hostile_addresses(app: Flask) -> None:
    """Answer 400 to every request whose address holds a control character."""
    app.before_request(_refuse)


def _refuse() -> None:
    if _CONTROL.search(request.environ["PATH_INFO"]) or _ESCAPED.search(request.environ["QUERY_STRING"]):
        raise Malformed("address.control_character", "网址中含有控制字符。", "The address holds a control character.")
