"""A bank's XML as a stream of elements: no document type, no entities, no network, a bounded memory."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

from lxml import etree

from settlement.statements.line import malformed, refused
from tenants.kernel.errors import Text

NAMESPACE: Final = "urn:iso:std:iso:20022:tech:xsd:"
_HEAD_BYTES: Final = 4096
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")


def elements(path: Path, message: str, *names: str) -> Iterator[etree._Element]:
    """Each element of these names at its end, the document's own being of ``message`` (``camt.053``).

    What was passed on is emptied when the next one is asked for, so that a large file takes no more memory than a
    small one.

    Raises:
        StatementRefused: not well-formed, cut off, with a document type, or another message.
    """
    require_plain(path)
    _require_message(path, message)
    tags = [f"{{*}}{name}" for name in names]
    with path.open("rb") as source:
        events = etree.iterparse(
            source, events=("end",), tag=tags, resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
        )
        try:
            for _, element in events:
                yield element
                _forget(element)
        except etree.XMLSyntaxError as fault:
            raise malformed(str(fault.msg)[:100]) from fault


def root_tag(path: Path) -> str:
    """The namespace of the document's root element, without its fixed beginning; empty where it is another.

    Raises:
        StatementRefused: it is no XML that we read.
    """
    require_plain(path)
    with path.open("rb") as source:
        try:
            for _, element in etree.iterparse(source, events=("start",), resolve_entities=False, no_network=True):
                namespace = _namespace(element)
                return namespace.removeprefix(NAMESPACE) if namespace.startswith(NAMESPACE) else ""
        except etree.XMLSyntaxError as fault:
            raise malformed(str(fault.msg)[:100]) from fault
    return ""


def require_plain(path: Path) -> None:
    """Refuse a document type before any parser sees it, and encodings in which it could hide.

    Raises:
        StatementRefused: as said.
    """
    with path.open("rb") as source:
        head = source.read(_HEAD_BYTES)
    if head.startswith(_UTF16) or b"\0" in head:
        raise malformed(Text("不是 UTF-8 编码", "not UTF-8"))
    if b"<!DOCTYPE" in head or b"<!ENTITY" in head:
        raise _with_type()


def name_of(element: etree._Element) -> str:
    """The element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]


def text_at(element: etree._Element, path: str) -> str | None:
    """The text at the path below the element (``Cdtr/Nm``), in the element's own namespace."""
    found = element.findtext(_path(str(element.tag).rpartition("}")[0], path))
    return None if found is None else found.strip() or None


@lru_cache(maxsize=1024)
def _path(namespace: str, path: str) -> str:
    return "/".join(f"{namespace}}}{step}" for step in path.split("/"))


def first_at(element: etree._Element, *paths: str) -> str | None:
    """The first text that stands at one of the paths."""
    return next((text for path in paths if (text := text_at(element, path)) is not None), None)


Texts = Mapping[str, str | None]
"""The first text at each path below an element; ``None`` where it is blank."""


def texts_below(element: etree._Element, without: str = "") -> Texts:
    """What :func:`text_at` says of every path, found at one go; nothing of children named ``without``."""
    found: dict[str, str | None] = {}
    _add_texts(element, element.tag[: -len(name_of(element))], "", without, found)
    return found


def _add_texts(element: etree._Element, space: str, before: str, without: str, found: dict[str, str | None]) -> None:
    begins = len(space)
    for child in element:
        tag = child.tag
        if type(tag) is not str or not tag.startswith(space) or (name := tag[begins:]) == without:
            continue  # a comment, or of another namespace
        path = before + name
        if path not in found:
            text = child.text
            found[path] = (text.strip() or None) if text else None
        if len(child):
            _add_texts(child, space, path + "/", without, found)


def first_of(texts: Texts, *paths: str) -> str | None:
    """What :func:`first_at` says of the element with these texts."""
    for path in paths:
        text = texts.get(path)
        if text is not None:
            return text
    return None


def _no_message(message: str) -> Text:
    return Text(f"不是 {message} 报文", f"not a {message}")


def _require_message(path: Path, message: str) -> None:
    """Refuse another document, and one with a document type that stands further down than was looked for it."""
    with path.open("rb") as source:
        events = etree.iterparse(source, events=("start",), resolve_entities=False, no_network=True, load_dtd=False)
        try:
            _, element = next(events)
        except (etree.XMLSyntaxError, StopIteration) as fault:
            raise malformed(_no_message(message)) from fault
        if element.getroottree().docinfo.internalDTD is not None:
            raise _with_type()
        if not _namespace(element).startswith(NAMESPACE + message + "."):
            raise malformed(_no_message(message))


def _namespace(element: etree._Element) -> str:
    """Its namespace, empty for none; the parser lets names pass (``<:``) that ``QName`` raises for."""
    return str(element.tag)[1:].partition("}")[0] if str(element.tag).startswith("{") else ""


def _forget(element: etree._Element) -> None:
    element.clear()
    before, parent = element.getprevious(), element.getparent()
    if before is not None and parent is not None and before.tag == element.tag:
        parent.remove(before)


def _with_type() -> Exception:
    return refused(
        "document_type", "XML 中不得含有文档类型或实体声明。", "The XML must hold no document type and no entities."
    )
