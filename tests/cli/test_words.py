"""What people write on the command line for others to read: persons, reasons, numbers of vouchers."""

from collections.abc import Iterator
from uuid import uuid4

import click
import pytest

from clearing.cli.program import program
from clearing.cli.words import OneLine
from tests.cli.regions import Regions
from tests.cli.shell import refused

ID = str(uuid4())
MINE = ("--tenant", "jiangsu")
LINE = ("--line", f"{ID}/1")
BY = ("--person", "王")
ORDER = ("--kind", "replace")
PLACES = {
    "cycle close": ("--person", ("cycle", "close", ID)),
    "cycle send": ("--person", ("cycle", "send", ID, *MINE)),
    "cycle remedy": ("--reason", ("cycle", "remedy", ID, *MINE, *BY, *ORDER)),
    "cycle decide": ("--reason", ("cycle", "decide", ID, *MINE, *BY, "--outcome", "refuse")),
    "bank send": ("--person", ("bank", "send", *MINE, "--batch", "BT-JS-2024-0001")),
    "matching paid": ("--document", ("matching", "paid", ID, *MINE, *BY, "--on", "2024-10-01")),
    "matching recover": ("--document", ("matching", "recover", ID, *MINE, *BY, "--on", "2024-10-01", "--amount", "1")),
    "suspense explain": ("--reason", ("suspense", "explain", *MINE, *BY, "--kind", "unrelated", *LINE)),
    "suspense decide": ("--reason", ("suspense", "decide", ID, *MINE, *BY, "--refuse")),
    "batch close": ("--reason", ("batch", "close", *MINE, *BY, "--batch", "BT-JS-2024-0001")),
    "month close": ("--person", ("month", "close", *MINE, "2024-01")),
}
SAYS_NOTHING = {
    "": "不能为空白", "  ": "不能为空白", "第一行\n第二行": "控制字符", "\x1b[2J清屏": "控制字符",
    "\u202e反写": "双向排版控制字符", "零\u200b宽": "不可见字符", "长" * 1001: "个字符",
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_a_text_that_says_nothing_or_other_than_it_shows_is_refused_with_its_place(
    regions: Regions, place: str
) -> None:
    option, words = PLACES[place]
    for text, why in SAYS_NOTHING.items():
        told = refused(regions.story, *words, option, text)
        assert option in told
        assert why in told, (text, told)


def commands(command: click.Command, name: str = "") -> Iterator[tuple[str, click.Command]]:
    """All commands below this one, by their words."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for word in command.list_commands(context):
            below = command.get_command(context, word)
            assert below is not None
            yield from commands(below, f"{name} {word}".strip())
    else:
        yield name, command


@pytest.mark.parametrize(("name", "one"), [pytest.param(*each, id=each[0]) for each in commands(program)])
def test_whoever_acts_and_why_are_texts_on_one_line_at_each_command(name: str, one: click.Command) -> None:
    for option in one.params:
        if {"--person", "--by", "--reason", "--document", "--ground", "--holder"} & set(option.opts):
            assert isinstance(option.type, OneLine), (name, option.opts)
    assert one.help, name
    assert " / " in one.help.partition("\n")[0], "Chinese and English"
