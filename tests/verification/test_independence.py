"""The auditor shares nothing with what it checks but money and canonical bytes."""

import pytest

from tests.style.checks import Module, imported, modules

SHARED = {
    "tenants.kernel.canonical",  # the bytes that are chained and signed, and their meaning for people
    "tenants.kernel.errors",  # the texts of messages
    "tenants.kernel.money",
    "tenants.kernel.sm2",  # verifying it, as `cryptography` does for the other algorithms; signing is elsewhere
}
AUDITOR = "clearing.verification"


@pytest.mark.parametrize("module", modules("clearing/verification"), ids=lambda module: module.name)
def test_a_module_of_the_auditor_imports_nothing_of_the_service(module: Module) -> None:
    ours = {
        name for name in imported(module) if name.split(".")[0] in {"clearing", "connectors", "settlement", "tenants"}
    }
    strange = {name for name in ours if not name.startswith(AUDITOR) and name not in SHARED}
    assert strange == set()


def test_only_the_command_line_and_the_demonstration_call_the_auditor() -> None:
    using = {
        module.path
        for module in modules("clearing", "connectors", "settlement", "tenants")
        if any(name.startswith(AUDITOR) for name in imported(module))
    }
    callers = {path for path in using if not path.startswith("clearing/verification/")}
    assert all(path.startswith(("clearing/cli/", "clearing/demonstration/")) for path in callers), callers
