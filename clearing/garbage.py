"""Python's search for reference cycles, as seldom as suits a service that makes many small values and few cycles."""

import gc
from typing import Final

NEW_OBJECTS: Final = 200_000
"""So many more objects than were freed start a search: more than one chunk of claims makes, all of which it frees in
the end. Python's own 700 start hundreds of searches while a chunk is taken in, a fifth of its time; one search through
the whole chunk is still a tenth of it, and they all find nothing."""


def collect_seldom() -> None:
    """Let what is there now be, and search what comes seldom; values without a cycle are freed at once as ever."""
    gc.collect()
    gc.freeze()  # what is shared with children that are forked stays shared
    gc.set_threshold(NEW_OBJECTS, 10, 10)
