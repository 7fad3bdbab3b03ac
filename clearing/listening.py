"""The socket that the web processes share."""

import socket


def listen(host: str, port: int) -> socket.socket:
    """A bound socket that does not yet listen, so that nobody waits on a service that is only starting.

    Raises:
        OSError: the address is taken or not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener
