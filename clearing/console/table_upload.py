"""Tables that people upload: looked at first, in a transaction that is undone, and stored by a second press.

Between the two the file travels with the page, so that what is stored is byte for byte what was looked at.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, TypeVar

from flask import Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.frame import current
from clearing.api.noun import too_large
from clearing.console.screen import show
from connectors.table_file import first_rows
from tenants.kernel.database import Scope, Work, run
from tenants.kernel.errors import FieldError, Invalid, Problem, Text

MAX_TABLE_BYTES: Final = 2 * 2**20
MAX_FORM_BYTES: Final = 3 * 2**20
"""The table once more, in base64, and the form around it."""
ROWS_SHOWN: Final = 30

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Import:
    """One kind of import: what it is called, where its form goes and leads back to, and which columns it knows.

    ``store`` stores the table's rows and says what it did, a line each; ``fields`` are hidden fields of its form.
    """

    title: str
    place: str
    back: str
    done: str
    columns: Sequence[str]
    store: Callable[[Work, bytes], list[str]]
    fields: dict[str, str]
    raced: frozenset[str] = frozenset()
    tenants: tuple[str, ...] = ()
    """Where it writes to the chain of more than the tenant: all of them."""


class _Looked(Exception):  # noqa: N818 - nothing is wrong: it only undoes what was tried
    """What the table would have done."""

    def __init__(self, said: list[str]) -> None:
        super().__init__()
        self.said = said


def form_page(kind: Import) -> Response:
    """The form that takes the file."""
    return _page(kind, None, None, [])


def take(kind: Import, tenant: str) -> AnyResponse:
    """Look at the uploaded table or, where it was looked at and its button pressed, store it."""
    content: bytes | None = None
    try:
        content = _uploaded()
        if request.form.get("act") != "store":
            return _page(kind, content, None, _looked_at(kind, tenant, content))
        _run(kind, tenant, lambda work: kind.store(work, content))
    except Problem as problem:
        if problem.status == HTTPStatus.NOT_FOUND:
            raise
        return _page(kind, content, problem, [])
    return redirect(f"{kind.back}{'&' if '?' in kind.back else '?'}done={kind.done}", HTTPStatus.SEE_OTHER)


def _looked_at(kind: Import, tenant: str, content: bytes) -> list[str]:
    def use_case(work: Work) -> None:
        raise _Looked(kind.store(work, content))

    try:
        _run(kind, tenant, use_case)
    except _Looked as looked:
        return looked.said
    raise AssertionError("a look always ends so")


def _run(kind: Import, tenant: str, use_case: Callable[[Work], Result]) -> Result:
    service = current()
    return run(service.engine, Scope(kind.tenants or (tenant,)), service.machine, use_case, kind.raced)


def _uploaded() -> bytes:
    content: bytes
    file = request.files.get("file")
    if file is not None and file.filename:
        with file.stream:
            content = file.read(MAX_TABLE_BYTES + 1)
    else:
        try:
            content = base64.b64decode(request.form.get("kept", ""), validate=True)
        except binascii.Error:
            content = b""
    if len(content) > MAX_TABLE_BYTES:
        raise too_large(MAX_TABLE_BYTES)
    if not content:
        said = Text("请选择要上传的表格（CSV 或 XLSX）。", "Choose a table to upload (CSV or XLSX).")
        raise Invalid("input.invalid", said.zh, said.en, errors=(FieldError("/file", "file.missing", said),))
    return content


def _page(kind: Import, content: bytes | None, problem: Problem | None, said: list[str]) -> Response:
    at_fault = {error.pointer.removeprefix("/") for error in problem.errors} if problem is not None else set()
    return show(
        "table_upload.html", HTTPStatus.OK if problem is None else problem.status, kind=kind, problem=problem,
        most=ROWS_SHOWN, summary=said, at_fault=at_fault, rows=[] if content is None else _rows(content, at_fault),
        kept="" if content is None else base64.b64encode(content).decode(),
    )  # fmt: skip


def _rows(content: bytes, at_fault: set[str]) -> list[dict[str, Any]]:
    """The first rows of the file; where cells are at fault, their rows."""
    wanted = {int(digits) for address in at_fault if (digits := address.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")).isdigit()}
    return first_rows(content, wanted, ROWS_SHOWN)
