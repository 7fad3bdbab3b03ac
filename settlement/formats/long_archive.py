"""A ZIP archive with one long entry that is packed section by section, so that packing can go on after a stop.

Every section ends in a full flush (RFC 1951, as ``pigz`` writes it): what follows refers to nothing before it. The
archive's other entries are short. The same content in the same sections gives the same bytes.
"""

import struct
import zlib
from dataclasses import dataclass
from typing import BinaryIO, Final
from zipfile import ZIP_DEFLATED, ZipInfo

MAX_BYTES: Final = 2**32 - 2
"""What an entry and the archive can hold without the long form of their headers."""

_LEVEL: Final = 3
"""Rows repeat themselves: packed as small as by the usual level, in less than half of its time."""
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_UNIX: Final = 3
_OWNER_ONLY: Final = 0o600 << 16
_CENTRAL: Final = "<4s4B4HL2L5H2L"
_END: Final = "<4s4H2LH"


@dataclass(frozen=True, slots=True)
class Packed:
    """How far the long entry is after a section: its check sum and size unpacked, and its size packed."""

    crc: int = 0
    size: int = 0
    packed: int = 0


class LongArchive:
    """An archive that is open for its long entry; the file has to be seekable."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._entries: list[ZipInfo] = []
        self._packing: zlib._Compress | None = None
        self._crc, self._size, self._packed = 0, 0, 0

    def add(self, name: str, content: bytes) -> None:
        """Append a short entry."""
        packer = _packer()
        packed = packer.compress(content) + packer.flush()
        entry = self._begin(name)
        entry.CRC, entry.file_size, entry.compress_size = zlib.crc32(content), len(content), len(packed)
        self._out.write(entry.FileHeader(zip64=False) + packed)

    def begin_long(self, name: str) -> int:
        """Begin the long entry, which is not packed yet; where its content begins in the file."""
        self._out.write(self._begin(name).FileHeader(zip64=False))
        return self._out.tell()

    def go_on(self, packed: Packed) -> None:
        """Go on behind sections that stand in the file already."""
        self._crc, self._size, self._packed = packed.crc, packed.size, packed.packed

    def write(self, content: bytes) -> None:
        """Append to the long entry."""
        if self._packing is None:
            self._packing = _packer()
        self._crc = zlib.crc32(content, self._crc)
        self._size += len(content)
        self._put(self._packing.compress(content))

    def end_section(self) -> Packed:
        """End a section of the long entry, which another one follows."""
        if self._packing is not None:
            self._put(self._packing.flush(zlib.Z_FULL_FLUSH))
            self._packing = None
        return Packed(self._crc, self._size, self._packed)

    def end_long(self) -> None:
        """End the long entry.

        Raises:
            ValueError: it is larger than ``MAX_BYTES``.
        """
        self._put((self._packing or _packer()).flush(zlib.Z_FINISH))
        if max(self._size, self._out.tell()) > MAX_BYTES:
            raise ValueError(f"a workbook holds at most {MAX_BYTES} bytes")
        entry = self._entries[-1]
        entry.CRC, entry.file_size, entry.compress_size = self._crc, self._size, self._packed
        end = self._out.tell()
        self._out.seek(entry.header_offset)
        self._out.write(entry.FileHeader(zip64=False))
        self._out.seek(end)

    def close(self) -> None:
        """Write the directory of the entries; the file stays open."""
        start = self._out.tell()
        for entry in self._entries:
            name = entry.filename.encode("ascii")
            self._out.write(
                struct.pack(
                    _CENTRAL, b"PK\x01\x02", entry.create_version, _UNIX, entry.extract_version, 0, 0,
                    ZIP_DEFLATED, *_moment(entry), entry.CRC, entry.compress_size, entry.file_size,
                    len(name), 0, 0, 0, 0, entry.external_attr, entry.header_offset,
                ) + name
            )  # fmt: skip
        count = len(self._entries)
        self._out.write(struct.pack(_END, b"PK\x05\x06", 0, 0, count, count, self._out.tell() - start, start, 0))

    def _begin(self, name: str) -> ZipInfo:
        entry = ZipInfo(name, _EPOCH)
        entry.compress_type, entry.external_attr, entry.CRC = ZIP_DEFLATED, _OWNER_ONLY, 0
        entry.header_offset = self._out.tell()
        self._entries.append(entry)
        return entry

    def _put(self, packed: bytes) -> None:
        self._packed += len(packed)
        self._out.write(packed)


def _moment(entry: ZipInfo) -> tuple[int, int]:
    """Time and day as MS-DOS counts them."""
    year, month, day, hour, minute, second = entry.date_time
    return hour << 11 | minute << 5 | second // 2, (year - 1980) << 9 | month << 5 | day


def _packer() -> "zlib._Compress":
    return zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
