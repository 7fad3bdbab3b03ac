"""All files of a batch, written side by side into one folder; the manifest last: a folder without it is unfinished.

The instructions pass once. What they are in each file is rendered piece by piece by a crew and signed on two threads;
this process only puts the pieces behind each other. At the end of every section the files stand so that they can be
gone on with by whoever has their bytes and the section's mark.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from settlement.formats.bank_table import table_head
from settlement.formats.long_archive import Packed
from settlement.formats.manifest import Chain, ListedFile, listed, manifest
from settlement.formats.pain001 import MESSAGE_TAIL, PAIN001, message_head
from settlement.formats.payment_list import payment_list
from settlement.formats.payout_batch import PayoutBatch, Tally
from settlement.formats.payouts import require_key, signed_lines
from settlement.formats.rendering import FileChoices, Rendered, Setting, pieces_of, rendering
from settlement.formats.workbook import OpenWorkbook
from settlement.payouts.instruction import Instruction, InstructionError
from settlement.signatures.signing import INSTRUCTION, SigningKey, sign_file
from tenants.kernel.canonical import Json
from tenants.kernel.crew import in_order, members

PAIN001_JWS: Final = "pain.001.xml.jws"
CSV: Final = "payouts.csv"
XLSX: Final = "payouts.xlsx"
JSONL: Final = "payouts.jsonl"
PDF: Final = "payment-list.pdf"
MANIFEST: Final = "manifest.json"

MEDIA_TYPES: Final[Mapping[str, str]] = {
    PAIN001: "application/xml",
    CSV: "text/csv",
    XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    JSONL: "application/jsonl",
    PDF: "application/pdf",
    PAIN001_JWS: "application/jose",
    MANIFEST: "application/json",
}
"""Every file of a batch, in the order in which the manifest lists them."""
GROWING: Final = (PAIN001, CSV, XLSX, JSONL, PDF)
"""Those that have a line for each instruction."""

SECTION_LINES: Final = 10_000
"""The instructions of a section; whole pieces. The workbook is packed anew in each, so its bytes follow from this."""
PIECE_BYTES: Final = 2**20
CREW_FROM: Final = 20_000
"""Fewer instructions are rendered by the time a crew is there."""
_SIGNING_THREADS: Final = 2
_SIGNED_AHEAD: Final = 4

Instructions = Callable[[], Iterable[Instruction]]
"""Gives the instructions of the batch."""
Tell = Callable[[str, int], None]
"""Hears what is being done and how many lines of it are."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Where the files stand after a section: what its lines come to, and what the files' own order needs to go on.

    ``pages``: sizes of the contents of this section's pages in the printed list.
    """

    tally: Tally
    sheet: Packed
    pages: tuple[int, ...]


class OpenFolder:
    """A folder whose files are open for their lines; see :func:`fill` and :meth:`close`."""

    def __init__(self, folder: Path, batch: PayoutBatch, key: SigningKey, choices: FileChoices) -> None:
        """Begin the files, over what lies there.

        Raises:
            InstructionError: the key is another tenant's.
            ValueError: see the writers.
            OSError: the disk is full, or the folder cannot be written.
        """
        if key.tenant != batch.tenant:
            raise InstructionError(f"key_id: a key of {key.tenant} does not sign for {batch.tenant}")
        (folder / MANIFEST).unlink(missing_ok=True)
        self.folder, self.batch, self.key, self.choices = folder, batch, key, choices
        self.tally = Tally()
        """What the instructions in the files come to."""
        self._pages: list[int] = []
        with ExitStack() as files:
            self._files: dict[str, BinaryIO] = {
                name: files.enter_context((folder / name).open("wb")) for name in GROWING
            }
            self._files[PAIN001].write(message_head(batch, choices.pain_version))
            self._files[CSV].write(table_head(choices.mapping, choices.csv_encoding))
            self._list = payment_list(self._files[PDF], batch)
            self._book = OpenWorkbook(self._files[XLSX], batch, choices.mapping)
            self._open = files.pop_all()
        self._told = dict.fromkeys(GROWING, 0) | {XLSX: self._book.lines_begin}
        """Up to where :meth:`grown` has told of each file; what is before a workbook's lines is known at its end."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def go_on(self, marks: Sequence[Mark], contents: Mapping[str, Iterable[bytes]]) -> None:
        """Go on behind sections that were written before: their marks, and all that :meth:`grown` told of each file."""
        for name, parts in contents.items():
            self._files[name].seek(self._told[name])
            self._files[name].writelines(parts)
            self._told[name] = self._files[name].tell()
        self._book.go_on(marks[-1].sheet)
        self.tally = marks[-1].tally
        for mark in marks:
            self._list.go_on(mark.pages)

    def add(self, piece: Rendered, lines: bytes) -> None:
        """Append a piece to every file, with its signed lines."""
        self._files[PAIN001].write(piece.pain)
        self._files[CSV].write(piece.table)
        self._files[JSONL].write(lines)
        self._book.add(piece.sheet)
        for page in piece.pages:
            self._list.add(page)
        self._pages += map(len, piece.pages)
        self.tally = piece.tally

    def end_section(self) -> Mark:
        """End a section that another one follows; afterwards the files can be read up to here."""
        mark = Mark(self.tally, self._book.end_section(), tuple(self._pages))
        self._pages = []
        for file in self._files.values():
            file.flush()
        return mark

    def grown(self) -> Iterator[tuple[str, bytes]]:
        """What each file has grown by since the last section, piece by piece: its name and at most ``PIECE_BYTES``."""
        for name in GROWING:
            with (self.folder / name).open("rb") as file:
                file.seek(self._told[name])
                while piece := file.read(PIECE_BYTES):
                    yield name, piece
                self._told[name] = file.tell()

    def close(self, chain: Chain) -> list[ListedFile]:
        """Write what ends the files, hash and sign them."""
        self._files[PAIN001].write(MESSAGE_TAIL)
        self._book.close()
        self._list.close()
        self._open.close()
        with ThreadPoolExecutor(_SIGNING_THREADS) as hashing:
            files = [
                hashing.submit(listed, self.folder / name, MEDIA_TYPES[name], details)
                for name, details in _details(self.choices).items()
            ]
            token = sign_file(self.key, self.folder / PAIN001)
            signed, *others = [file.result() for file in files]
        contents = [replace(signed, details={**signed.details, "jws": token}), *others]
        (self.folder / PAIN001_JWS).write_text(token, encoding="ascii")
        (self.folder / MANIFEST).write_bytes(manifest(self.batch, contents, chain, self.key))
        return [*contents, *(listed(self.folder / name, MEDIA_TYPES[name], {}) for name in (PAIN001_JWS, MANIFEST))]


