"""How all sources stand together: for figures, which name no tenant and no platform."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from clearing.pulling.pace import Pace, State


@dataclass(frozen=True, slots=True)
class Standing:
    """How many live sources are in each state, and how many dead letters are open."""

    by_state: Mapping[str, int]
    letters_open: int


def standing(connection: Connection) -> Standing:
    """How the sources of the bound tenants stand."""
    pace, found = Pace(), {state.value: 0 for state in (State.LIVE, State.FAILING, State.OPEN)}
    for failures, count in connection.exec_driver_sql(_FAILURES):
        found[pace.state_of(failures).value] += count
    letters: int = connection.exec_driver_sql("select count(*) from dead_letter where state = 'open'").scalar_one()
    return Standing(found, letters)


_FAILURES: Final = (
    "select g.failures, count(*) from pull_progress g join pull_source s on s.tenant = g.tenant and s.id = g.source_id "
    "where s.disabled_at is null group by g.failures"
)
