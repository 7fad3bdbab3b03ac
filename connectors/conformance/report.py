"""The report: for people as text or a page of HTML, for programs as JSON; Chinese and English side by side."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from connectors.conformance.check import Result, State
from tenants.kernel.canonical import Json

_SIGNS: Final = {State.PASSED: "✓", State.FAILED: "✗", State.SKIPPED: "–"}
_WORDS: Final = {State.PASSED: "通过 / passed", State.FAILED: "未通过 / failed", State.SKIPPED: "未测 / not tried"}


@dataclass(frozen=True, slots=True)
class Report:
    """What was checked, in its order."""

    results: Sequence[Result]

    @property
    def failures(self) -> list[Result]:
        """What has to be mended."""
        return [one for one in self.results if one.state == State.FAILED]

    def count(self, state: State) -> int:
        """How many checks ended so."""
        return len({one.check.name for one in self.results if one.state == state})


def as_text(report: Report) -> str:
    """A line a check, and below each that failed what was found and what to do."""
    lines = []
    for one in report.results:
        lines.append(f"{_SIGNS[one.state]} {one.check.name}  {one.check.wants.zh} {one.check.wants.en}")
        if one.state == State.FAILED:
            place = f"{one.place}: " if one.place else ""
            lines.append(f"    {place}{one.found.zh}。 {one.found.en}.")
            lines.append(f"    → {one.check.next_step.zh} {one.check.next_step.en}")
    counts = "，".join(f"{_WORDS[state]} {report.count(state)}" for state in State)
    return "\n".join([*lines, "", counts, ""])


def as_json(report: Report) -> str:
    """The same for programs."""
    items: list[Json] = [
        {
            "check": one.check.name,
            "state": one.state.value,
            "place": one.place,
            "wants": {"zh": one.check.wants.zh, "en": one.check.wants.en},
            "found": {"zh": one.found.zh, "en": one.found.en},
            "next_step": {"zh": one.check.next_step.zh, "en": one.check.next_step.en},
        }
        for one in report.results
    ]
    counts = {state.value: report.count(state) for state in State}
    return json.dumps({"conforms": not report.failures, **counts, "items": items}, ensure_ascii=False, indent=1) + "\n"


def as_html(report: Report) -> str:
    """The same as one page that needs nothing else."""
    rows = "\n".join(_row(one) for one in report.results)
    counts = "，".join(f"{_WORDS[state]} {report.count(state)}" for state in State)
    return (
        '<!doctype html>\n<html lang="zh-CN"><head><meta charset="utf-8"><title>对接自检报告 / conformance</title>'
        "<style>body{font-family:sans-serif;margin:2rem}table{border-collapse:collapse}"
        "td,th{border:1px solid #999;padding:.3rem .6rem;text-align:left;vertical-align:top}"
        ".failed{background:#fdd}.skipped{color:#666}</style></head>\n"
        f"<body><h1>对接自检报告 / Conformance report</h1><p>{escape(counts)}</p>\n<table>"
        "<tr><th>检查 / check</th><th>结果 / result</th><th>要求 / wanted</th><th>发现 / found</th>"
        f"<th>下一步 / next step</th></tr>\n{rows}\n</table></body></html>\n"
    )


def _row(one: Result) -> str:
    found = f"{one.place} {one.found.zh} {one.found.en}" if one.state == State.FAILED else ""
    step = f"{one.check.next_step.zh} {one.check.next_step.en}" if one.state == State.FAILED else ""
    cells = (one.check.name, _WORDS[one.state], f"{one.check.wants.zh} {one.check.wants.en}", found, step)
    return f'<tr class="{one.state.value}">' + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
