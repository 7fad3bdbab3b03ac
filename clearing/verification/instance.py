"""The instance's mark: database, chains, credentials and secrets all say the same of whether this is a sandbox.

A mark that was changed past all triggers is contradicted by the chains, which a sandbox begins by saying what it is; by
the names of its clients; and by the secrets that its values open with.
"""

import hmac
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from clearing.verification.chain import Settings
from clearing.verification.difference import Difference, differs
from clearing.verification.snapshot import Snapshot

REAL: Final = "real"
SANDBOX: Final = "sandbox"
FOUNDED: Final = "instance.sandbox"
PREFIX: Final = "test_"
_BOUND: Final = b"clearing/instance/v1\n"


def instance_differences(snapshot: Snapshot, settings: Settings, folder: Path | None) -> Iterator[Difference]:
    """Where something else is said than the database's own mark."""
    rows = snapshot.rows("select only_row, mark from instance")
    if len(rows) != 1 or rows[0].only_row is not True:
        yield differs("instance.absent", "instance", "one row", len(rows))
        return
    mark: str = rows[0].mark
    snapshot.tally[f"instances ({mark})"] += 1
    founded = {tenant for (tenant, _), entries in settings.items() if entries[0].action == FOUNDED}
    for row in snapshot.rows("select tenant from tenant order by tenant"):
        said = SANDBOX if row.tenant in founded else REAL
        if said != mark:
            yield differs("instance.mark", "instance/mark", f"{said}, says the chain of {row.tenant}", mark)
    for row in snapshot.rows("select client_id from client order by client_id"):
        said = SANDBOX if row.client_id.startswith(PREFIX) else REAL
        if said != mark:
            yield differs("instance.client", f"client/{row.client_id}", f"a client of a {mark} instance", said)
    for row in snapshot.rows("select id, method from bank_submission order by id"):
        if (row.method == "simulator" and mark == REAL) or (row.method == "http" and mark == SANDBOX):
            yield differs(
                "instance.payment", f"bank_submission/{row.id}/method", f"a way of a {mark} instance", row.method
            )
    if folder is not None:
        found = _of_secrets(folder)
        if found != mark:
            yield differs("instance.mark", "instance/mark", f"{found}, say the secrets", mark)


def _of_secrets(folder: Path) -> str:
    """Whose the secrets are: the mark is bound to the key-encryption key by HMAC-SHA-256."""
    try:
        said, key = (folder / "instance").read_bytes(), (folder / "kek").read_bytes()
    except FileNotFoundError:
        return REAL
    except OSError as error:
        return f"unreadable: {error.strerror}"
    for mark in (REAL, SANDBOX):
        if said == f"{mark}\n{hmac.digest(key, _BOUND + mark.encode(), 'sha256').hex()}\n".encode():
            return mark
    return "another instance's"
