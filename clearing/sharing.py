"""How many connections each web process has open, in memory that they share, so that all get about as many.

All processes wait at one socket, and whichever wakes first takes whoever waits there: without this one process may
hold every connection while the other is idle.
"""

import mmap
import struct
import time
from typing import Final

AFTER_YOU_SECONDS: Final = 0.001
"""How long a process that has more connections than another lets that one go first."""
_COUNT: Final = struct.Struct("=I")


class Shares:
    """The counts, one a process; made before the processes are forked."""

    def __init__(self, processes: int) -> None:
        self._memory = mmap.mmap(-1, max(processes * _COUNT.size, 1))
        self._processes = processes

    def note(self, process: int, connections: int) -> None:
        """Say how many connections the process has open; each process counts from zero and says its own only."""
        _COUNT.pack_into(self._memory, process * _COUNT.size, connections)

    def has_more(self, process: int) -> bool:
        """Whether another process has fewer connections."""
        counts: list[int] = [_COUNT.unpack_from(self._memory, one * _COUNT.size)[0] for one in range(self._processes)]
        return counts[process] > min(counts)

    def let_go_first(self, process: int) -> None:
        """Wait a moment where another process has fewer connections; after that the caller may take the next one.

        So a process that hangs or is gone costs newcomers that moment, and keeps nobody out.
        """
        if self.has_more(process):
            time.sleep(AFTER_YOU_SECONDS)
