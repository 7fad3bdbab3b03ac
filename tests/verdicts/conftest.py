"""The whole table played once, on servers of its own: some of its states are set by hand."""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from clearing.claims.records import ClaimView
from clearing.claims.vault import open_vault
from clearing.embedded import EmbeddedServers
from clearing.verification import Difference
from clearing.verification.examination import verify_database
from settlement.office import Office
from tenants.kernel.database import open_engine
from tenants.kernel.secrets import load_secrets
from tests.intake.bodies import Body
from tests.intake.counter import Counter
from tests.intake.prepared import prepared
from tests.verdicts.earlier import BY_HAND, ORDER, Past
from tests.verdicts.table import CELLS, PLATFORMS, Cell, earlier_claim, second_claim


@dataclass(frozen=True)
class Played:
    """How each second claim was answered, and what the auditor found before anything was done by hand."""

    second: dict[Cell, ClaimView]
    differences: list[Difference]


@pytest.fixture(scope="session")
def played() -> Iterator[Played]:
    folder = Path(tempfile.mkdtemp(prefix="clearing-verdicts-"))
    try:
        with EmbeddedServers(folder) as addresses:
            secrets_folder = folder / "secrets"
            prepared(addresses, secrets_folder)
            app, owner = open_engine(addresses.app_url), open_engine(addresses.owner_url)
            secrets = load_secrets(secrets_folder)
            counter = Counter(app, open_vault(secrets))
            past = Past(counter, owner, Office(secrets, demonstration=True))
            second: dict[Cell, ClaimView] = {}
            differences: list[Difference] = []
            for state in ORDER:
                if state == BY_HAND[0]:
                    differences = list(verify_database(addresses.auditor_url, secrets_folder, None))
                second |= _play(past, state)
            yield Played(second, differences)
            app.dispose()
            owner.dispose()
    finally:
        shutil.rmtree(folder)


def _play(past: Past, state: str) -> dict[Cell, ClaimView]:
    cells = [cell for cell in CELLS if cell.earlier == state]
    first = [earlier_claim(cell) for cell in cells]
    past.bring(state, first)
    answered: dict[Cell, ClaimView] = {}
    desks: dict[tuple[str, str], list[tuple[Cell, Body]]] = {}
    for cell, body in zip(cells, first, strict=True):
        desks.setdefault((cell.scheme, PLATFORMS[cell.platform]), []).append((cell, second_claim(cell, body)))
    for (_, platform), claims in desks.items():
        outcomes = past.counter.submit_all([body for _, body in claims], platform)
        for (cell, _), outcome in zip(claims, outcomes, strict=True):
            assert outcome.view is not None, outcome.problem
            answered[cell] = outcome.view
    return answered
