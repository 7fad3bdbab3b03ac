"""Fields of answers, described in both languages for those who read the interface."""

from marshmallow import fields


def text(about: str, *, nullable: bool = False, **more: object) -> fields.String:
    """A text of an answer; ``nullable``: or null."""
    return fields.String(allow_none=nullable, metadata={"description": about, **more})


def instant(about: str) -> fields.String:
    """An instant of an answer."""
    return text(about, format="date-time")
