"""Samples of what a platform submits, read as the service reads them: every fault of every field at its place."""

from collections.abc import Iterator
from typing import Final

from connectors.conformance.check import Check, Result, failed, passed
from connectors.conformance.outlet import Read, faults_of
from tenants.kernel.errors import Text

READABLE: Final = Check(
    "samples.readable",
    Text("每条样例都能读入。", "Every sample can be read."),
    Text("按所列位置逐项改正；GET /v1/forms 列出每个字段。", "Correct each place; GET /v1/forms lists every field."),
)
THERE: Final = Check(
    "samples.there",
    Text("文件中有样例，每行一条 JSON。", "The file holds samples, one JSON a line."),
    Text("每行写一条完整的 JSON。", "Write one whole JSON on each line."),
)


def check_samples(content: bytes, read: Read) -> Iterator[Result]:
    """One result for each fault of each line of the file."""
    lines = [(number, line) for number, line in enumerate(content.splitlines(), 1) if line.strip()]
    if not lines:
        yield failed(THERE, "文件是空的", "the file is empty")
        return
    yield passed(THERE)
    faults = [(number, fault) for number, line in lines for fault in faults_of(line, read)]
    for number, (pointer, text) in faults:
        yield failed(READABLE, text.zh, text.en, f"第 {number} 行 / line {number} {pointer}".strip())
    if not faults:
        yield passed(READABLE)
