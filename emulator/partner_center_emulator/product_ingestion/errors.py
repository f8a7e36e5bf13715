# SPDX-License-Identifier: Apache-2.0
"""How this API says no: at once, or by a job that fails."""

from __future__ import annotations

from typing import Any

CODES = {
    400: "badRequest",
    403: "forbidden",
    404: "notFound",
    405: "methodNotAllowed",
    409: "conflict",
    423: "locked",
    501: "notImplemented",
}


class ApiError(Exception):
    """The API refuses a request at once.

    :param status: the HTTP status, which has one code.
    :param details: what stands below the error.
    """

    def __init__(self, status: int, message: str, details: list[dict[str, Any]] | None = None) -> None:
        self.status = status
        self.message = message
        self.details = details or []
        super().__init__(message)

    @property
    def body(self) -> dict[str, Any]:
        """The answer's body."""
        return {"error": {"code": CODES[self.status], "message": self.message, "details": self.details}}


class JobError(Exception):
    """What was ordered cannot be done; the job that was to do it fails, with these errors."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        self.errors = errors
        super().__init__(str(errors[0]["message"]))


def trouble(code: str, message: str, *details: dict[str, Any], about: str | None = None) -> dict[str, Any]:
    """Write an error of a job, with those below it.

    :param about: the id of the resource that it is about.
    """
    named = {} if about is None else {"resourceId": about}
    return {**named, "code": code, "message": message, "details": list(details)}


def in_progress(about: str) -> JobError:
    """Refuse since another submission is on its way."""
    return JobError([trouble("conflict", "An In Progress submission already exists", about=about)])


def not_latest(about: str, target: str) -> JobError:
    """Refuse since there is a newer submission, or this one has arrived already."""
    text = f"The submission cannot be pushed to {target} as its not the latest"
    return JobError([trouble("conflict", text, about=about)])


def invalid(about: str, *details: dict[str, Any]) -> JobError:
    """Refuse what a resource says."""
    return JobError([trouble("badRequest", "Validation failed.", *details, about=about)])
