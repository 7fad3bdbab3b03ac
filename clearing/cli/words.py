"""What people write on the command line for others to read: on one line, as over HTTP."""

from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from click import Context, Parameter

MAX_PERSON_CHARACTERS: Final = 100
MAX_REASON_CHARACTERS: Final = 1000
MAX_DOCUMENT_CHARACTERS: Final = 200


class OneLine(click.ParamType[str]):
    """Text on one line that says something: neither blank, nor too long, nor with characters that do not show."""

    name = "text"

    def __init__(self, longest: int) -> None:
        self.longest = longest

    def convert(self, value: str, param: "Parameter | None", ctx: "Context | None") -> str:
        """The text as it is written.

        Raises:
            click.BadParameter: it is none of that.
        """
        from connectors.faults import Fault, explain
        from connectors.leaf import TextField

        try:
            return TextField(self.longest).read(value)
        except Fault as fault:
            _, said = explain(str(fault))
            self.fail(f"{said.zh} / {said.en}", param, ctx)


PERSON: Final = OneLine(MAX_PERSON_CHARACTERS)
REASON: Final = OneLine(MAX_REASON_CHARACTERS)
DOCUMENT: Final = OneLine(MAX_DOCUMENT_CHARACTERS)
