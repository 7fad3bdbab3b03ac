"""What a workbook may unpack to, looked at before anything of it is parsed: size, density, parts, entities."""

from pathlib import Path
from typing import IO, Final
from zipfile import ZipFile, ZipInfo

from tenants.tables.errors import TableError, TooLargeError

UPLOADED_BYTES: Final = 64 * 2**20
"""What an uploaded workbook may unpack to."""
LOCAL_BYTES: Final = 4 * 2**30
"""What a workbook may unpack to that an operator reads from the own disk, row by row."""
MAX_RATIO: Final = 100
SMALL_BYTES: Final = 2**20
"""What unpacks to no more than this may be as dense as it likes."""
MAX_PARTS: Final = 1_000

_ENTITY: Final = (b"<!DOCTYPE", b"<!ENTITY")
_WIDE: Final = (b"\xff\xfe", b"\xfe\xff", b"\x00<", b"<\x00")
"""How a part begins that is not written in bytes of ASCII and so could hide an entity."""
_BLOCK_BYTES: Final = 2**20
_ENCRYPTED: Final = 1

Source = Path | IO[bytes]
"""A file by its name, or one that is open and can be sought in."""


def refuse_bomb(archive: ZipFile, unpacked_bytes: int) -> None:
    """Refuse before unpacking what would unpack to too much, and before parsing what declares entities.

    Raises:
        TooLargeError: it is too large, too dense, or has too many parts.
        TableError: it declares a document type, or is encrypted.
    """
    parts = archive.infolist()
    unpacked, packed = (sum(getattr(part, name) for part in parts) for name in ("file_size", "compress_size"))
    too_dense = unpacked > SMALL_BYTES and unpacked > MAX_RATIO * max(packed, 1)
    if len(parts) > MAX_PARTS or unpacked > unpacked_bytes or too_dense:
        raise TooLargeError("工作簿解压后过大。", "The workbook unpacks to too much.")
    for part in parts:
        if part.flag_bits & _ENCRYPTED:
            raise TableError("工作簿有密码保护。", "The workbook is protected by a password.")
        if part.filename.endswith((".xml", ".rels", ".vml")) and _declares(archive, part):
            raise TableError("工作簿含有不可用的内容（文档类型）。", "The workbook declares a document type.")


def _declares(archive: ZipFile, part: ZipInfo) -> bool:
    """Whether the part declares a type or an entity, or is written so that it could hide one."""
    kept, is_first = b"", True
    with archive.open(part) as stream:
        while block := stream.read(_BLOCK_BYTES):
            text = kept + block
            if (is_first and text.startswith(_WIDE)) or any(word in text for word in _ENTITY):
                return True
            kept, is_first = text[-len(_ENTITY[0]) :], False
    return False
