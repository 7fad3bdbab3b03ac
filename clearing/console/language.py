"""Chinese first, English by a switch: flask-babel over a catalogue whose source language is Chinese."""

from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Final

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from flask import Flask, request
from flask_babel import Babel, Domain, get_locale

from tenants.kernel.errors import Text

LANGUAGES: Final = ("zh", "en")
COOKIE: Final = "console_language"
CATALOGUE: Final = Path(__file__).parent / "translations" / "en" / "LC_MESSAGES" / "messages.po"


class _Catalogue(Domain):  # type: ignore[misc]  # flask-babel ships no types
    """Messages straight from the catalogue that people edit: no compiled copy that could differ from it."""

    def get_translations(self) -> NullTranslations:
        return english() if speaks_english() else _CHINESE


_CHINESE: Final = NullTranslations()


@cache
def english() -> Translations:
    """The English messages."""
    compiled = BytesIO()
    with CATALOGUE.open("rb") as file:
        write_mo(compiled, read_po(file, locale="en"))
    compiled.seek(0)
    return Translations(compiled)


def speak(app: Flask) -> None:
    """Let the application's pages speak the caller's language."""
    babel = Babel()
    babel.init_app(app, default_locale="zh", default_timezone="Asia/Shanghai", locale_selector=_chosen)
    babel.domain_instance = _Catalogue()


def _chosen() -> str:
    chosen = request.cookies.get(COOKIE, "")
    return chosen if chosen in LANGUAGES else "zh"


def speaks_english() -> bool:
    """Whether the page is in English; outside of a request it is not."""
    locale = get_locale()
    return locale is not None and locale.language == "en"


def said(text: Text) -> str:
    """The text in the page's language."""
    return text.en if speaks_english() else text.zh
