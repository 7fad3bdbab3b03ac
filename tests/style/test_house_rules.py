"""The rules of the house hold in the whole repository, and each check can fail."""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.style import checks
from tests.style.checks import PACKAGES, ROOT, Module, import_circle, import_graph, modules, parse

Check = Callable[[Module], Iterator[str]]

SHIPPED_CHECKS: list[Check] = [
    checks.long_functions,
    checks.long_modules,
    checks.vague_names,
    checks.floats_near_money,
    checks.clock_reads,
    checks.upward_imports,
    checks.missing_docstrings,
]
TEST_CHECKS: list[Check] = [
    checks.long_modules,
    checks.vague_names,
    checks.short_test_names,
    checks.tests_without_assertion,
]
ADDRESSES = re.compile(
    "|".join(
        [
            r"^\s*(-i|--(extra-)?index-url|--find-links|--trusted-host)\b",
            r"index-url\s*=",
            "pypi" + r"\.org",
            "python" + r"hosted\.org",
            "registry" + r"\.npmjs",
            "deb" + r"\.debian\.org",
            "/opt/" + "pypi",
            "/work/" + r"\.library",
        ]
    ),
    re.MULTILINE,
)


@pytest.mark.parametrize("check", SHIPPED_CHECKS, ids=lambda check: check.__name__)
def test_shipped_modules_keep_the_rule(check: Check) -> None:
    faults = [fault for module in modules(*PACKAGES) for fault in check(module)]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("check", TEST_CHECKS, ids=lambda check: check.__name__)
def test_test_modules_keep_the_rule(check: Check) -> None:
    faults = [fault for module in modules("tests") for fault in check(module)]
    assert not faults, "\n".join(faults)


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert import_circle(import_graph(modules(*PACKAGES))) == []


def test_no_committed_file_names_a_package_index() -> None:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("git is missing: which files are committed is not known")
    listed = subprocess.run([git, "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout.decode()
    paths = [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]
    assert len(paths) > 10
    found = [path for path in paths if ADDRESSES.search(path.read_text("utf-8", errors="replace"))]
    assert not found


@pytest.mark.parametrize("text", ["--index" + "-url x", "-i x", "see https://pypi" + ".org/x", "index" + "-url = x"])
def test_an_index_address_would_be_seen(text: str) -> None:
    assert ADDRESSES.search(f"first line\n{text}\n")


LONG = "def long():\n" + "    x = 1\n" * 50
BAD: list[tuple[Check, str, str]] = [
    (checks.long_functions, "clearing/x.py", LONG),
    (checks.long_modules, "clearing/x.py", "x = 1\n" * 401),
    (checks.long_modules, "tests/x.py", "x = 1\n" * 601),
    (checks.vague_names, "clearing/utils.py", ""),
    (checks.vague_names, "settlement/core/x.py", ""),
    (checks.floats_near_money, "settlement/x.py", "x = 0.5"),
    (checks.floats_near_money, "tenants/x.py", "def f(x: float) -> None: ..."),
    (checks.floats_near_money, "connectors/x.py", "x = float('1')"),
    (checks.floats_near_money, "clearing/claims/x.py", "x = round(3)"),
    (checks.floats_near_money, "clearing/x.py", "from tenants.kernel.money import Money\nx = 1e3"),
    (checks.clock_reads, "clearing/x.py", "import datetime\nx = datetime.datetime.now(tz=None)"),
    (checks.clock_reads, "tenants/x.py", "from datetime import date\nx = date.today()"),
    (checks.clock_reads, "tenants/x.py", "import time\nx = time.time()"),
    (checks.clock_reads, "tenants/x.py", "from time import time"),
    (checks.upward_imports, "tenants/x.py", "import clearing"),
    (checks.upward_imports, "tenants/x.py", "def f():\n    from settlement import batch"),
    (
        checks.upward_imports,
        "connectors/x.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import settlement",
    ),
    (checks.upward_imports, "settlement/x.py", "from connectors.submission import Submission"),
    (checks.upward_imports, "tenants/kernel/x.py", "from tenants import principal"),
    (checks.upward_imports, "tenants/kernel/x.py", "from .. import principal"),
    (checks.upward_imports, "settlement/x.py", "import redis"),
    (checks.upward_imports, "tenants/x.py", "import importlib\nimportlib.import_module('clearing.claims')"),
    (checks.missing_docstrings, "clearing/x.py", "x = 1"),
    (checks.missing_docstrings, "clearing/x.py", '"""A module of things."""\ndef f(): ...'),
    (
        checks.missing_docstrings,
        "clearing/x.py",
        '"""A module of things."""\nclass A:\n    """A thing it is."""\n    def f(self): ...',
    ),
    (checks.short_test_names, "tests/x.py", "def test_it_works(): ..."),
    (checks.tests_without_assertion, "tests/x.py", "def test_it(): print(1)"),
]
GOOD: list[tuple[Check, str, str]] = [
    (checks.floats_near_money, "clearing/x.py", "TIMEOUT_SECONDS = 0.5"),
    (checks.floats_near_money, "tenants/x.py", "def f(x: object) -> bool:\n    return isinstance(x, float)"),
    (checks.clock_reads, "clearing/x.py", "import time\nx = time.monotonic()"),
    (checks.upward_imports, "tenants/x.py", "from tenants.kernel import money"),
    (checks.upward_imports, "clearing/x.py", "import flask, settlement, connectors, tenants.kernel"),
    (checks.tests_without_assertion, "tests/x.py", "def f():\n    assert True\ndef test_it(): f()"),
    (checks.short_test_names, "tests/x.py", "def test_a_rate_is_refused(): ..."),
]


@pytest.mark.parametrize(("check", "path", "source"), BAD)
def test_a_broken_rule_would_be_seen(check: Check, path: str, source: str) -> None:
    assert list(check(parse(path, source)))


@pytest.mark.parametrize(("check", "path", "source"), GOOD)
def test_what_the_rule_allows_is_left_alone(check: Check, path: str, source: str) -> None:
    assert not list(check(parse(path, source)))


def test_a_circle_of_imports_would_be_seen() -> None:
    graph = {"a": frozenset({"b"}), "b": frozenset({"c"}), "c": frozenset({"b"})}
    assert import_circle(graph) == ["b", "c", "b"]
    assert import_circle({"a": frozenset({"b"}), "b": frozenset()}) == []
