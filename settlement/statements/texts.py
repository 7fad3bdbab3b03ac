"""The text of a bank's file: UTF-8, with or without its mark, or GB18030; nothing is guessed beyond these two."""

from typing import Final

from settlement.statements.line import malformed

UTF8: Final = "utf-8-sig"
GB18030: Final = "gb18030"


def decoded(content: bytes) -> str:
    """The whole text.

    Raises:
        StatementRefused: it is neither.
    """
    for encoding in (UTF8, GB18030):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise malformed("UTF-8 / GB18030")
