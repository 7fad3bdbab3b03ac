"""Rules of the house that no linter knows, each as a function from one module's syntax tree to its faults."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeGuard

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = ("clearing", "connectors", "settlement", "tenants")
FUNCTION_LINES: Final = 50
MODULE_LINES: Final = 400
TEST_MODULE_LINES: Final = 600
TEST_NAME_WORDS: Final = 4
DOCSTRING_CHARACTERS: Final = 5

FORBIDDEN_NAMES: Final = frozenset(
    {"utils", "util", "helpers", "helper", "common", "manager", "base", "core", "misc", "shared"}
)
MONEY_PACKAGES: Final = ("tenants", "settlement", "connectors", "clearing/claims")
MONEY_MODULES: Final = frozenset({"tenants.kernel.money", "tenants.kernel.rate"})
"""A module that imports one of these is near money wherever it lies."""
FLOATS_ALLOWED: Final = frozenset(
    {
        "settlement/formats/payment_list.py",  # places on paper; amounts arrive as text
        "settlement/formats/pdf_pages.py",  # places on paper; amounts arrive as text
    }
)
CLOCK_READERS: Final = {
    "datetime": frozenset({"now", "utcnow", "today", "fromtimestamp"}),
    "date": frozenset({"today", "fromtimestamp"}),
    "time": frozenset({"time", "time_ns", "localtime", "gmtime", "ctime", "strftime", "asctime"}),
}
CLOCK_ALLOWED: Final = frozenset(
    {
        "tenants/kernel/clock.py",  # the one place
        "tenants/kernel/ids.py",  # UUIDv7 carries the machine's time; nothing is decided by it
    }
)
BELOW: Final[Mapping[str, tuple[str, ...]]] = {
    "clearing": ("clearing", "connectors", "settlement", "tenants"),
    "connectors": ("connectors", "tenants"),
    "settlement": ("settlement", "tenants"),
    "tenants": ("tenants",),
    "tenants.kernel": ("tenants.kernel",),
}
SERVICE_ONLY: Final = frozenset(
    {"flask", "flask_smorest", "werkzeug", "dramatiq", "redis", "waitress", "gunicorn", "apscheduler", "click"}
)


@dataclass(frozen=True, slots=True)
class Module:
    """One source file; ``path`` is relative to the repository and written with slashes."""

    path: str
    source: str
    tree: ast.Module

    @property
    def name(self) -> str:
        """The dotted name."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


_Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def parse(path: str, source: str) -> Module:
    """The module of this source."""
    return Module(path, source, ast.parse(source, path))


def modules(*folders: str) -> list[Module]:
    """All modules below these folders of the repository."""
    found = (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))
    return [parse(path.relative_to(ROOT).as_posix(), path.read_text("utf-8")) for path in found]


def long_functions(module: Module) -> Iterator[str]:
    """Functions of more than ``FUNCTION_LINES`` lines."""
    for node in _functions(module.tree):
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        if lines > FUNCTION_LINES:
            yield f"{module.path}:{node.lineno}: {node.name} has {lines} lines, the limit is {FUNCTION_LINES}"


def long_modules(module: Module) -> Iterator[str]:
    """Modules of more lines than their kind may have."""
    limit = TEST_MODULE_LINES if module.path.startswith("tests/") else MODULE_LINES
    lines = module.source.count("\n")
    if lines > limit:
        yield f"{module.path}: {lines} lines, the limit is {limit}"


def vague_names(module: Module) -> Iterator[str]:
    """Modules whose name says nothing."""
    vague = FORBIDDEN_NAMES.intersection(module.name.split("."))
    if vague:
        yield f"{module.path}: the name {', '.join(sorted(vague))} does not say what is inside"


def floats_near_money(module: Module) -> Iterator[str]:
    """Float literals, the name ``float`` and the function ``round`` where amounts are handled."""
    near = module.path.startswith(MONEY_PACKAGES) or MONEY_MODULES.intersection(imported(module))
    for node in ast.walk(module.tree) if near and module.path not in FLOATS_ALLOWED else ():
        if _is_float(node) or (isinstance(node, ast.Name) and _is_rounding(module.tree, node)):
            yield f"{module.path}:{node.lineno}: {ast.unparse(node)} near money"


def clock_reads(module: Module) -> Iterator[str]:
    """Questions for the machine's time outside the clock module; ``time.monotonic`` measures and is free."""
    if module.path in CLOCK_ALLOWED:
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and node.attr in CLOCK_READERS.get(_last_name(node.value), ()):
            yield f"{module.path}:{node.lineno}: {ast.unparse(node)} asks for the time; take it from a Clock"
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            for alias in node.names:
                if alias.name in CLOCK_READERS["time"]:
                    yield f"{module.path}:{node.lineno}: imports time.{alias.name}; take the time from a Clock"


