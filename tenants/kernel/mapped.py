"""A file mapped into memory for one who reads it from its beginning to its end: no size of it fills the memory."""

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import BinaryIO, Final

_GIVEN_BACK_FROM: Final = 2**26
"""Smaller files may stay until they are read."""
_EVERY_SECONDS: Final = 1 / 50
"""Some ten megabytes are read meanwhile."""
_GIVE_BACK: Final[int | None] = getattr(mmap, "MADV_DONTNEED", None)
"""Not every system knows it; pages of a file are never lost by it, they are read again."""


@contextmanager
def mapped(file: BinaryIO) -> Iterator[memoryview]:
    """The content of a file that is not empty; what was read of a large one is given back to the system meanwhile.

    Raises:
        ValueError: the file is empty.
    """
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole, memoryview(whole) as content:
        if _GIVE_BACK is None or len(content) < _GIVEN_BACK_FROM:
            yield content
            return
        ended = Event()
        giving = Thread(target=_give_back, args=(whole, _GIVE_BACK, ended), name="mapped", daemon=True)
        giving.start()
        try:
            yield content
        finally:
            ended.set()
            giving.join()


def _give_back(whole: mmap.mmap, advice: int, ended: Event) -> None:
    while not ended.wait(_EVERY_SECONDS):
        whole.madvise(advice)
