"""All files of a batch, written into one folder; the manifest last, so that a folder without it is unfinished."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

from settlement.formats.bank_table import PRESETS, UTF8, ColumnMapping, write_csv
from settlement.formats.manifest import Chain, ListedFile, listed, manifest
from settlement.formats.pain001 import PAIN001, write_pain001
from settlement.formats.payment_list import write_payment_list
from settlement.formats.payout_batch import PayoutBatch
from settlement.formats.payouts import write_payouts
from settlement.formats.workbook import write_xlsx
from settlement.payouts.instruction import Instruction
from settlement.signatures.signing import SigningKey, sign_file
from tenants.kernel.canonical import Json

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
"""Every file of a batch, in the order in which they are written."""

TOLD_EVERY: Final = 5_000
"""After how many lines it is told again how far a file is."""

Instructions = Callable[[], Iterable[Instruction]]
"""Gives the instructions of the batch from the start, each time the same."""

_Write = Callable[[BinaryIO, PayoutBatch, Iterable[Instruction]], None]


@dataclass(frozen=True, slots=True)
class FileChoices:
    """What a tenant chooses about its files; see the writers for the values."""

    pain_version: str = "09"
    mapping: ColumnMapping = PRESETS["generic"]
    csv_encoding: str = UTF8


def write_folder(
    folder: Path,
    batch: PayoutBatch,
    instructions: Instructions,
    key: SigningKey,
    chain: Chain,
    choices: FileChoices | None = None,
    tell: Callable[[str, int], None] = lambda _name, _lines: None,
) -> list[ListedFile]:
    """Write every file of ``MEDIA_TYPES`` into the folder, over what lies there; the same input, the same bytes.

    ``tell`` hears the name of each file as it is begun, and again after every ``TOLD_EVERY`` lines.

    Raises:
        InstructionError, TotalsError, ValueError: see the writers; the folder then has no manifest.
        OSError: the disk is full, or the folder cannot be written.
    """
    (folder / MANIFEST).unlink(missing_ok=True)
    files = []
    with ThreadPoolExecutor(1) as hashing:
        for name, write, details in _writers(key, choices or FileChoices()):
            with (folder / name).open("wb") as out:
                write(out, batch, _told(instructions(), name, tell))
            files.append(hashing.submit(listed, folder / name, MEDIA_TYPES[name], details))
        token = sign_file(key, folder / PAIN001)
    signed, *others = [file.result() for file in files]
    contents = [replace(signed, details={**signed.details, "jws": token}), *others]
    (folder / PAIN001_JWS).write_text(token, encoding="ascii")
    (folder / MANIFEST).write_bytes(manifest(batch, contents, chain, key))
    return [*contents, *(listed(folder / name, MEDIA_TYPES[name], {}) for name in (PAIN001_JWS, MANIFEST))]


def _told(instructions: Iterable[Instruction], name: str, tell: Callable[[str, int], None]) -> Iterator[Instruction]:
    tell(name, 0)
    for number, instruction in enumerate(instructions, start=1):
        yield instruction
        if number % TOLD_EVERY == 0:
            tell(name, number)


def _writers(key: SigningKey, chosen: FileChoices) -> list[tuple[str, _Write, Mapping[str, Json]]]:
    """Each listed file: its name, what writes it, and what the manifest says about how to read it."""
    version, mapping, encoding = chosen.pain_version, chosen.mapping, chosen.csv_encoding
    columns: list[Json] = [{"heading": column.heading, "field": column.field} for column in mapping.columns]
    return [
        (PAIN001, partial(write_pain001, version=version), {"schema": f"pain.001.001.{version}"}),
        (CSV, partial(write_csv, mapping=mapping, encoding=encoding), {"columns": columns, "encoding": encoding}),
        (XLSX, partial(write_xlsx, mapping=mapping), {"columns": columns}),
        (JSONL, partial(write_payouts, key=key), {}),
        (PDF, write_payment_list, {}),
    ]
