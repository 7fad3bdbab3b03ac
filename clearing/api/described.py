"""Fields of answers, described in both languages for those who read the interface."""

from marshmallow import fields


def text(about: str, **more: object) -> fields.String:
    """A text of an answer."""
    return fields.String(metadata={"description": about, **more})


def instant(about: str) -> fields.String:
    """An instant of an answer."""
    return text(about, format="date-time")
