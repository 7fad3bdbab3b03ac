"""Folder exchange: payment files out, answers in; a mounted SFTP folder is one too.

A file is staged whole, then noted in the journal, then moved out in one rename. So the folder alone tells whether a
file went out, also when the bank has taken it away: it did where the journal knows it and the stage does not hold it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Final

from settlement.bank.port import ABSENT, DELIVERED, Answer, BankSilentError, Message

OUT: Final = "out"
"""Where the bank takes payment files."""
ANSWERS: Final = "in"
"""Where the bank lays its answers."""
_STAGE: Final = ".stage"
_JOURNAL: Final = ".journal"


class FolderBank:
    """A bank behind a folder; its parts are made when they are first needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def submit(self, message: Message) -> Answer:
        """See :class:`settlement.bank.port.BankPort`: the same message goes out once, however often it is submitted.

        Raises:
            BankSilentError: the folder cannot be written, or another file went out under this id.
        """
        with _reported():
            if self._went_out(message):
                return Answer(DELIVERED, f"{OUT}/{_name(message)} (delivered before)")
            self._stage(message)
            staged = self._folder / _STAGE / _name(message)
            _write(self._folder / _JOURNAL / message.message_id, [message.sha256.encode()])
            os.rename(staged, self._made(OUT) / _name(message))  # noqa: PTH104 - one rename within one file system
            _sync(self._folder / OUT)
            return Answer(DELIVERED, f"{OUT}/{_name(message)}")

    def inquire(self, message: Message) -> Answer:
        """See :class:`settlement.bank.port.BankPort`: ``delivered`` or ``absent``.

        Raises:
            BankSilentError: the folder cannot be read, or another file went out under this id.
        """
        with _reported():
            if not self._folder.is_dir():
                raise BankSilentError(f"{self._folder} is not there")
            if self._went_out(message):
                return Answer(DELIVERED, f"{OUT}/{_name(message)}")
            return Answer(ABSENT, "not delivered")

    def _went_out(self, message: Message) -> bool:
        note = self._folder / _JOURNAL / message.message_id
        if not note.exists() or (self._folder / _STAGE / _name(message)).exists():
            return False
        if note.read_text(encoding="ascii") != message.sha256:
            raise BankSilentError(f"another file went out as {message.message_id}")
        return True

    def _stage(self, message: Message) -> None:
        path = self._made(_STAGE) / _name(message)
        self._made(_JOURNAL)
        self._made(ANSWERS)
        digest = sha256()

        def hashed() -> Iterator[bytes]:
            for part in message.content():
                digest.update(part)
                yield part

        _write(path, hashed())
        if digest.hexdigest() != message.sha256:
            raise BankSilentError(f"{message.message_id}: the file is not the one that was signed")

    def _made(self, part: str) -> Path:
        path = self._folder / part
        path.mkdir(parents=True, exist_ok=True)
        return path


def _name(message: Message) -> str:
    return f"{message.message_id}.xml"


def _write(path: Path, parts: Iterator[bytes] | list[bytes]) -> None:
    """The whole file on the disk under its name, or nothing under it."""
    unfinished = path.with_name(path.name + ".part")
    with unfinished.open("wb") as file:
        for part in parts:
            file.write(part)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _reported() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BankSilentError(f"the folder: {error.strerror}") from error
