# SPDX-License-Identifier: Apache-2.0
"""The errors of requests and jobs of the Product Ingestion API."""

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
    """The API rejects a request immediately.

    :param status: the HTTP status, which determines the error code.
    :param details: the nested errors.
    """

    def __init__(self, status: int, message: str, details: list[dict[str, Any]] | None = None) -> None:
        self.status = status
        self.message = message
        self.details = details or []
        super().__init__(message)

    @property
    def body(self) -> dict[str, Any]:
        """The response's body."""
        return {"error": {"code": CODES[self.status], "message": self.message, "details": self.details}}


class JobError(Exception):
    """A configure request cannot be performed; its job fails with these errors."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        self.errors = errors
        super().__init__(str(errors[0]["message"]))


def error_detail(code: str, message: str, *details: dict[str, Any], about: str | None = None) -> dict[str, Any]:
    """Return an error with nested errors.

    :param about: the ID of the resource.
    """
    named = {} if about is None else {"resourceId": about}
    return {**named, "code": code, "message": message, "details": list(details)}


def in_progress(about: str) -> JobError:
    """Return the error for a submission while another one is in progress."""
    return JobError([error_detail("conflict", "An In Progress submission already exists", about=about)])


def not_latest(about: str, target: str) -> JobError:
    """Return the error for a submission that is not the newest, or that has already reached its target."""
    text = f"The submission cannot be pushed to {target} as its not the latest"
    return JobError([error_detail("conflict", text, about=about)])


def invalid(about: str, *details: dict[str, Any]) -> JobError:
    """Return the error for an invalid resource."""
    return JobError([error_detail("badRequest", "Validation failed.", *details, about=about)])
