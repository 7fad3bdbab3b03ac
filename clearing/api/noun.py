"""Blueprints whose JSON is read strictly, whose faults are RFC 6901 pointers, and whose lists are paged alike."""

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import BytesIO
from typing import IO, Any, Final, NoReturn, TypeVar
from uuid import UUID

from flask import Request, g, request
from flask_smorest import Blueprint
from marshmallow import Schema, ValidationError, fields, validate
from webargs.flaskparser import FlaskParser

from connectors.faults import MESSAGES, explain
from connectors.faults import SEPARATOR as FAULT_SEPARATOR
from tenants.kernel.canonical import Json
from tenants.kernel.errors import FieldError, Invalid, Text, TooLarge, UnsupportedMediaType
from tenants.kernel.strict_json import decode

JSON_TYPE: Final = "application/json"
NDJSON_TYPE: Final = "application/x-ndjson"
IDENTITY: Final = "identity"
"""The content coding that codes nothing."""
MAX_BODY_BYTES: Final = 256 * 1024
DEFAULT_LIMIT: Final = 50
MAX_LIMIT: Final = 500

Row = TypeVar("Row")


class _StrictParser(FlaskParser):
    """webargs with our JSON decoder and our problems; unknown members are refused everywhere."""

    DEFAULT_UNKNOWN_BY_LOCATION = {"json": "raise", "query": "raise", "form": "raise"}  # noqa: RUF012 - webargs' form

    def load_json(self, req: Request, schema: Schema) -> Any:  # noqa: ANN401, ARG002 - webargs' signature
        return json_body(MAX_BODY_BYTES)

    def handle_error(
        self,
        error: ValidationError,
        req: Request,  # noqa: ARG002
        schema: Schema,  # noqa: ARG002
        *,
        error_status_code: int | None,  # noqa: ARG002
        error_headers: Mapping[str, str] | None,  # noqa: ARG002
    ) -> NoReturn:
        messages: dict[str, Any] = error.normalized_messages()  # type: ignore[no-untyped-call]  # marshmallow
        inner = [value for value in messages.values() if isinstance(value, dict | list)]
        raise invalid_input(inner[0] if inner else messages)


class Noun(Blueprint):
    """One noun of the interface. Its description names every call, by its function, and what every call answers."""

    ARGUMENTS_PARSER = _StrictParser()

    def __init__(self, *given: Any, **named: Any) -> None:  # noqa: ANN401 - as the library's
        super().__init__(*given, **named)
        self._prepare_doc_cbks.append(_complete)

    def _store_endpoint_docs(self, endpoint: str, obj: Any, *given: Any, **named: Any) -> None:  # noqa: ANN401 - as well
        super()._store_endpoint_docs(endpoint, obj, *given, **named)
        for doc in self._docs[endpoint].values():
            if doc is not None:
                doc["endpoint"] = endpoint


def _complete(doc: dict[str, Any], info: Mapping[str, Any], method: str, **_: object) -> dict[str, Any]:
    """Name the call, and say of an answer that says nothing itself that it is a JSON object.

    Without either, clients that are generated from the description call methods by their addresses, and get nothing.
    """
    manual = info.get("manual_doc", {})
    lines = NDJSON_TYPE in manual.get("requestBody", {}).get("content", {})
    schema = {"type": "string"} if lines else {"type": "object"}
    whole = {"content": {NDJSON_TYPE if lines else JSON_TYPE: {"schema": schema}}}
    answers = doc.setdefault("responses", {})
    said = {code for code in {*answers, *manual.get("responses", {})} if str(code).startswith("2")}
    if not said:
        code = "200" if method == "get" else "2XX"
        answers[code] = {"description": "答复 / the answer", **whole}
    for code in said:
        merged = {**answers.get(code, {}), **manual.get("responses", {}).get(code, {})}
        if not {"content", "schema", "$ref"} & merged.keys() and str(code) != "204":
            answers[code] = {**answers.get(code, {}), **whole}
    return doc | {"operationId": info["endpoint"]}


def json_body(max_bytes: int, *, documents: frozenset[str] = frozenset()) -> Json:
    """The request's body, decoded strictly; the members ``documents`` may hold texts of several lines.

    Raises:
        UnsupportedMediaType: the content type is not JSON, or the content is compressed.
        TooLarge: the body is over ``max_bytes``.
        Malformed: it is not strict JSON.
    """
    require_type(JSON_TYPE)
    if (request.content_length or 0) > max_bytes:
        raise too_large(max_bytes)
    return decode(request.get_data(), max_bytes, documents=documents)


def require_type(mimetype: str) -> None:
    """Refuse a body of another type, or one that is compressed (RFC 9110 §8.4): a small one may hold a huge one.

    Raises:
        UnsupportedMediaType: as above.
    """
    require_mimetype(mimetype)
    if request.headers.get("Content-Encoding", IDENTITY).lower() != IDENTITY:
        raise UnsupportedMediaType(
            "content_encoding.unsupported", "不接受压缩的内容。", "Compressed content is not accepted."
        )


def body_source() -> IO[bytes]:
    """The request's body as a stream, also where it was read whole before, for its signature."""
    return BytesIO(request.get_data()) if "read_whole" in g else request.stream


