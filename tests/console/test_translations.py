"""Every text of the console is in the catalogue, and has its English."""

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Final

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from clearing.console import words
from clearing.console.language import CATALOGUE, english

CONSOLE: Final = CATALOGUE.parents[3]
TEMPLATES: Final = sorted((CONSOLE / "templates").rglob("*.html"))
METHODS: Final = [("**.py", "python"), ("templates/**.html", "jinja2")]
HAN: Final = re.compile(r"[\u3400-\u9fff]")
ON_PURPOSE: Final = frozenset({"中文"})
"""The name of the other language, in that language."""


def extracted() -> set[str]:
    """Every message that the code and the pages ask for."""
    keywords = {"_": None, "gettext": None, "_l": None}
    found = extract_from_dir(str(CONSOLE), METHODS, keywords=keywords)
    return {message for _, _, message, _, _ in found if isinstance(message, str)}


@pytest.fixture(scope="module")
def catalogue() -> Catalog:
    return read_po(BytesIO(CATALOGUE.read_bytes()), locale="en")


def test_every_message_has_its_english_and_no_english_is_left_over(catalogue: Catalog) -> None:
    translated = {message.id for message in catalogue if message.id and message.string and not message.fuzzy}
    assert len(translated) > 300
    assert extracted() - translated == set(), "add them to translations/en/LC_MESSAGES/messages.po"
    assert translated - extracted() == set(), "nobody asks for these any more"


def test_an_english_message_says_the_same_values_and_no_chinese(catalogue: Catalog) -> None:
    for message in catalogue:
        if message.id:
            assert set(re.findall(r"%\((\w+)\)s", str(message.id))) == set(
                re.findall(r"%\((\w+)\)s", str(message.string))
            )
            assert not HAN.search(str(message.string)), message.id


def loose_texts(page: str) -> Iterator[str]:
    """What stands in a page's source outside of every expression: nobody translates it."""
    outside = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", "", page, flags=re.DOTALL)
    for text in re.findall(r">([^<]*)<", outside):
        yield from re.findall(r"[A-Za-z\u3400-\u9fff]{2,}", text)
    yield from re.findall(r'(?:title|aria-label|placeholder|alt)="[^"]*?([A-Za-z\u3400-\u9fff]{2,})', outside)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_no_page_holds_a_text_that_nobody_translates(path: Path) -> None:
    kept = {"SHA", "Ctrl", "Enter", "CL", *ON_PURPOSE}
    assert set(loose_texts(path.read_text("utf-8"))) - kept == set()


def test_a_loose_text_would_be_seen() -> None:
    assert list(loose_texts("<p>{{ _('好') }} 你好</p>")) == ["你好"]
    assert list(loose_texts('<p title="你好">{{ x }}</p>')) == ["你好"]
    assert list(loose_texts("<p>{{ _('好') }} · {# 注 #}</p>")) == []


def test_every_word_for_a_code_has_its_english() -> None:
    for kind in words.KINDS.values():
        for word in kind.values():
            message = word._args[0]
            assert english().gettext(message) != message
