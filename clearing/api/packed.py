"""Compressed content (RFC 9110 §8.4.1.3): lines that come and go as gzip, bounded before anything is taken from them.

A body is unpacked twice: once to see that it is whole, that its checksum holds and that it is no bomb, keeping nothing;
then line by line. So what a broken way did to it is refused as a whole, and no line of it is believed.
"""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import IO, Final, cast

from flask import request

from clearing.api.noun import IDENTITY, body_source
from tenants.kernel.errors import Malformed, TooLarge, UnsupportedMediaType

GZIP: Final = "gzip"
MAX_UNPACKED_BYTES: Final = 64 * 2**20
MAX_RATIO: Final = 100
SMALL_BYTES: Final = 2**20
"""What unpacks to no more than this is no bomb, whatever its ratio."""
ANSWERED_AT_ONCE_BYTES: Final = 32 * 1024
"""Bytes of answers after which what is packed of them leaves."""
_BLOCK_BYTES: Final = 64 * 1024


def body_stream() -> IO[bytes]:
    """The request's body as a stream of what was packed into it, or as it came.

    Raises:
        UnsupportedMediaType: it is coded otherwise than by gzip, or twice.
        TooLarge: it unpacks to too much.
        Malformed: it is no gzip, breaks off, or was changed on its way.
    """
    coding = request.headers.get("Content-Encoding", IDENTITY).strip().lower()
    if coding == IDENTITY:
        return body_source()
    if coding not in {GZIP, "x-gzip"}:
        raise UnsupportedMediaType(
            "content_encoding.unsupported", "压缩只接受 gzip。", "Of the content codings gzip alone is accepted."
        )
    return unpacked(request.get_data())


def unpacked(content: bytes) -> IO[bytes]:
    """What the gzip ``content`` holds, as a stream of bounded memory.

    Raises:
        TooLarge: it unpacks to more than ``MAX_UNPACKED_BYTES``, or to more than ``MAX_RATIO`` times its size.
        Malformed: it is no gzip, breaks off, or was changed on its way.
    """
    most = min(MAX_UNPACKED_BYTES, max(SMALL_BYTES, MAX_RATIO * len(content)))
    size = 0
    try:
        with _opened(content) as stream:
            while block := stream.read(_BLOCK_BYTES):
                size += len(block)
                if size > most:
                    raise TooLarge("body.unpacks_too_large", "内容解压后过大。", "The body unpacks to too much.")
    except (OSError, EOFError, zlib.error) as error:
        raise Malformed(
            "content_encoding.corrupt",
            "gzip 内容不完整或已损坏，未读取任何一行，请整体重新发送。",
            "The gzip content is cut off or damaged; no line of it was read. Send it again as a whole.",
        ) from error
    return _opened(content)


def _opened(content: bytes) -> IO[bytes]:
    return cast("IO[bytes]", gzip.GzipFile(fileobj=BytesIO(content)))


def wants_gzip() -> bool:
    """Whether the caller's ``Accept-Encoding`` names gzip; ``*`` alone does not ask for it."""
    return any(name.lower() == GZIP and quality > 0 for name, quality in request.accept_encodings)


def packed(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The lines as one gzip member; what is packed leaves every ``ANSWERED_AT_ONCE_BYTES`` and can then be read."""
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    held = 0
    for line in lines:
        block = packer.compress(line)
        held += len(line)
        if held >= ANSWERED_AT_ONCE_BYTES:
            block, held = block + packer.flush(zlib.Z_SYNC_FLUSH), 0
        if block:
            yield block
    yield packer.flush()
