"""The versions of the registry's key: each as every tenant's chain tells of it, its file the one it was begun with."""

from collections.abc import Iterator
from typing import Any, Final

from clearing.verification.chain import Settings
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.entries import Entry
from clearing.verification.snapshot import Row, Snapshot
from clearing.verification.unsealing import OpenedSecrets, SecretsError

FIRST: Final = (1, "5b0e6d1c-3a55-4a5e-9d3e-6c1f4f1b0001")
"""The version that the schema itself brings, and its id."""
_ROWS: Final = """
select version, id, state, check_value, begun_at, filled_at, retiring_at, retired_at
  from registry_key_version order by version
"""
_STEPS: Final = {"begun": None, "filled": "filling", "retiring": "current", "retired": "retiring"}
_STATES: Final = {"begun": "filling", "filled": "current", "retiring": "retiring", "retired": "retired"}
"""From which state each step comes, and to which it leads."""
_CHECKED: Final = "clearing/registry/check"


def key_versions(snapshot: Snapshot) -> dict[int, str]:
    """The state of each version."""
    return {row.version: row.state for row in snapshot.rows("select version, state from registry_key_version")}


def key_version_differences(
    snapshot: Snapshot, settings: Settings, secrets: OpenedSecrets | None
) -> Iterator[Difference]:
    """Versions that are not as the chains say, or not under the key whose file is there."""
    rows = snapshot.rows(_ROWS)
    tenants = [tenant for (tenant,) in snapshot.rows("select tenant from tenant order by tenant")]
    said = {key: found for key, found in settings.items() if found[0].action.startswith("registry_key.")}
    known = {str(row.id) for row in rows}
    for tenant, subject in said:
        if str(subject) not in known:
            version = said[tenant, subject][0].details.get("version")
            yield differs("registry.version", f"registry_key_version/{version}", "one row", None)
    if [row.version for row in rows] != list(range(1, len(rows) + 1)):
        yield differs("registry.version", "registry_key_version", "all from 1 on", [row.version for row in rows])
    for row in rows:
        place = f"registry_key_version/{row.version}"
        for tenant in tenants:
            yield from _told(place, row, said.get((tenant, row.id), []))
        yield from _checked(place, row, secrets, begun=bool(said) or bool(tenants))


def _told(place: str, row: Row, entries: list[Entry]) -> Iterator[Difference]:
    """What one tenant's chain tells of the version."""
    steps = [entry.action.removeprefix("registry_key.") for entry in entries]
    wanted = list(_STEPS)[1 if row.version == FIRST[0] else 0 :]
    if row.version == FIRST[0]:
        wanted = [step for step in wanted if step != "filled"]
        if str(row.id) != FIRST[1]:
            yield differs("registry.version", f"{place}/id", FIRST[1], row.id)
    if steps != wanted[: len(steps)] or (row.version > FIRST[0] and not steps):
        yield differs("registry.version", place, wanted, steps)
        return
    state = _STATES[steps[-1]] if steps else "current"
    if row.state != state:
        yield differs("registry.version", f"{place}/state", state, row.state)
    by_step = dict(zip(steps, entries, strict=True))
    for step in _STEPS:
        at, entry = getattr(row, f"{step}_at"), by_step.get(step)
        if (entry is None) != (at is None) or (entry is not None and not entry.witnesses(at)):
            yield differs("registry.version", f"{place}/{step}_at", entry and entry.at, at)
    for step, entry in by_step.items():
        expected: dict[str, Any] = {"version": entry.details.get("version")}
        yield from compared("registry.version", place, expected, row)
        if (entry.from_state, entry.to_state) != (_STEPS[step], _STATES[step]):
            found = f"{entry.from_state} → {entry.to_state}"
            yield differs("registry.version", place, f"{_STEPS[step]} → {_STATES[step]}", found)


def _checked(place: str, row: Row, secrets: OpenedSecrets | None, *, begun: bool) -> Iterator[Difference]:
    if secrets is None:
        return
    try:
        expected = secrets.registry_digest("enterprise", _CHECKED, row.version)
    except SecretsError as fault:
        yield differs("secrets.unreadable", place, "the file of this key", str(fault))
        return
    if row.check_value is None and not begun:
        return
    if row.check_value is None or bytes(row.check_value) != expected:
        yield differs("registry.key", f"{place}/check_value", expected, row.check_value)
