"""Run by itself, outside the package: become the servers' account, tie this process to its parent, turn into a server.

The one argument is JSON: ``argv`` and ``env`` of the server, ``uid`` and ``gid`` (null to stay who we are), ``parent``
(the pid that must still be ours) and ``signal`` (sent by the Linux kernel when the parent ends; null for none).
"""

import ctypes
import json
import os
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Never returns: the process becomes the server, or ends because its parent has."""
    task = json.loads(sys.argv[1])
    os.umask(0o077)
    if task["uid"] is not None:
        os.setgroups([])
        os.setgid(task["gid"])
        os.setuid(task["uid"])
    if task["signal"] is not None and sys.platform == "linux":
        # After the change of account: the kernel forgets the signal when a process changes its own.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, task["signal"])
        if os.getppid() != task["parent"]:
            sys.exit(1)
    os.execve(task["argv"][0], task["argv"], task["env"])  # noqa: S606 - no shell is wanted


main()
