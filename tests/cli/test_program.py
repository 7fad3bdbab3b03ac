"""The program itself: words that it does not understand are refused in two languages, with the place."""

from uuid import uuid4

import pytest

from tests.cli.regions import Regions
from tests.cli.shell import refused

UNKNOWN = str(uuid4())
MISUNDERSTOOD = {
    "缺少 --person": ("cycle", "close", UNKNOWN),
    "缺少 CYCLE_ID": ("cycle", "close", "--person", "运营-赵"),
    "CYCLE_ID 的值有误": ("cycle", "close", "CY-delta-0001", "--person", "运营-赵"),
    "--format 的值有误": ("ledger", "journal", "--tenant", "jiangsu", "--format", "excel"),
    "--on 的值有误": (
        "matching", "paid", "--tenant", "jiangsu", UNKNOWN, "--on", "31.12.2024", "--document", "1", "--person", "王",
    ),
    "FILE 的值有误": ("bank", "import", "--tenant", "jiangsu", "--batch", "1", "--person", "王", "/nowhere/at/all"),
    "--class 的值有误": ("month", "differences", "--tenant", "jiangsu", "2024-01", "--class", "不符"),
    "没有选项 --colour": ("cycle", "list", "--colour", "red"),
    "用法有误": ("cycle", "reopen", UNKNOWN),
    "命令用法有误": ("no-such-thing",),
}  # fmt: skip


@pytest.mark.parametrize("said", MISUNDERSTOOD)
def test_words_that_are_not_understood_are_refused_in_two_languages(regions: Regions, said: str) -> None:
    told = refused(regions.story, *MISUNDERSTOOD[said])
    assert said in told
    assert "Error: " in told, "what click itself says stands behind it"


def test_a_refusal_that_is_in_both_languages_is_not_said_twice(regions: Regions) -> None:
    told = refused(regions.story, "ledger", "accounts", "--tenant", "atlantis")
    assert told.count("atlantis") == 2
    assert "的值有误" not in told