def require_mimetype(mimetype: str) -> None:
    """Refuse a body of another type.

    Raises:
        UnsupportedMediaType: as above.
    """
    if request.mimetype != mimetype:
        raise UnsupportedMediaType(
            "content_type.unsupported", f"请使用 Content-Type: {mimetype}。", f"Use Content-Type: {mimetype}."
        )


def load(schema: Schema, data: Json) -> Any:  # noqa: ANN401 - what the schema makes
    """What the schema makes of the data.

    Raises:
        Invalid: with a pointer for each fault.
    """
    try:
        return schema.load(data)  # type: ignore[arg-type]  # a schema refuses what is no object
    except ValidationError as error:
        raise invalid_input(error.normalized_messages()) from error  # type: ignore[no-untyped-call]  # marshmallow


def invalid_input(messages: Any) -> Invalid:  # noqa: ANN401 - marshmallow's nested form
    """The answer to marshmallow's messages."""
    return Invalid(
        "input.invalid",
        "内容有误，请按 errors 逐项改正。",
        "The input has faults; correct each one named in errors.",
        errors=tuple(_faults("", messages)),
    )


def too_large(max_bytes: int) -> TooLarge:
    """The answer to a body over its limit."""
    return TooLarge(
        "body.too_large", f"内容超过 {max_bytes // 1024} KiB。", f"The body is over {max_bytes // 1024} KiB."
    )


class WholeNumber(fields.Integer):
    """A whole number in ASCII digits: Python reads full-width ones too, and spaces and underscores between them."""

    def _validated(self, value: Any) -> int:  # noqa: ANN401 - marshmallow's signature
        if not isinstance(value, str) or not _WHOLE.fullmatch(value):
            raise self.make_error("invalid")
        return super()._validated(value)


_WHOLE: Final = re.compile(r"-?[0-9]{1,18}", re.ASCII)


class PageSchema(Schema):
    """The query of every list."""

    limit = WholeNumber(
        load_default=DEFAULT_LIMIT,
        validate=validate.Range(1, MAX_LIMIT),
        metadata={"description": f"at most {MAX_LIMIT} items"},
    )
    cursor = fields.String(load_default=None, metadata={"description": "next_cursor of the page before"})


def page(rows: Sequence[Row], limit: int, shown: Callable[[Row], Json], key: Callable[[Row], str]) -> dict[str, Json]:
    """``{items, next_cursor}`` of ``limit + 1`` rows read: the one too many says that there is a next page."""
    items: list[Json] = [shown(row) for row in rows[:limit]]
    return {"items": items, "next_cursor": write_cursor(key(rows[limit - 1])) if len(rows) > limit else None}


def write_cursor(after: str) -> str:
    """An opaque cursor behind the row with this key."""
    return base64.urlsafe_b64encode(after.encode()).decode().rstrip("=")


def read_cursor(cursor: str | None) -> str | None:
    """The key in a cursor.

    Raises:
        Invalid: it is not one of ours.
    """
    if cursor is None:
        return None
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError) as error:
        raise _bad_cursor() from error


def cursor_id(cursor: str | None) -> UUID | None:
    """The id in a cursor.

    Raises:
        Invalid: it is not one of ours.
    """
    key = read_cursor(cursor)
    try:
        return None if key is None else UUID(key)
    except ValueError as error:
        raise _bad_cursor() from error


def _bad_cursor() -> Invalid:
    return bad_query("cursor", "游标无效，请从第一页开始。", "The cursor is not valid; start from the first page.")


def bad_query(name: str, zh: str, en: str) -> Invalid:
    """The answer to one faulty query parameter."""
    return Invalid("input.invalid", zh, en, errors=(FieldError(f"/{name}", f"{name}.invalid", Text(zh, en)),))


def _faults(pointer: str, messages: Any) -> Iterator[FieldError]:  # noqa: ANN401 - marshmallow's nested form
    if isinstance(messages, dict):
        for key, inner in messages.items():
            step = "" if key == "_schema" else "/" + str(key).replace("~", "~0").replace("/", "~1")
            yield from _faults(pointer + step, inner)
    else:
        for message in messages if isinstance(messages, list) else [messages]:
            yield FieldError(pointer, *_said(str(message)))


def _said(message: str) -> tuple[str, Text]:
    """Code and text of a fault: ours carry a code, marshmallow's own are English sentences."""
    if message.partition(FAULT_SEPARATOR)[0] in MESSAGES:
        return explain(message)
    return "field.invalid", Text(_CHINESE.get(message, f"取值无效（{message}）"), message)


_CHINESE: Final[Mapping[str, str]] = {
    "Missing data for required field.": "缺少必填项。",
    "Unknown field.": "没有这个字段。",
    "Field may not be null.": "不能为空。",
    "Not a valid string.": "须为字符串。",
    "Not a valid integer.": "须为整数。",
    "Not a valid boolean.": "须为 true 或 false。",
    "Not a valid list.": "须为数组。",
    "Not a valid UUID.": "须为 UUID。",
    "Invalid input type.": "须为 JSON 对象。",
}
