"""The locks belong to pyproject.toml, and hold nothing but names, versions and hashes."""

import re
import tomllib

import pytest

from tests.style.checks import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LINE = re.compile(r"[a-z0-9-]+==[\w.!+]+( ; [^#]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?")


def locked(name: str) -> dict[str, str]:
    """Versions by package."""
    return dict(re.findall(r"^([a-z0-9-]+)==([\w.!+]+)", (ROOT / name).read_text(), re.MULTILINE))


def wanted(requirements: list[str]) -> set[str]:
    """Names, as the lock writes them."""
    return {re.split(r"[\[<>=;~ ]", requirement)[0].lower().replace("_", "-") for requirement in requirements}


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_holds_only_versions_and_hashes(name: str) -> None:
    strange = [line for line in (ROOT / name).read_text().splitlines() if not LINE.fullmatch(line)]
    assert not strange


def test_what_is_asked_for_is_locked() -> None:
    runtime = wanted(PROJECT["project"]["dependencies"])
    dev = wanted(PROJECT["dependency-groups"]["dev"])
    assert len(runtime) > 20
    assert runtime <= set(locked("requirements.lock"))
    assert dev <= set(locked("requirements-dev.lock"))


def test_the_development_lock_contains_the_runtime_lock() -> None:
    assert locked("requirements.lock").items() <= locked("requirements-dev.lock").items()
