"""What the verifier found: where it is, and what it is, in two languages."""

from dataclasses import dataclass, field
from typing import Final

from tenants.kernel.errors import Text

MAX_DIFFERENCES: Final = 1_000
"""More are counted, not listed: a file that is wrong in every line is named once and its first lines are enough."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it should be.

    ``line`` is the line of a text file or the row of a sheet, from 1; ``instruction_id`` is given where it is known.
    """

    code: str
    text: Text
    file: str | None = None
    line: int | None = None
    instruction_id: str | None = None

    def __str__(self) -> str:
        where = " ".join(
            part
            for part in (
                self.file,
                None if self.line is None else f"第 {self.line} 行 (line {self.line})",
                None if self.instruction_id is None else f"指令 (instruction) {self.instruction_id}",
            )
            if part
        )
        return f"{where}{': ' if where else ''}[{self.code}] {self.text.zh} / {self.text.en}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a difference stands; see :class:`Difference`."""

    file: str | None = None
    line: int | None = None
    instruction_id: str | None = None


@dataclass(slots=True)
class Findings:
    """The differences found so far, in the order in which they were found."""

    listed: list[Difference] = field(default_factory=list)
    unlisted: int = 0

    def add(self, place: Place, code: str, zh: str, en: str) -> None:
        """Note one difference."""
        if len(self.listed) >= MAX_DIFFERENCES:
            self.unlisted += 1
            return
        self.listed.append(Difference(code, Text(zh, en), place.file, place.line, place.instruction_id))

    def expect(self, place: Place, name: str, expected: object, found: object) -> None:
        """Note that ``name`` differs, if it does."""
        if expected != found:
            self.add(
                place, "differs", f"{name} 应为 {expected}，实为 {found}。", f"{name} should be {expected}, is {found}."
            )

    def closed(self) -> list[Difference]:
        """All differences, the last one telling how many more there are."""
        if not self.unlisted:
            return self.listed
        rest = Text(f"另有 {self.unlisted} 处差异未列出。", f"{self.unlisted} more differences are not listed.")
        return [*self.listed, Difference("more", rest)]
