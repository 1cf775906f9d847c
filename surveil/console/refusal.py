"""Refused requests: the reason in the form of the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import ValidationError
from starlette.responses import JSONResponse, Response

from surveil import logs
from surveil.console.language import said
from surveil.errors import ConfigError, StateError, SurveilError
from surveil.wording import Language


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldProblem:
    """One mistake in what was sent."""

    path: str
    line: int | None
    message: str


class Refusal(SurveilError):  # noqa: N818 - an answer, and no failure of surveil
    """An answer other than success. Never carries credentials."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        remedy: str = "",
        fields: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.remedy = remedy
        self.fields = tuple(fields)
        self.headers = dict(headers or {})

    def response(self, language: Language = Language.ENGLISH) -> Response:
        """Return the answer, for people in their language."""
        error: dict[str, Any] = {"code": self.code, "message": said(str(self), language)}
        if self.remedy:
            error["remedy"] = said(self.remedy, language)
        if self.fields:
            error["fields"] = [asdict(one) | {"message": said(one.message, language)} for one in self.fields]
        return JSONResponse(logs.scrub({"error": error}), self.status, self.headers)


def not_found(what: str) -> Refusal:
    """Return the refusal of something that is not there, or that the user may not know of."""
    return Refusal(404, "not_found", f"there is no such {what}")


def invalid(error: ValidationError) -> Refusal:
    """Return the refusal of a body or a query; what was sent is not repeated, for it may be a password."""
    fields = [
        FieldProblem(path=".".join(map(str, one["loc"])), line=None, message=one["msg"])
        for one in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return Refusal(422, "invalid", "the request does not have the expected form", fields=fields)


def refusal_of(error: SurveilError | OSError) -> Refusal:
    """Return how a failure of surveil's own is told."""
    match error:
        case Refusal():
            return error
        case ConfigError():
            fields = [
                FieldProblem(path=one.path, line=one.line, message=one.message) for one in error.mistakes
            ]
            return Refusal(422, "configuration", "\n".join(error.messages), fields=fields)
        case StateError():
            return Refusal(
                503, "state", str(error), remedy="check the disk and the rights of the state directory"
            )
        case OSError():
            why = error.strerror or type(error).__name__
            remedy = "check the disk and the rights of the state directory"
            return Refusal(
                503, "state", f"a file of the state directory cannot be used: {why}", remedy=remedy
            )
        case _:
            return Refusal(409, "refused", str(error))
