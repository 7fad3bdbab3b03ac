"""The report of a verification: what was looked at, and every difference by its place."""

import json
import sys
from pathlib import Path
from typing import Final, TextIO

from clearing.verification.difference import Difference
from clearing.verification.examination import differences
from clearing.verification.snapshot import open_snapshot

OK: Final = 0
FINDINGS: Final = 1


def run(
    auditor_url: str,
    secrets_folder: Path | None,
    checkpoints_folder: Path | None,
    *,
    as_json: bool = False,
    out: TextIO | None = None,
) -> int:
    """Verify and print: each difference as it is found, then the counts. ``FINDINGS`` where there was any, else ``OK``.

    As JSON it is one object a line: ``{"difference": …}`` for each, at the end ``{"checked": …, "differences": n}``.

    Raises:
        psycopg.Error: the database is away, or the role does not see all rows.
    """
    stream = out or sys.stdout
    found = 0
    with open_snapshot(auditor_url) as snapshot:
        for difference in differences(snapshot, secrets_folder, checkpoints_folder):
            found += 1
            stream.write(_json(difference) if as_json else _text(difference))
        checked = dict(sorted(snapshot.tally.items()))
    if as_json:
        stream.write(json.dumps({"checked": checked, "differences": found}, ensure_ascii=False) + "\n")
    else:
        stream.write(_summary(checked, found, whole=secrets_folder is not None and checkpoints_folder is not None))
    return FINDINGS if found else OK


def _json(found: Difference) -> str:
    said = {
        "subject": found.subject,
        "place": found.place,
        "expected": found.expected,
        "found": found.found,
        "zh": found.text.zh,
        "en": found.text.en,
    }
    return json.dumps({"difference": said}, ensure_ascii=False) + "\n"


def _text(found: Difference) -> str:
    return (
        f"✗ {found.place}  [{found.subject}]\n  {found.text.zh}\n  {found.text.en}\n"
        f"    应为 / expected: {found.expected}\n    实为 / found:    {found.found}\n"
    )


def _summary(checked: dict[str, int], found: int, *, whole: bool) -> str:
    lines = [f"  {count:>12,}  {name}" for name, count in checked.items()]
    looked = "已核对 / checked:\n" + "\n".join(lines) + "\n"
    if not whole:
        looked += (
            "未提供密钥或检查点，相应内容未核对。 Without secrets or checkpoints, what needs them was not looked at.\n"
        )
    if found:
        return f"{looked}发现 {found} 处差异。 {found} differences found.\n"
    return f"{looked}核验通过，没有差异。 Verified: no difference.\n"
