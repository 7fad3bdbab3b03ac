"""The whole verification of a folder, from its manifest down to each line."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack, suppress
from itertools import islice
from pathlib import Path
from typing import Any, Final

from settlement.offline.agreement import Source, compare
from settlement.offline.as_written import (
    Run,
    Spelling,
    message_run,
    message_spelling,
    sheet_run,
    sheet_spelling,
    table_run,
    table_spelling,
)
from settlement.offline.difference import Difference, Findings, Place
from settlement.offline.evidence import read_keys
from settlement.offline.heads import check_heads
from settlement.offline.listing import CSV, JSONL, PAIN, XLSX, Manifest, check_files, read_manifest
from settlement.offline.pain import FIELDS as PAIN_FIELDS
from settlement.offline.pain import namespace_of, pain_lines
from settlement.offline.payouts import payout_lines
from settlement.offline.side_by_side import Cut, cut_message, cut_sheet, cut_table
from settlement.offline.signed_lines import Beside, Form, check_payouts
from settlement.offline.tables import FAULTS, csv_lines, xlsx_lines
from tenants.kernel.money import Money, MoneyError

_PAYOUT_FIELDS: Final = (
    "instruction_id", "end_to_end_id", "payee", "account_number", "bank_name", "cnaps", "amount", "amount_in_words",
    "currency", "purpose", "claims", "batch", "payer", "payer_account_number", "payer_bank_name", "valid_through",
)  # fmt: skip


def verify_batch(
    directory: Path, jwks: Mapping[str, Any], *, previous_manifest_sha256: str | None = None
) -> list[Difference]:
    """Everything that is wrong with a folder of payment files; empty when it is whole, genuine and of one mind.

    Needs nothing but the folder and the tenant's published JWK set; ``previous_manifest_sha256``, where the caller
    knows it, is held against the manifest's chain. Nothing in the folder makes it raise.

    Raises:
        OSError: a file is there but cannot be read.
    """
    findings = Findings()
    try:
        keys = read_keys(jwks)
    except ValueError:
        findings.add(Place(), "jwks.malformed", "公钥清单格式不正确。", "The key set is malformed.")
        return findings.closed()
    manifest = read_manifest(directory, keys, previous_manifest_sha256, findings)
    if manifest is None:
        return findings.closed()
    intact = check_files(directory, manifest, keys, findings)
    sources = _sources(directory, manifest)
    reference = _reference(sources, intact if manifest.genuine else set())
    agreed: set[str] = set()
    if JSONL in sources:
        with ExitStack() as cuts:
            beside = _beside(directory, manifest, sources, cuts) if reference is sources[JSONL] else []
            agreed = check_payouts(directory / JSONL, manifest, jwks, beside, findings)
    check_heads(directory, manifest, sources, findings)
    if reference is not None:
        others = [source for source in sources.values() if source is not reference and source.name not in agreed]
        for source in compare(reference, others, findings) if others else ():
            if source.name != JSONL:
                _check_sum(source, manifest, findings)
    return findings.closed()


_Way = tuple[AbstractContextManager[Cut], Callable[..., Run], tuple[object, ...], Callable[..., Spelling]]
"""How a file is cut, what makes the reader of its runs and what that is told, and what makes the quicker look."""


def _beside(directory: Path, manifest: Manifest, sources: Mapping[str, Source], cuts: ExitStack) -> list[Beside]:
    """The files that are read side by side with the signed lines; one that cannot be opened so is read apart."""
    files = manifest.files
    table, sheet, schema = files[CSV]["columns"], files[XLSX]["columns"], files[PAIN]["schema"]
    ways: dict[str, _Way] = {
        CSV: (cut_table(directory / CSV), table_run, (table, files[CSV]["encoding"]), table_spelling),
        XLSX: (cut_sheet(directory / XLSX), sheet_run, (sheet,), sheet_spelling),
        PAIN: (cut_message(directory / PAIN, namespace_of(schema)), message_run, (), message_spelling),
    }
    found = []
    for name, (cut, reader, told, spelling) in ways.items():
        source = sources.get(name)
        if source is not None:
            with suppress(*FAULTS):
                form = Form(name, source.fields, source.in_pain, reader, told, spelling)
                found.append(Beside(source, cuts.enter_context(cut), form))
    return found


def _sources(directory: Path, manifest: Manifest) -> dict[str, Source]:
    """The files with lines that are there."""
    files = manifest.files
    table, sheet, schema = files[CSV]["columns"], files[XLSX]["columns"], files[PAIN]["schema"]
    encoding = files[CSV]["encoding"]
    sources = (
        Source(JSONL, lambda: payout_lines(directory / JSONL), _PAYOUT_FIELDS),
        Source(CSV, lambda: islice(csv_lines(directory / CSV, table, encoding), 1, None), _fields(table)),
        Source(XLSX, lambda: islice(xlsx_lines(directory / XLSX, sheet), 1, None), _fields(sheet)),
        Source(PAIN, lambda: pain_lines(directory / PAIN, schema), PAIN_FIELDS, in_pain=True),
    )
    return {source.name: source for source in sources if (directory / source.name).exists()}


def _reference(sources: Mapping[str, Source], intact: set[str]) -> Source | None:
    """The file that the others are held against: one that is as it was signed, the signed lines first."""
    for name in (JSONL, CSV, XLSX):
        if name in intact:
            return sources[name]
    return sources.get(JSONL) or next(iter(sources.values()), None)


def _check_sum(source: Source, manifest: Manifest, findings: Findings) -> None:
    """Count and sum of a file that does not agree line by line."""
    count, fen = 0, 0
    for line in source.lines():
        count += 1
        with suppress(MoneyError):
            fen += 0 if line.record is None else Money.parse(line.record["amount"]).fen
    findings.expect(Place(source.name), "count", manifest.content["count"], count)
    findings.expect(Place(source.name), "total", manifest.content["total"], str(Money(fen)))


def _fields(columns: Iterable[Mapping[str, str]]) -> tuple[str, ...]:
    return tuple(column["field"] for column in columns)
