"""How a process learns that it is to end."""

import signal
import threading


def until_told() -> threading.Event:
    """An event that SIGTERM sets, or SIGINT unless we were started to ignore it; called in the main thread."""
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        if signal.getsignal(number) is not signal.SIG_IGN:  # where Ctrl-C is for our parent alone
            signal.signal(number, lambda *_: told.set())
    return told
