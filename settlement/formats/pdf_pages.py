"""A PDF (ISO 32000-1) of text pages that is written while it grows: memory does not follow the number of pages.

reportlab keeps every page until the end (1 GB for a million lines), so the few objects that a text page needs are
written here. The Chinese font is the reader's own (``STSong-Light``, one of the fonts every PDF reader substitutes);
no font file is needed or embedded. The same content gives the same bytes.
"""

import re
import zlib
from array import array
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import BinaryIO, Final

from tenants.kernel.clock import SHANGHAI

FONT_UNITS: Final = 1000

_ASCII_WIDTHS: Final = (
    207, 270, 342, 467, 462, 797, 710, 239, 374, 374, 423, 605, 238, 375, 238, 334, 462, 462, 462, 462, 462,
    462, 462, 462, 462, 462, 238, 238, 605, 605, 605, 344, 748, 684, 560, 695, 739, 563, 511, 729, 793, 318,
    312, 666, 526, 896, 758, 772, 544, 772, 628, 465, 607, 753, 711, 972, 647, 620, 607, 374, 333, 374, 606,
    500, 239, 417, 503, 427, 529, 415, 264, 444, 518, 241, 230, 495, 228, 793, 527, 524, 524, 504, 338, 336,
    277, 517, 450, 652, 466, 452, 407, 370, 258, 370, 605,
)  # fmt: skip
"""Widths of U+0020 to U+007E in the font, which are its glyphs 1 to 95; every other glyph is as wide as high."""
_FIRST_ASCII: Final = 0x20
_WIDTHS: Final = {chr(place): width for place, width in enumerate(_ASCII_WIDTHS, start=_FIRST_ASCII)}
_WIDTHS_BY_CODE: Final = tuple([_WIDTHS.get(chr(code), FONT_UNITS) for code in range(0x80)])
_BEYOND_BASIC_PLANE = re.compile("[\U00010000-\U0010ffff]")

_DIGITS_A_CHARACTER: Final = 4
_LEVEL: Final = 3
"""Packs in half of the usual level's time, and a sixth larger."""
_CATALOGUE, _PAGES, _FONT, _INFO = 1, 2, 3, 4
_FONT_OBJECT: Final = (
    "<< /Type /Font /Subtype /Type0 /BaseFont /STSong-Light-UniGB-UCS2-H /Encoding /UniGB-UCS2-H /DescendantFonts [ "
    "<< /Type /Font /Subtype /CIDFontType0 /BaseFont /STSong-Light "
    "/CIDSystemInfo << /Registry (Adobe) /Ordering (GB1) /Supplement 4 >> /DW 1000 "
    f"/W [ 1 [ {' '.join(map(str, _ASCII_WIDTHS))} ] ] "
    "/FontDescriptor << /Type /FontDescriptor /FontName /STSong-Light /Flags 6 /FontBBox [ -25 -254 1000 880 ] "
    "/ItalicAngle 0 /Ascent 752 /Descent -271 /CapHeight 737 /StemV 58 >> >> ] >>"
)


