"""Every error as RFC 9457 problem details, Chinese by default; nothing of the inside ever gets out."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import structlog
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from tenants.kernel.canonical import canonical_bytes
from tenants.kernel.database import database_away, is_away
from tenants.kernel.errors import FieldError, Problem, Text

MEDIA_TYPE: Final = "application/problem+json"

_log = structlog.get_logger()

_TITLES: Final[Mapping[int, Text]] = {
    400: Text("请求无法读取", "The request cannot be read"),
    401: Text("未认证", "Not authenticated"),
    403: Text("无权操作", "Not allowed"),
    404: Text("不存在", "Not found"),
    405: Text("不支持此方法", "Method not allowed"),
    406: Text("无法提供所需格式", "Not acceptable"),
    409: Text("状态冲突", "Conflict"),
    412: Text("资源已被修改", "The resource has changed"),
    413: Text("内容过大", "Too large"),
    415: Text("不支持的内容类型", "Unsupported media type"),
    422: Text("内容有误", "Invalid input"),
    428: Text("需要 If-Match", "If-Match is required"),
    429: Text("请求过于频繁", "Too many requests"),
    500: Text("服务内部错误", "Internal error"),
    503: Text("服务暂时不可用", "Temporarily unavailable"),
}


def wants_english() -> bool:
    """Whether the caller's ``Accept-Language`` prefers English, of whatever country, over Chinese."""
    wanted = {"zh": 0.0, "en": 0.0}
    for tag, quality in request.accept_languages:
        language = tag.partition("-")[0].lower()
        if language in wanted:
            wanted[language] = max(wanted[language], quality)
    return wanted["en"] > wanted["zh"]


def problem_body(problem: Problem, *, english: bool) -> dict[str, Any]:
    """The problem as RFC 9457 members, in one language."""
    body: dict[str, Any] = {
        "type": f"/problems/{problem.code}",
        "title": _said(_TITLES.get(problem.status, Text("错误", "Error")), english=english),
        "status": problem.status,
        "code": problem.code,
        "detail": _said(problem.text, english=english),
    }
    if problem.errors:
        body["errors"] = [_field(error, english=english) for error in problem.errors]
    return body


def problem_response(problem: Problem) -> Response:
    """The problem as an answer."""
    g.problem_code = problem.code
    response = Response(
        canonical_bytes(problem_body(problem, english=wants_english())), status=problem.status, mimetype=MEDIA_TYPE
    )
    if problem.retry_after_seconds is not None:
        response.headers["Retry-After"] = str(problem.retry_after_seconds)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def answer_problems(app: Flask) -> None:
    """Make every error of the application a problem answer."""
    app.register_error_handler(Problem, problem_response)
    app.register_error_handler(HTTPException, _http_exception)
    app.register_error_handler(Exception, _unexpected)


def problem_of(error: HTTPException) -> Problem:
    """The framework's own refusal as a problem."""
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    title = _TITLES.get(status, Text("错误", "Error"))
    problem = Problem(_code(status), f"{title.zh}。", f"{title.en}.")
    problem.status = status
    return problem


def _http_exception(error: HTTPException) -> Response:
    response = problem_response(problem_of(error))
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return response


def _code(status: int) -> str:
    return "not_found" if status == HTTPStatus.NOT_FOUND else HTTPStatus(status).phrase.lower().replace(" ", "_")


def unexpected_problem(error: Exception) -> Problem:
    """What is said of a fault that nobody foresaw, which is logged; a database that is away is said to be."""
    if is_away(error):
        return database_away()
    _log.error("unexpected", request_id=g.get("request_id"), path=request.path, exc_info=error)
    problem = Problem(
        "internal",
        f"服务内部错误，请将编号 {g.get('request_id')} 告知运维人员。",
        f"Internal error; please give the operator the number {g.get('request_id')}.",
    )
    problem.status = HTTPStatus.INTERNAL_SERVER_ERROR
    return problem


def _unexpected(error: Exception) -> Response:
    return problem_response(unexpected_problem(error))


def _field(error: FieldError, *, english: bool) -> dict[str, str]:
    return {"pointer": error.pointer, "code": error.code, "message": _said(error.message, english=english)}


def title_of(status: int) -> Text:
    """What a status means."""
    return _TITLES.get(status, Text("错误", "Error"))


def _said(text: Text, *, english: bool) -> str:
    return text.en if english else text.zh
