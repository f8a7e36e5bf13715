# SPDX-License-Identifier: Apache-2.0
"""The errors that this package raises. Each error has attributes, and its text is one line.

.. code-block:: text

    MarketplaceError
    ├── ConfigurationError                the connection or an argument is invalid
    │   ├── ConnectionNotFoundError       Airflow returned no such connection
    │   └── CABundleError                 the CA bundle cannot be used
    ├── AuthenticationError               Microsoft Entra ID returned no token
    ├── RequestError                      one request failed
    │   ├── TransportError                no response: refused, reset or timed out
    │   │   └── CertificateVerifyError    this machine does not trust the TLS certificate
    │   ├── InvalidResponseError          a response that the API does not document
    │   ├── UnauthorizedError             401, even with a new token
    │   ├── PermissionDeniedError         403
    │   ├── NotFoundError                 404
    │   ├── ConflictError                 409
    │   ├── PreconditionFailedError       412, the draft changed after it was read
    │   ├── BadRequestError               400, 422 and every other 4xx
    │   │   └── LockedError               423, somebody is editing the offer
    │   ├── RateLimitError                429
    │   └── ServerError                   5xx
    ├── OperationInProgressError          another operation of the offer is in progress
    ├── PreviewNotReadyError              no preview awaits sign-off
    ├── CancelFailedError                 the operation was not canceled
    ├── SubmitOutcomeUnknownError         it is not known whether a submit was accepted
    ├── TaskRunUnknownError               it is not known whether the task was retried or cleared
    └── InvalidEventError                 the trigger's event is not an outcome
"""

from __future__ import annotations

SAME_RELEASE = "workers and triggerers must run the same release of this package"


class MarketplaceError(Exception):
    """The base class of all errors that this package raises deliberately."""

    retryable: bool = False
    """Whether a retry may succeed without a change by the user. If so, the task uses one of its retries."""


class ConfigurationError(MarketplaceError):
    """The connection or an argument is invalid.

    ``problems`` lists everything that is wrong; ``where`` names the connection or the arguments.
    """

    def __init__(self, problems: tuple[str, ...], where: str = "the connection") -> None:
        self.problems = problems
        self.where = where
        super().__init__(f"{where} cannot be used: {'; '.join(problems)}")


class ConnectionNotFoundError(ConfigurationError):
    """Airflow returned no connection with this ID.

    Airflow 3 reports the same error if its database or API server is unavailable, so a retry may help.
    """

    retryable = True


class CABundleError(ConfigurationError):
    """The CA bundle is missing, empty or unreadable; nothing was sent.

    The file may not be mounted yet, or may be half-written, so a retry may help.
    """

    retryable = True

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        advice = (
            "put CA certificates in PEM format there, on every worker and triggerer, or correct the path: verify in the"
            " connection's extra or, if that is empty, REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE in the environment"
        )
        super().__init__((f"CA bundle {path} {problem}: {advice}",))


class AuthenticationError(MarketplaceError):
    """Microsoft Entra ID returned no token.

    :param code: Entra ID's error code, for example ``invalid_client``; None without a response.
    :param transient: whether the network or Entra ID failed, rather than the credentials.
    :param correlation_id: the ID that Microsoft support asks for.
    :param responded: False if there was no response, or none from a trusted server.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        transient: bool = False,
        correlation_id: str | None = None,
        responded: bool = True,
    ) -> None:
        self.code = code
        self.responded = responded
        self.correlation_id = correlation_id
        self.retryable = transient
        super().__init__(message)


class RequestError(MarketplaceError):
    """One request failed.

    ``request`` describes the request: ``publish offer contoso/contoso-vm``. ``offer`` and ``operation`` name its target; None if
    it has none. ``text`` is the API's message as one line, or the network error. ``status`` and ``code`` are None without a
    response. ``sent`` is False if the request was certainly not sent, for example because the connection was refused.
    """

    hint: str = ""

    def __init__(  # noqa: PLR0913 - a failed request has this many attributes, all optional and by name
        self,
        request: str,
        *,
        status: int | None = None,
        code: str | None = None,
        text: str = "",
        request_id: str | None = None,
        retry_after: float | None = None,
        offer: str | None = None,
        operation: str | None = None,
        sent: bool = True,
    ) -> None:
        self.request = request
        self.status = status
        self.code = code
        self.text = text
        self.request_id = request_id
        self.retry_after = retry_after
        self.offer = offer
        self.operation = operation
        self.sent = sent
        response = " ".join(filter(None, (f"HTTP {status}" if status else "", code)))
        reason = ": ".join(filter(None, (response, text))) or "no response"
        hint = f"; {self.hint}" if self.hint else ""
        support_id = f" (request id {request_id})" if request_id else ""
        super().__init__(f"{request}: {reason}{hint}{support_id}")


class TransportError(RequestError):
    """No response arrived."""

    retryable = True


class CertificateVerifyError(TransportError):
    """This machine does not trust the issuer of the API's certificate; nothing was sent."""

    retryable = False
    hint = "to trust a CA of your own, set verify in the connection's extra"


