"""Test keys: ready-made clients of a sandbox, for each platform and for each member of a region's staff.

They lie in one file beside the secrets, which the sandbox's operator hands to a platform's engineer: with them a whole
flow can be seen from submission to payout instruction. Each identifier and secret begins with ``test_``.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine

from clearing.demonstration.people import PERSONS, PLATFORMS, STAFF, SUBMIT
from tenants.client_keys import add_key
from tenants.credentials import create_client, principal_named
from tenants.kernel.clock import Clock
from tenants.kernel.database import Scope, run

TEST_KEYS: Final = "test-keys.json"
"""The file of the ready-made clients, beside the secrets."""
KEPT_KEYS: Final = "kept-keys.json"
"""The file of the public keys that a reset keeps, from the emptying until they are registered again."""
_LOCK: Final = 4206_2027


def complete_keys(engine: Engine, machine: Clock, folder: Path, tenants: tuple[str, ...]) -> bool:
    """Make the ready-made clients, unless the file's live, and register kept public keys again; whether any was made.

    The file is written before the clients can be used: where that breaks off, they are made anew.
    """
    path = folder / TEST_KEYS
    with engine.begin() as connection:
        connection.exec_driver_sql("select pg_advisory_xact_lock(%s)", (_LOCK,))
        fresh = not _all_live(connection, path)
        if fresh:
            _write(path, _made(connection, machine, tenants))
    _register_kept(engine, machine, folder / KEPT_KEYS)
    return fresh


def read_keys(folder: Path) -> dict[str, Any]:
    """The ready-made clients.

    Raises:
        OSError: there is no such file.
    """
    keys: dict[str, Any] = json.loads((folder / TEST_KEYS).read_bytes())
    return keys


def set_aside(connection: Connection, folder: Path) -> None:
    """Keep the clients' public keys in a file, before the tables that hold them are emptied."""
    rows = connection.exec_driver_sql(
        "select client_id, public_jwk, added_by from client_key where revoked_at is null order by client_id, kid"
    ).all()
    kept = [{"client_id": name, "jwk": json.loads(jwk), "added_by": person} for name, jwk, person in rows]
    before = json.loads((folder / KEPT_KEYS).read_bytes()) if (folder / KEPT_KEYS).exists() else []
    _write(folder / KEPT_KEYS, [*before, *(one for one in kept if one not in before)])


def _all_live(connection: Connection, path: Path) -> bool:
    """Whether the file is there and names live clients only."""
    if not path.exists():
        return False
    keys = json.loads(path.read_bytes())
    every = [*keys["platforms"].values(), *keys["staff"].values()]
    return all(principal_named(connection, one["client_id"]) is not None for one in every)


def _made(connection: Connection, machine: Clock, tenants: tuple[str, ...]) -> dict[str, Any]:
    def client(platform: str | None, served: tuple[str, ...], scopes: tuple[str, ...], person: str | None) -> Any:  # noqa: ANN401
        made = create_client(connection, platform, served, scopes, person, machine.now())
        return {
            "client_id": made.client_id,
            "client_secret": made.client_secret,
            "tenants": list(served),
            "scopes": list(scopes),
            **({} if person is None else {"person": person}),
        }

    return {
        "environment": "sandbox",
        "platforms": {platform: client(platform, served, SUBMIT, None) for platform, served in PLATFORMS.items()},
        "staff": {role: client(None, tenants, scopes, PERSONS[role]) for role, scopes in STAFF.items()},
    }


def _register_kept(engine: Engine, machine: Clock, path: Path) -> None:
    if not path.exists():
        return
    for kept in json.loads(path.read_bytes()):
        _register(engine, machine, kept)
    path.unlink()


def _register(engine: Engine, machine: Clock, kept: Mapping[str, Any]) -> None:
    with engine.connect() as connection:
        caller = principal_named(connection, kept["client_id"])
        known = connection.exec_driver_sql(
            "select count(*) from client_key where client_id = %s and public_jwk::jsonb = %s::jsonb",
            (kept["client_id"], json.dumps(kept["jwk"])),
        ).scalar_one()
    if caller is not None and not known:
        scope = Scope(caller.tenants)
        run(engine, scope, machine, lambda work: add_key(work, kept["client_id"], kept["jwk"], kept["added_by"]))


def _write(path: Path, content: object) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    part.chmod(0o600)
    part.replace(path)
