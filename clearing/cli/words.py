"""What people write on the command line: for others to read, on one line, as over HTTP; and the ids of keys."""

import re
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


class NamesKey(click.Command):
    """A command whose last argument is the id of a key.

    That is a thumbprint (RFC 7638) in base64url: one in 64 begins with a hyphen, and would be read as options.
    """

    def parse_args(self, ctx: "Context", args: list[str]) -> list[str]:
        """As any command's, the ids behind everything else."""
        ids = [] if _END in args else [word for word in args if _HYPHENATED.fullmatch(word)]
        return super().parse_args(ctx, [*(word for word in args if word not in ids), _END, *ids] if ids else args)


_END: Final = "--"
_HYPHENATED: Final = re.compile("-[A-Za-z0-9_-]{42}")

PERSON: Final = OneLine(MAX_PERSON_CHARACTERS)
REASON: Final = OneLine(MAX_REASON_CHARACTERS)
DOCUMENT: Final = OneLine(MAX_DOCUMENT_CHARACTERS)
