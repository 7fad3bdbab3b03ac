"""A bank's file handed in at a screen: larger than any other form, kept for as long as it is imported."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from flask import Blueprint, request

from clearing.api.frame import current
from clearing.console.screen import within
from tenants.kernel.database import Work
from tenants.kernel.errors import FieldError, Invalid, Text

Result = TypeVar("Result")

_CHUNK_BYTES: Final = 2**18


def let_files_be_large(blueprint: Blueprint, endpoint: str) -> None:
    """Let the endpoint of the blueprint take a bank's file; said before the form is read."""

    def let() -> None:
        if request.endpoint == endpoint:
            request.max_content_length = current().settings.statement_bytes

    blueprint.before_request_funcs[None].insert(0, let)


def taken_in(tenant: str, use_case: Callable[[Work, Path], Result]) -> Result:
    """What the use case makes of the uploaded file, in a transaction for the tenant; the file is then gone.

    Raises:
        Invalid: none was chosen, or an empty one.
    """
    with tempfile.TemporaryDirectory(prefix="statement-") as folder:
        path = Path(folder) / "statement"
        _keep_upload(path)
        return within(lambda work: use_case(work, path), (tenant,))


def _keep_upload(path: Path) -> None:
    file = request.files.get("file")
    size = 0
    if file is not None and file.filename:
        with path.open("wb") as kept:
            while chunk := file.stream.read(_CHUNK_BYTES):
                size += kept.write(chunk)
    if size == 0:
        said = Text("请选择银行提供的文件。", "Choose the file that the bank gave you.")
        raise Invalid("input.invalid", said.zh, said.en, errors=(FieldError("/file", "file.missing", said),))