def upward_imports(module: Module) -> Iterator[str]:
    """Imports against the direction, also inside functions, under TYPE_CHECKING and by ``import_module``."""
    package = "tenants.kernel" if module.name.startswith("tenants.kernel") else module.name.split(".")[0]
    for target, line in _imports(module):
        top = target.split(".")[0]
        inside = top in PACKAGES
        if inside and not any(target == low or target.startswith(f"{low}.") for low in BELOW[package]):
            yield f"{module.path}:{line}: {package} must not import {target}"
        if top in SERVICE_ONLY and package != "clearing":
            yield f"{module.path}:{line}: only clearing may import {top}"


def missing_docstrings(module: Module) -> Iterator[str]:
    """Public modules, classes and functions that do not say what they are."""
    for name, node in _public(module.tree, module.path):
        if len(ast.get_docstring(node) or "") < DOCSTRING_CHARACTERS:
            yield f"{module.path}: {name} has no docstring"


def short_test_names(module: Module) -> Iterator[str]:
    """Tests whose name is no sentence."""
    for node in _functions(module.tree):
        if node.name.startswith("test_") and len(node.name.split("_")) <= TEST_NAME_WORDS:
            yield f"{module.path}:{node.lineno}: {node.name} is no sentence of {TEST_NAME_WORDS} words or more"


def tests_without_assertion(module: Module) -> Iterator[str]:
    """Tests that neither assert nor expect an error, themselves or through a function of their own module."""
    asserting = {node.name for node in _functions(module.tree) if _asserts(node)}
    for node in _functions(module.tree):
        called = {
            call.func.id for call in ast.walk(node) if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
        }
        if node.name.startswith("test_") and node.name not in asserting and not called & asserting:
            yield f"{module.path}:{node.lineno}: {node.name} asserts nothing"


def import_circle(graph: Mapping[str, frozenset[str]]) -> list[str]:
    """The first circle among modules, as the chain that closes; empty if there is none."""
    done: set[str] = set()

    def visit(name: str, chain: list[str]) -> list[str]:
        if name in chain:
            return [*chain[chain.index(name) :], name]
        if name not in done:
            for target in sorted(graph.get(name, ())):
                circle = visit(target, [*chain, name])
                if circle:
                    return circle
            done.add(name)
        return []

    return next(filter(None, (visit(name, []) for name in sorted(graph))), [])


def import_graph(all_modules: list[Module]) -> dict[str, frozenset[str]]:
    """Which module imports which, among these."""
    names = {module.name for module in all_modules}
    graph = {}
    for module in all_modules:
        targets = {target if target in names else target.rsplit(".", 1)[0] for target in imported(module)}
        graph[module.name] = frozenset((targets & names) - {module.name})
    return graph


def imported(module: Module) -> set[str]:
    """Dotted names of all that the module imports, wherever in it."""
    return {target for target, _ in _imports(module)}


def _imports(module: Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = _absolute(module, node)
            for alias in node.names:
                yield (f"{package}.{alias.name}" if _is_module(package, alias.name) else package), node.lineno
        elif isinstance(node, ast.Call) and _last_name(node.func) in {"import_module", "__import__"}:
            yield from ((str(a.value), node.lineno) for a in node.args if isinstance(a, ast.Constant))


def _absolute(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    is_package = module.path.endswith("__init__.py")
    parts = module.name.split(".")
    above = parts[: len(parts) - node.level + is_package]
    return ".".join([*above, node.module] if node.module else above)


def _is_module(package: str, name: str) -> bool:
    folder = ROOT.joinpath(*package.split("."))
    return (folder / f"{name}.py").exists() or (folder / name / "__init__.py").exists()


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _public(node: _Documented, name: str) -> Iterator[tuple[str, _Documented]]:
    """The node, and what is public in it; functions inside functions are not."""
    yield name, node
    for child in node.body if isinstance(node, ast.Module | ast.ClassDef) else ():
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and child.name[0] != "_":
            yield from _public(child, child.name)


def _last_name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _is_float(node: ast.AST) -> TypeGuard[ast.Constant]:
    return isinstance(node, ast.Constant) and isinstance(node.value, float | complex)


def _is_rounding(tree: ast.AST, name: ast.Name) -> bool:
    """Whether ``float`` or ``round`` is used, not only recognised (``isinstance``, ``kind is float``, match)."""
    if name.id not in {"float", "round"}:
        return False
    recognisers = (
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.MatchClass | ast.Compare)
        or (isinstance(node, ast.Call) and _last_name(node.func) == "isinstance")
    )
    return not any(inner is name for node in recognisers for inner in ast.walk(node))


def _asserts(function: ast.AST) -> bool:
    return any(
        isinstance(node, ast.Assert) or (isinstance(node, ast.Attribute) and node.attr in {"raises", "warns", "fail"})
        for node in ast.walk(function)
    )
