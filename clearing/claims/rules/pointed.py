"""Places in a claim as people name them: JSON pointers (RFC 6901) are for programs."""

import re
from functools import lru_cache
from typing import Final

from tenants.kernel.errors import Text

PLACES_KEPT: Final = 1_024
_PLACE: Final = re.compile(r"/([a-z]+)(?:/([0-9]{1,6}))?(?:/[a-z_]+)?", re.ASCII)
_ONE_OF_MANY: Final = {
    "services": Text("第 {number} 项服务", "service {number}"),
    "invoices": Text("第 {number} 张发票", "invoice {number}"),
    "receipts": Text("第 {number} 张回单", "receipt {number}"),
    "documents": Text("第 {number} 份材料", "document {number}"),
    "keys": Text("第 {number} 个标识", "key {number}"),
}
_ONE: Final = {"contract": Text("合同", "contract"), "enterprise": Text("企业", "enterprise")}


@lru_cache(maxsize=PLACES_KEPT)
def place_words(pointer: str) -> Text:
    """What the pointer points at, ``第 1 张发票`` for ``/invoices/0``, counted from one; another one as it is."""
    found = _PLACE.fullmatch(pointer)
    if found is None:
        return Text(pointer, pointer)
    name, index = found.groups()
    if index is not None and name in _ONE_OF_MANY:
        number, words = int(index) + 1, _ONE_OF_MANY[name]
        return Text(words.zh.format(number=number), words.en.format(number=number))
    return _ONE.get(name, Text(pointer, pointer)) if index is None else Text(pointer, pointer)
