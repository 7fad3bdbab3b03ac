"""Our own launcher for the embedded PostgreSQL and Valkey: private sockets, passwords, an ordinary account.

The wheels' launchers trust every local user (see the specification, security); only their programs are used here.
"""

from clearing.embedded.addresses import Addresses
from clearing.embedded.errors import AlreadyRunningError, EmbeddedError
from clearing.embedded.servers import EmbeddedServers, addresses_of, embedded

__all__ = ["Addresses", "AlreadyRunningError", "EmbeddedError", "EmbeddedServers", "addresses_of", "embedded"]
