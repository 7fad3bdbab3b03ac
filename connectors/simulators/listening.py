"""A server of this machine that a block uses: it answers in a thread of its own until the block ends."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import HTTPServer
from typing import Final

_LOOK: Final = timedelta(milliseconds=20)
"""How often a server looks whether it shall end."""


@contextmanager
def listening(server: HTTPServer) -> Iterator[str]:
    """The server's address."""
    thread = threading.Thread(target=server.serve_forever, args=(_LOOK.total_seconds(),), daemon=True)
    thread.start()
    yield f"http://{server.server_address[0]!s}:{server.server_address[1]}"
    server.shutdown()
    thread.join()
