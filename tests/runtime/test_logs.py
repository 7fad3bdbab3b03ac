"""Log lines: whole, in the right file after a rotation, and never a reason to fail."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from clearing import logs
from clearing.logs import ROTATED_KEPT, Sink, rotate

SPEAK = """
import logging, sys
from pathlib import Path
import structlog
from clearing.logs import configure_logs, write_line
configure_logs("tester", Path(sys.argv[1]))
structlog.get_logger().warning("from_structlog", amount="1.00", text="中文")
logging.getLogger("some.library").error("from %s", "logging")
write_line({"event": "direct"})
try:
    raise ValueError("inside")
except ValueError as error:
    structlog.get_logger().error("failed", exc_info=error)
"""


def test_every_way_of_logging_gives_json_lines_that_name_the_process(tmp_path: Path) -> None:
    path = tmp_path / "service.jsonl"
    subprocess.run([sys.executable, "-c", SPEAK, path], check=True)
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert [line["event"] for line in lines] == ["from_structlog", "from logging", "direct", "failed"]
    assert [line["level"] for line in lines] == ["warning", "error", "info", "error"]
    assert {line.get("process", "tester") for line in lines} == {"tester"}
    assert lines[0]["text"] == "中文"
    assert "ValueError: inside" in lines[3]["exception"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_large_log_is_renamed_and_writers_follow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "ROTATE_BYTES", 10)
    monkeypatch.setattr(logs, "_LOOK_SECONDS", 0)
    path = tmp_path / "service.jsonl"
    sink = Sink(path)
    for number in range(ROTATED_KEPT + 2):
        sink.line(f"line {number} is long enough".encode())
        rotate(path)
    kept = sorted(each.name for each in tmp_path.iterdir())
    assert kept == [f"service.{number}.jsonl" for number in range(1, ROTATED_KEPT + 1)]
    assert (tmp_path / "service.1.jsonl").read_text() == "line 5 is long enough\n"
    assert (tmp_path / f"service.{ROTATED_KEPT}.jsonl").read_text() == "line 2 is long enough\n"


def test_a_small_or_absent_log_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "service.jsonl"
    rotate(path)
    path.write_text("short\n")
    rotate(path)
    assert path.read_text() == "short\n"


def test_a_line_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    sink = Sink(tmp_path / "service.jsonl")
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, sink._descriptor)
    os.close(full)
    sink.line(b"lost")
    assert (tmp_path / "service.jsonl").read_bytes() == b""
