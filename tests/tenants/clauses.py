"""The published documents' clauses, the figures in them, and what a citation names."""

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

TEXTS: Final = Path(__file__).with_suffix(".toml")
GUIDE: Final = "企业操作指南"
"""What 苏科规范〔2024〕2号 is carried out by; cited with it."""
DOCUMENT: Final = re.compile(r"[一-龥]+〔20\d\d〕\d+号")
FIGURE: Final = re.compile(
    r"\d{4}年(?:\d+月(?:\d+日)?)?(?!度)|\d+月\d+日|\d+(?:[.-]\d+)?(?:万元|亿元|%|年(?!度)|个月|个工作日|份|场次|M(?!A))"
    r"|[两三]年|一式[一二三]份|一份|\d类|(?<![\d:])\d{1,2}:\d{1,2}(?!\d)"
)
"""A figure with what it counts, as the documents write it once their spaces are taken out."""

NOT_STATED: Final = ("未载", "补正")
"""Begins what a document does not state, which the tenant therefore sets."""
_STEP: Final = re.compile(
    r"附件\d|承诺\d|[AB]\d\.\d|落款|[一二三四五六七八九](?=[（、：；，]|\d|$)|（[一二三四五六七八九十]）|\d"
)


def plain(text: str) -> str:
    """The text as it is compared: without spaces and asterisks, brackets and commas of one width."""
    text = re.sub(r"[\s*]+", "", text)
    return text.translate(str.maketrans("（），：；", "(),:;"))


@cache
def clauses() -> dict[str, dict[str, tuple[str, ...]]]:
    """The passages of each clause of each document."""
    documents = tomllib.loads(TEXTS.read_text(encoding="utf-8"))
    return {
        document: {name: (said,) if isinstance(said, str) else tuple(said) for name, said in found.items()}
        for document, found in documents.items()
    }


def text_of(document: str, clause: str) -> str:
    """The clause with all that stands under it, or the whole document; empty where there is none of that name."""
    found = clauses().get(document, {})
    return "".join("".join(said) for name, said in found.items() if name == clause or _under(name, clause))


def figures_of(text: str) -> set[str]:
    """The figures of a text."""
    return {match.group() for match in FIGURE.finditer(plain(text))}


def cited(cite: str) -> Iterator[tuple[str, str, str]]:
    """Each document and clause that a citation names, and what it says of them."""
    document = ""
    for part in re.split(r"；(?=企业操作指南|[一-龥]+〔|[一二三四五六七八]|线下)", cite):
        named, _, said = part.partition("：")
        if (number := DOCUMENT.search(named)) is not None:
            document, named = number.group(), named[number.end() :]
        if GUIDE in named:
            named, of = named.replace(f"（{GUIDE}）", "").replace(GUIDE, ""), GUIDE
        else:
            of = document
        for clause in _named(of, named.strip()):
            yield of, clause, said


def _named(document: str, named: str) -> list[str]:
    """The clauses' names in a citation's words."""
    known = clauses().get(document)
    if known is None or not named or named.startswith(NOT_STATED):
        return [""]
    whole = [name for name in known if re.match(rf"{name}(?!\d)", named)]
    if document in {GUIDE, "苏科规范〔2024〕2号"}:
        return [max(whole, key=len)] if whole else [named]
    found: list[list[str]] = []
    for step in _STEP.findall(named):
        _place(found, step)
    return ["".join(path) for path in found] or [named]


def _place(found: list[list[str]], step: str) -> None:
    """Add the next word of a citation: one further down, or the next beside the last."""
    path = found[-1] if found else []
    if step.startswith("附件") or step == "落款" or step in "一二三四五六七八九":
        found.append([step])
    elif step.startswith("（"):
        deeper = path[:1]
        found[-1:] = [[*deeper, step]] if len(path) == 1 else [path, [*deeper, step]]
    elif step.startswith("承诺"):
        found[-1:] = [[*path, f" {step[-1]}"]]
    elif not step[0].isdigit():
        found[-1:] = [path]  # an item of the annex's table
    elif path and path[-1][0].isdigit():
        found.append([*path[:-1], step])
    else:
        found[-1:] = [[*path, step]]


def _under(name: str, clause: str) -> bool:
    """Whether the one clause stands under the other; under no name, all of the document do."""
    return not clause or (name.startswith(clause) and name[len(clause) :][:1] in "（123456789 ")