def fill(
    files: OpenFolder, instructions: Iterable[Instruction], section_lines: int = SECTION_LINES, crew: int | None = None
) -> Iterator[Mark]:
    """Append the instructions that follow those in the files; the mark of each section that another one follows.

    ``crew``: how many processes render; as many as pay, where it is not given.

    Raises:
        InstructionError: an instruction names another key.
        TotalsError: the instructions are not those of the batch; what was written is then to be thrown away.
        tenants.kernel.crew.CrewError: see there.
    """
    batch, key = files.batch, files.key
    if crew is None:
        crew = members() if batch.count - files.tally.number >= CREW_FROM else 0
    setting = Setting(batch, files.choices, key.protected(INSTRUCTION))
    pieces = pieces_of(batch, require_key(instructions, key.kid), files.tally)
    waiting: deque[tuple[Rendered, Future[bytes]]] = deque()
    with ThreadPoolExecutor(_SIGNING_THREADS) as threads:

        def put() -> Iterator[Mark]:
            piece, lines = waiting.popleft()
            files.add(piece, lines.result())
            if not piece.tally.number % section_lines and piece.tally.number < batch.count:
                yield files.end_section()

        for piece in in_order(rendering, setting, pieces, crew):
            waiting.append((piece, threads.submit(signed_lines, key.sign, piece.signing)))
            if len(waiting) > _SIGNED_AHEAD:
                yield from put()
        while waiting:
            yield from put()


def write_folder(
    folder: Path,
    batch: PayoutBatch,
    instructions: Instructions,
    key: SigningKey,
    chain: Chain,
    choices: FileChoices | None = None,
) -> list[ListedFile]:
    """Write every file of ``MEDIA_TYPES`` into the folder, over what lies there; the same input, the same bytes.

    Raises:
        InstructionError, TotalsError, ValueError: see :func:`fill`; the folder then has no manifest.
        OSError: the disk is full, or the folder cannot be written.
    """
    with OpenFolder(folder, batch, key, choices or FileChoices()) as files:
        for _ in fill(files, instructions()):
            pass
        return files.close(chain)


def _details(chosen: FileChoices) -> dict[str, Mapping[str, Json]]:
    """What the manifest says about how to read each listed file."""
    columns: list[Json] = [{"heading": column.heading, "field": column.field} for column in chosen.mapping.columns]
    return {
        PAIN001: {"schema": f"pain.001.001.{chosen.pain_version}"},
        CSV: {"columns": columns, "encoding": chosen.csv_encoding},
        XLSX: {"columns": columns},
        JSONL: {},
        PDF: {},
    }