class InvalidResponseError(RequestError):
    """The API does not document this response: not JSON, wrong structure, a redirect, or a proxy's 408, 421, 425 or 499."""

    retryable = True


class UnauthorizedError(RequestError):
    """401: the API rejected the token, and then a new token."""

    hint = "the API does not accept this token: check the scope, and that the tenant is the publisher's"


class PermissionDeniedError(RequestError):
    """403: the application is not a user of the publisher's account."""

    hint = (
        "add the service principal to the publisher's account as Owner or Contributor, by the object id of the"
        " *enterprise application*, not the object id of the app registration"
    )


class NotFoundError(RequestError):
    """404: no such publisher, offer, slot, version or operation."""


class ConflictError(RequestError):
    """409: the offer's state does not allow the request."""


class PreconditionFailedError(RequestError):
    """412: another client changed the draft after it was read."""

    retryable = True


class BadRequestError(RequestError):
    """400, 422 or another 4xx: the API rejects the request permanently."""


class LockedError(BadRequestError):
    """423: somebody is editing the offer; the API did not process the request."""

    retryable = True


class RateLimitError(RequestError):
    """429: too many requests; the API did not process this one."""

    retryable = True
    hint = "too many requests: run fewer tasks at a time, or poll less often"


class ServerError(RequestError):
    """5xx: the API failed; it may have accepted a submit."""

    retryable = True


class OperationInProgressError(MarketplaceError):
    """Another operation of the offer is in progress; an offer can have only one."""

    def __init__(self, offer: object, operation: str) -> None:
        self.offer = str(offer)
        self.operation = operation
        super().__init__(
            f"offer {offer}: {operation} is in progress, and an offer can have only one; this try started no operation."
            " Wait for it to end or cancel it, then clear this task"
        )


class PreviewNotReadyError(MarketplaceError):
    """No preview awaits sign-off, or the preview of another publication does."""

    def __init__(self, offer: object, reason: str) -> None:
        self.offer = str(offer)
        self.reason = reason
        super().__init__(f"offer {offer}: cannot go live: {reason}. Going live needs a preview that is ready")


class CancelFailedError(MarketplaceError):
    """The operation was not canceled.

    :param may_pass: whether the operation may still end.
    """

    def __init__(self, offer: object, reason: str, *, may_pass: bool) -> None:
        self.offer = str(offer)
        self.reason = reason
        self.retryable = may_pass
        super().__init__(f"offer {offer}: {reason}")


class SubmitOutcomeUnknownError(MarketplaceError):
    """It is not known whether a submit was accepted.

    :param may_settle: whether another try of the task may find out.
    """

    def __init__(self, offer: object, kind: str, reason: str, *, may_settle: bool = False) -> None:
        self.offer = str(offer)
        self.kind = kind
        self.reason = reason
        self.retryable = may_settle
        advice = (
            "another try of this task checks again"
            if may_settle
            else "check the offer's operations: if none is new, clear this task; if one is, it continues without this task"
        )
        super().__init__(
            f"offer {offer}: it is not known whether the {kind.replace('golive', 'go-live')} was accepted: {reason}."
            f" It was not submitted again: {advice}"
        )


class TaskRunUnknownError(MarketplaceError):
    """Airflow does not show whether the task was retried, and must not publish again, or was cleared, and should.

    This happens if, between two tries, ``retries`` was lowered, another task of the DAG run was cleared, or the task was cleared
    while it was running.
    """

    def __init__(self, offer: object, submitted: str) -> None:
        self.offer = str(offer)
        self.submitted = submitted
        super().__init__(
            f"offer {offer}: Airflow does not show whether this task is retried or was cleared, and an earlier try may have submitted"
            f" a publish ({submitted}). It was not submitted again: check the offer in Partner Center, and to publish again,"
            " start a new DAG run"
        )


class InvalidEventError(MarketplaceError):
    """The trigger's event is not an outcome: it is None, has another type, or has a missing or unknown field."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"the trigger ended {problem}: {SAME_RELEASE}. The publication continues")
