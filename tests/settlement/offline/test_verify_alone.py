"""The verifier in one file, run by a bare Python far from the service: it finds and names what the whole one finds."""

import ast
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from settlement.offline import verify_alone
from settlement.offline.verify_alone import differences
from tests.settlement.making import Made
from tests.settlement.tampering import FILES, codes, edit, edit_lines, ids

SOURCE = Path(str(verify_alone.__file__))


def alone(made: Made, previous: str | None = None) -> list[tuple[str, str, int | None, str]]:
    return list(differences(made.folder, made.jwks, previous))


def test_it_needs_the_standard_library_and_one_library_for_signatures() -> None:
    names = set()
    for node in ast.walk(ast.parse(SOURCE.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(str(node.module).split(".")[0])
    assert names - set(sys.stdlib_module_names) == {"cryptography"}


def test_a_copy_run_elsewhere_verifies_and_names_a_changed_line(written: Made, tmp_path: Path) -> None:
    copy, keys = tmp_path / "verify.py", tmp_path / "keys.json"
    shutil.copy(SOURCE, copy)
    keys.write_text(json.dumps(written.jwks), encoding="utf-8")
    command = [sys.executable, "-I", str(copy), str(written.folder), "--jwks", str(keys)]
    good = subprocess.run(command, capture_output=True, cwd=tmp_path, check=False)
    assert (good.returncode, good.stdout) == (0, b""), good.stderr
    edit_lines(written, "payouts.jsonl", lambda lines: [*lines[:1], lines[1][:60] + b"A" + lines[1][61:], *lines[2:]])
    bad = subprocess.run([*command, "--json"], capture_output=True, cwd=tmp_path, check=False)
    assert bad.returncode == 1
    said = [json.loads(line) for line in bad.stdout.splitlines()]
    assert ("payouts.jsonl", 2) in {(each["file"], each["line"]) for each in said}


def swap(lines: list[bytes]) -> list[bytes]:
    return [lines[1], lines[0], *lines[2:]]


CHANGES: dict[str, tuple[Callable[[list[bytes]], list[bytes]], set[tuple[str, int | None]]]] = {
    "a line is gone": (lambda lines: lines[1:], {("item", None), ("root", None), ("total", None)}),
    "a line stands there twice": (lambda lines: [*lines, lines[0]], set()),
    "two lines changed places": (swap, {("order", 2)}),
    "a line is no JSON": (lambda lines: [b"{\n", *lines[1:]], {("malformed", 1)}),
}


@pytest.mark.parametrize(("change", "named"), CHANGES.values(), ids=CHANGES.keys())
def test_a_line_that_is_missing_repeated_or_moved_is_named(
    written: Made, change: Callable[[list[bytes]], list[bytes]], named: set[tuple[str, int | None]]
) -> None:
    edit_lines(written, "payouts.jsonl", change)
    found = {(code, line) for code, file, line, _ in alone(written) if file == "payouts.jsonl"}
    count = len((written.folder / "payouts.jsonl").read_bytes().splitlines())
    assert found >= (named or {("repeated", count)})
    assert ("changed", None) in found


def test_a_line_of_the_batch_names_its_instruction(written: Made) -> None:
    edit_lines(written, "payouts.jsonl", swap)
    assert [about for code, _, _, about in alone(written) if code == "order"] == [ids(written)[0]]


@pytest.mark.parametrize("file", FILES)
def test_one_changed_byte_anywhere_is_found_as_the_whole_verifier_finds_it(written: Made, file: str) -> None:
    size = (written.folder / file).stat().st_size
    for part in range(1, 10):
        place = size * part // 10
        before = (written.folder / file).read_bytes()
        edit(written, file, lambda data, at=place: data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])  # type: ignore[misc]
        assert alone(written), place
        assert codes(written), place
        (written.folder / file).write_bytes(before)
    assert alone(written) == []


def test_missing_and_unlisted_files_and_another_previous_manifest_are_named(written: Made) -> None:
    assert [code for code, *_ in alone(written, "0" * 63 + "1")] == ["previous"]
    (written.folder / "more.txt").write_text("x", encoding="utf-8")
    (written.folder / "payouts.csv").unlink()
    assert {(code, file) for code, file, _, _ in alone(written)} == {
        ("unlisted", "more.txt"), ("missing", "payouts.csv"),
    }  # fmt: skip
    (written.folder / "manifest.json").unlink()
    assert [(code, file) for code, file, *_ in alone(written)] == [("missing", "manifest.json")]


def test_no_key_and_a_key_of_another_tenant_are_refused(written: Made) -> None:
    assert {code for code, *_ in differences(written.folder, {"keys": []}, None)} >= {"key"}
    foreign = json.loads(json.dumps(written.jwks))
    for key in foreign["keys"]:
        key["tenant"] = "elsewhere"
    assert {code for code, *_ in differences(written.folder, foreign, None)} >= {"key"}
