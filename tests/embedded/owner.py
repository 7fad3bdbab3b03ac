"""A process that owns the servers of the folder named on the command line until it is killed or its input ends."""

import sys
from pathlib import Path

from clearing.embedded import EmbeddedServers

if __name__ == "__main__":
    with EmbeddedServers(Path(sys.argv[1])) as addresses:
        sys.stdout.write(addresses.app_url + "\n")
        sys.stdout.flush()
        sys.stdin.read()
