"""For everybody, without signing in: is this payout instruction genuine? By pasting it, or by uploading its file."""

from http import HTTPStatus

from flask import Response, request

from clearing.api.noun import too_large
from clearing.api.payouts import MAX_BYTES, MAX_INSTRUCTIONS, NOT_SEALED, Verdict, verdicts
from clearing.console.screen import screen, show
from tenants.kernel.errors import FieldError, Invalid, Problem, Text

blueprint = screen("instruction", "/instruction", signed_in=False)


@blueprint.get("")
def form() -> Response:
    """The form."""
    return show("instruction.html", verdicts=None, problem=None, text="", not_sealed=NOT_SEALED)


@blueprint.post("")
def verify() -> Response:
    """What each line of the text or file is."""
    text = request.form.get("text", "")
    found: list[Verdict] | None = None
    problem: Problem | None = None
    try:
        found = verdicts(_lines(text))
    except Problem as wrong:
        problem = wrong
    return show(
        "instruction.html", HTTPStatus.OK if problem is None else problem.status, verdicts=found, problem=problem,
        text=text, not_sealed=NOT_SEALED,
    )  # fmt: skip


def _lines(text: str) -> list[str]:
    file = request.files.get("file")
    content = file.read(MAX_BYTES + 1) if file is not None and file.filename else b""
    if len(content) > MAX_BYTES:
        raise too_large(MAX_BYTES)
    lines = [line for line in (text + "\n" + content.decode("utf-8", "replace")).splitlines() if line.strip()]
    if not lines or len(lines) > MAX_INSTRUCTIONS:
        said = Text(
            f"请粘贴或上传 1 至 {MAX_INSTRUCTIONS} 条拨付指令。",
            f"Paste or upload 1 to {MAX_INSTRUCTIONS} instructions.",
        )
        raise Invalid("input.invalid", said.zh, said.en, errors=(FieldError("/text", "instructions.count", said),))
    return lines