class PdfPages:
    """A document that is open for pages; ``close`` ends it and leaves the file object open."""

    def __init__(self, out: BinaryIO, width: int, height: int, title: str, author: str, created_at: datetime) -> None:
        self._out = out
        self._size = (width, height)
        self._offsets = array("Q", bytes(8 * (_INFO + 1)))
        """Where each object starts, by its number."""
        self._written = 0
        self._write(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
        self._object(_CATALOGUE, f"<< /Type /Catalog /Pages {_PAGES} 0 R >>")
        self._object(_FONT, _FONT_OBJECT)
        printed = created_at.astimezone(SHANGHAI).strftime("D:%Y%m%d%H%M%S+08'00'")
        self._object(_INFO, f"<< /Title {_text(title)} /Author {_text(author)} /CreationDate ({printed}) >>")

    def add(self, content: bytes) -> None:
        """Append a page of content that is :func:`packed`; its font is ``/F``."""
        page = len(self._offsets)
        self._offsets.extend((0, 0))
        self._object(page, _page(page))
        head, tail = _around(len(content))
        self._object_bytes(page + 1, head + content + tail)

    def go_on(self, sizes: Iterable[int]) -> None:
        """Go on behind pages that stand in the file already, given by the sizes of their contents."""
        for size in sizes:
            page, around = len(self._offsets), sum(map(len, _around(size)))
            self._offsets.append(self._written)
            self._written += len(_object(page, _page(page).encode()))
            self._offsets.append(self._written)
            self._written += len(_object(page + 1, b"")) + around + size

    def close(self) -> None:
        """Write the page tree and the table of objects."""
        pages = range(_INFO + 1, len(self._offsets), 2)
        width, height = self._size
        kids = " ".join([f"{page} 0 R" for page in pages])
        self._object(
            _PAGES,
            f"<< /Type /Pages /Count {len(pages)} /MediaBox [ 0 0 {width} {height} ] "
            f"/Resources << /Font << /F {_FONT} 0 R >> >> /Kids [ {kids} ] >>",
        )
        start, count = self._written, len(self._offsets)
        self._write(f"xref\n0 {count}\n0000000000 65535 f \n".encode())
        for offset in self._offsets[1:]:
            self._write(b"%010d 00000 n \n" % offset)
        trailer = f"<< /Size {count} /Root {_CATALOGUE} 0 R /Info {_INFO} 0 R >>"
        self._write(f"trailer\n{trailer}\nstartxref\n{start}\n%%EOF\n".encode())

    def _object(self, number: int, body: str) -> None:
        self._object_bytes(number, body.encode("ascii"))

    def _object_bytes(self, number: int, body: bytes) -> None:
        self._offsets[number] = self._written
        self._write(_object(number, body))

    def _write(self, data: bytes) -> None:
        self._out.write(data)
        self._written += len(data)


def _object(number: int, body: bytes) -> bytes:
    return b"%d 0 obj\n%b\nendobj\n" % (number, body)


def _page(number: int) -> str:
    return f"<< /Type /Page /Parent {_PAGES} 0 R /Contents {number + 1} 0 R >>"


def _around(size: int) -> tuple[bytes, bytes]:
    """What stands before and behind a page's content of this size."""
    return b"<< /Length %d /Filter /FlateDecode >>\nstream\n" % size, b"\nendstream"


def packed(operators: str) -> bytes:
    """A page's content operators as they stand in the file."""
    return zlib.compress(operators.encode("ascii"), _LEVEL)


def printable(text: str) -> str:
    """The text with every character that the font's encoding cannot hold as its code point: ``[U+20BB7]``."""
    return _BEYOND_BASIC_PLANE.sub(lambda found: f"[U+{ord(found[0]):X}]", text)


def shown(left: float, height: float, size: int, text: str) -> str:
    """The operators that show a printable text from a point, given in points from the lower left corner."""
    return set_point(left, height, size) + shown_here(text)


def set_point(left: float, height: float, size: int) -> str:
    """The operator that sets point and size for what is shown next."""
    return f"{size} 0 0 {size} {left:.1f} {height:.1f} Tm "


def shown_here(text: str) -> str:
    """The operator that shows a printable text from the point that is set."""
    return f"<{text.encode('utf-16-be').hex()}> Tj"


def hexed(texts: Sequence[str]) -> list[str]:
    """What stands between the brackets of the operators that show printable texts, for all of them at one go."""
    digits, at, found = "".join(texts).encode("utf-16-be").hex(), 0, []
    for text in texts:
        end = at + _DIGITS_A_CHARACTER * len(text)
        found.append(digits[at:end])
        at = end
    return found


def text_width(text: str, size: int) -> float:
    """The width of a printable text in points."""
    return _units(text) * size / FONT_UNITS


def _units(text: str) -> int:
    """The width of a printable text in the font's own units."""
    narrow = text.encode("ascii", "ignore")
    return FONT_UNITS * (len(text) - len(narrow)) + sum(map(_WIDTHS_BY_CODE.__getitem__, narrow))


def fitting(text: str, size: int, width: float) -> int:
    """How many characters from the start of a printable text fit into the width, in points."""
    if len(text) * size <= width:
        return len(text)
    sure = int(width // size)  # no character is wider than high
    left = width * FONT_UNITS / size - _units(text[:sure])
    for index in range(sure, len(text)):
        left -= _WIDTHS.get(text[index], FONT_UNITS)
        if left < 0:
            return index
    return len(text)


def _text(text: str) -> str:
    """A text string object (section 7.9.2.2), which holds every character."""
    return f"<feff{text.encode('utf-16-be').hex()}>"
