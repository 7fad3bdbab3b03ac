"""One check, and what came of it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tenants.kernel.errors import Text

NOTHING: Final = Text("", "")


class State(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    """It could not be tried: what it stands on has failed."""


@dataclass(frozen=True, slots=True)
class Check:
    """What is asked of the platform's system, and what to do where it does otherwise."""

    name: str
    wants: Text
    next_step: Text


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one check; ``found`` is what was seen instead, at ``place`` where there is one."""

    check: Check
    state: State
    found: Text = NOTHING
    place: str = ""


def passed(check: Check) -> Result:
    """It is as it should be."""
    return Result(check, State.PASSED)


def failed(check: Check, zh: str, en: str, place: str = "") -> Result:
    """It is not; what was found instead."""
    return Result(check, State.FAILED, Text(zh, en), place)


def skipped(check: Check) -> Result:
    """It was not tried."""
    return Result(check, State.SKIPPED)
