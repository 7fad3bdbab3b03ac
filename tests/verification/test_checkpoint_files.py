"""Checkpoint files: a changed line, a foreign key, a wrong order are named; a line cut short by a crash is not."""

import json
import shutil
from pathlib import Path

import pytest

from clearing.verification.checkpoints import read_checkpoints
from tests.verification.story import Story


@pytest.fixture
def folder(story: Story, tmp_path: Path) -> Path:
    """A copy of the story's checkpoints."""
    shutil.copytree(story.checkpoints_folder, tmp_path / "checkpoints")
    return tmp_path / "checkpoints"


def faults(folder: Path, story: Story) -> list[tuple[str, str]]:
    """What is wrong with the files."""
    return [(each.subject, each.place) for each in read_checkpoints(folder, story.secrets_folder)[1]]


def test_the_checkpoints_of_a_sound_service_are_read_by_tenant(folder: Path, story: Story) -> None:
    found, wrong = read_checkpoints(folder, story.secrets_folder)
    assert wrong == []
    assert set(found) == set(story.tenants)
    assert all(entries[-1].seq > 0 for entries in found.values())


def test_a_changed_line_is_named(folder: Path, story: Story) -> None:
    path = folder / "jiangsu.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"jws":"', b'"jws":"A', 1))
    assert faults(folder, story) == [("checkpoint.signature", "checkpoints/jiangsu.jsonl/1")]


def test_a_line_of_another_tenant_is_named(folder: Path, story: Story) -> None:
    shutil.copy(folder / "jiangsu.jsonl", folder / "wujiang.jsonl")
    assert faults(folder, story) == [("checkpoint.signature", "checkpoints/wujiang.jsonl/1")]


def test_a_line_that_stands_twice_is_named(folder: Path, story: Story) -> None:
    path = folder / "jiangsu.jsonl"
    path.write_bytes(path.read_bytes() * 2)
    assert faults(folder, story) == [("checkpoint.order", "checkpoints/jiangsu.jsonl/2")]


def test_a_line_cut_short_by_a_crash_says_nothing(folder: Path, story: Story) -> None:
    path = folder / "jiangsu.jsonl"
    path.write_bytes(path.read_bytes() + path.read_bytes()[:40])
    assert faults(folder, story) == []


def test_a_key_set_with_a_key_that_is_not_the_services_is_named(folder: Path, story: Story, tmp_path: Path) -> None:
    """Who may write the folder could sign anew; the private key among the secrets says which key is the service's."""
    secrets = tmp_path / "secrets"
    shutil.copytree(story.secrets_folder, secrets)
    from settlement.signatures.suites import SUITES

    (secrets / "checkpoint-key").write_bytes(SUITES["Ed25519"].generate())
    found, wrong = read_checkpoints(folder, secrets)
    assert [each.subject for each in wrong][:1] == ["checkpoint.keys"]
    assert not any(found.values())


@pytest.mark.parametrize("content", [b"", b"[]", b'{"keys": [{}]}', b'{"keys": 1}'])
def test_a_key_set_that_is_none_is_named(folder: Path, story: Story, content: bytes) -> None:
    (folder / "jwks.json").write_bytes(content)
    assert ("checkpoint.keys", "checkpoints/jwks.json") in faults(folder, story)


@pytest.mark.parametrize("line", [b"[]\n", b"{}\n", b"\n", b'{"jws": 1}\n', b'{"jws": "a.b.c"}\n', b"\xff\n"])
def test_a_line_that_is_no_checkpoint_is_named(folder: Path, story: Story, line: bytes) -> None:
    (folder / "jiangsu.jsonl").write_bytes(line)
    assert faults(folder, story) == [("checkpoint.signature", "checkpoints/jiangsu.jsonl/1")]


def test_an_empty_folder_has_no_checkpoints_and_no_fault(tmp_path: Path) -> None:
    assert read_checkpoints(tmp_path, None) == ({}, [])


def test_the_key_set_beside_the_files_is_believed_without_the_secrets(folder: Path) -> None:
    found, wrong = read_checkpoints(folder, None)
    assert wrong == []
    assert json.loads((folder / "jwks.json").read_text())["keys"][0]["kid"]
    assert found
