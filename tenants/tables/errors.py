"""A file that is no table at all: nothing of it is taken."""

from tenants.kernel.errors import Text


class TableError(ValueError):
    """The file as a whole cannot be read; ``text`` says why and what to do."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(f"{zh}\n{en}")
        self.text = Text(zh, en)


class TooLargeError(TableError):
    """The file would unpack to too much."""
