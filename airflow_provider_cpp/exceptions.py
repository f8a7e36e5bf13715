# SPDX-License-Identifier: Apache-2.0
"""What can go wrong, as a tree; every error carries data, and its text is one line.

.. code-block:: text

    MarketplaceError
    ├── ConfigurationError                the connection or an argument cannot work as it is
    │   ├── ConnectionNotFoundError       Airflow returned no such connection, at least not now
    │   └── CABundleError                 the file of trusted certificate authorities cannot be used now
    ├── AuthenticationError               Microsoft Entra ID returned no token
    ├── RequestError                      one request failed
    │   ├── TransportError                no response: refused, reset, timed out
    │   │   └── CertificateVerifyError    this machine does not trust the TLS certificate
    │   ├── InvalidResponseError          a response that the API does not promise
    │   ├── UnauthorizedError             401, also with a new token
    │   ├── PermissionDeniedError         403
    │   ├── NotFoundError                 404
    │   ├── ConflictError                 409
    │   ├── PreconditionFailedError       412, the draft changed since it was read
    │   ├── BadRequestError               400, 422 and every other 4xx
    │   │   └── LockedError               423, somebody edits the offer now
    │   ├── RateLimitError                429
    │   └── ServerError                   5xx
    ├── OperationInProgressError          another operation of the offer is in progress
    ├── PreviewNotReadyError              nothing awaits sign-off, so nothing can go live
    ├── CancelFailedError                 the operation did not end as canceled
    ├── SubmitOutcomeUnknownError         whether a submit was accepted cannot be known
    ├── TaskRunUnknownError               whether the task is retried or was cleared cannot be known
    └── InvalidEventError                 the trigger's event is not an outcome

``retryable`` says whether asking again later can help: it decides between an exception that uses
one of the task's retries and one that ends the task.
"""

from __future__ import annotations

from typing import ClassVar

SAME_RELEASE = "workers and triggerers must run the same release of this package"


class MarketplaceError(Exception):
    """The root: everything this package raises on purpose.

    :ivar retryable: whether the same request may succeed later without anybody changing anything.
    """

    retryable: ClassVar[bool] = False


class ConfigurationError(MarketplaceError):
    """The connection, or an argument, cannot work as it is.

    :param problems: all that is wrong, so that one round of correction is enough.
    :param where: what holds the values, for example ``connection 'cloud_partner_portal_default'``.
    """

    def __init__(self, problems: tuple[str, ...], where: str = "the connection") -> None:
        self.problems = problems
        self.where = where
        super().__init__(f"{where} cannot be used: {'; '.join(problems)}")


class ConnectionNotFoundError(ConfigurationError):
    """Airflow gave no connection of that name.

    Airflow 3 says the same of one that is not there and of one that it could not read just now, its database or its API
    server being away; so trying again may help.
    """

    retryable = True


class CABundleError(ConfigurationError):
    """The CA bundle is missing, empty or cannot be read; nothing was sent.

    The file may not be mounted yet, or be half-written at this moment; so trying again may help.

    :param path: the bundle.
    :param problem: what is wrong with it: ``does not exist``, for example.
    """

    retryable = True

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        advice = (
            "it must hold CA certificates in PEM format, on every worker and triggerer; its path is verify in the"
            " connection's extra, or else REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE of the environment"
        )
        super().__init__((f"CA bundle {path} {problem}: {advice}",))


class AuthenticationError(MarketplaceError):
    """Entra ID gave no token.

    :param message: what was tried and what Entra ID said, without any secret.
    :param code: Entra's own error code, ``invalid_client`` for example; None where nothing answered.
    :param transient: whether it was the network or the service rather than the credentials.
    :param correlation_id: the id that Microsoft's support asks for.
    :param answered: False where no answer came, or from somebody who is not trusted.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        transient: bool = False,
        correlation_id: str | None = None,
        answered: bool = True,
    ) -> None:
        self.code = code
        self.answered = answered
        self.correlation_id = correlation_id
        self.retryable = transient  # type: ignore[misc]  # an instance knows better than its class
        super().__init__(message)


class RequestError(MarketplaceError):
    """One call to the portal failed.

    :param call: what was asked, in words: ``publish offer contoso/contoso-vm``.
    :param status: the HTTP status; None where there was no answer.
    :param code: the portal's own error code.
    :param text: the portal's own words, as one line of plain text; or the network's.
    :param request_id: the ``X-Ms-Correlation-Request-Id`` of the answer: the support handle.
    :param retry_after: seconds that the portal asked to wait.
    :ivar offer: which offer it was about, as ``publisher/offer``; None for none.
    :ivar operation: which operation of it, by its id or where it is reported on; None for none.
    """

    hint: ClassVar[str] = ""

    def __init__(  # noqa: PLR0913 - an HTTP failure has this many facets, all optional and by name
        self,
        call: str,
        *,
        status: int | None = None,
        code: str | None = None,
        text: str = "",
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.call = call
        self.status = status
        self.code = code
        self.text = text
        self.request_id = request_id
        self.retry_after = retry_after
        self.offer: str | None = None
        self.operation: str | None = None
        super().__init__(self._line())

    def _line(self) -> str:
        answer = " ".join(part for part in (f"HTTP {self.status}" if self.status else "", self.code or "") if part)
        said = ": ".join(part for part in (answer, self.text) if part) or "no answer"
        request = f" (request id {self.request_id})" if self.request_id else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{self.call}: {said}{request}{hint}"


class TransportError(RequestError):
    """No answer came.

    :param sent: False where the request certainly never left, a refused connection for example.
    """

    retryable = True

    def __init__(self, call: str, *, text: str, sent: bool = True) -> None:
        self.sent = sent
        super().__init__(call, text=text)


class CertificateVerifyError(TransportError):
    """The portal's certificate does not lead to an authority that is trusted here; nothing was sent."""

    retryable = False
    hint = "a CA of your own goes into the connection's extra, as verify"


class InvalidResponseError(RequestError):
    """An answer came that is not what the API promises: no JSON, the wrong shape, a redirect, a proxy's 408, 421, 425 or 499."""

    retryable = True


class UnauthorizedError(RequestError):
    """401, and again with a token acquired anew."""

    hint = "the portal does not accept this token: check the scope and that the tenant is the publisher's"


class PermissionDeniedError(RequestError):
    """403: the application is not a user of the publisher's account."""

    hint = (
        "add the service principal to the publisher's account as Owner or Contributor, by the object id of the"
        " *enterprise application*, not the object id of the app registration"
    )


class NotFoundError(RequestError):
    """404: no such publisher, offer, slot, version or operation."""


class ConflictError(RequestError):
    """409: the offer is not in a state that allows the call."""


class PreconditionFailedError(RequestError):
    """412: somebody else wrote the draft since it was read."""

    retryable = True


class BadRequestError(RequestError):
    """400, 422 or another 4xx: the same request will never be accepted."""


class LockedError(BadRequestError):
    """423: somebody edits the offer at this moment; nothing was done."""

    retryable = True


class RateLimitError(RequestError):
    """429: too many requests; nothing was done."""

    retryable = True
    hint = "it was asked too often: let fewer tasks ask at a time, or less often"


class ServerError(RequestError):
    """5xx: the portal failed; an order may or may not have been taken."""

    retryable = True


class OperationInProgressError(MarketplaceError):
    """Another operation of the offer runs, and the portal runs one at a time.

    :param offer: the offer, as ``publisher/offer``.
    :param operation: what is known of the one that runs, in words.
    """

    def __init__(self, offer: str, operation: str) -> None:
        self.offer = offer
        self.operation = operation
        super().__init__(
            f"offer {offer}: {operation} is running, and an offer has one operation at a time; this try"
            " started nothing. Wait for it, or cancel it on purpose, then clear this task"
        )


class PreviewNotReadyError(MarketplaceError):
    """Going live was ordered, and no publication waits at the sign-off, or another one than was meant.

    :param offer: the offer, as ``publisher/offer``.
    :param reason: what is there instead, in words.
    """

    def __init__(self, offer: str, reason: str) -> None:
        self.offer = offer
        self.reason = reason
        super().__init__(f"offer {offer}: {reason}; it did not go live. Going live needs a preview that is ready")


class CancelFailedError(MarketplaceError):
    """A cancel was ordered, and did not end what ran.

    :param offer: the offer, as ``publisher/offer``.
    :param reason: what is there instead, in words.
    :param may_pass: whether it may still end.
    """

    def __init__(self, offer: str, reason: str, *, may_pass: bool) -> None:
        self.offer = offer
        self.reason = reason
        self.retryable = may_pass  # type: ignore[misc]  # an instance knows better than its class
        super().__init__(f"offer {offer}: {reason}")


class SubmitOutcomeUnknownError(MarketplaceError):
    """The order was sent, and whether the portal took it cannot be known.

    :param offer: the offer, as ``publisher/offer``.
    :param order: ``publish`` or another order.
    :param reason: why it is not known, in words.
    :param may_settle: whether a later look may tell, so that another try of the task helps.
    """

    def __init__(self, offer: str, order: str, reason: str, *, may_settle: bool = False) -> None:
        self.offer = offer
        self.order = order
        self.reason = reason
        self.retryable = may_settle  # type: ignore[misc]  # an instance knows better than its class
        advice = (
            "look at the offer's operations: if none is new, clear this task; if one is, it goes on without this task"
        )
        super().__init__(
            f"offer {offer}: it is not known whether the portal took the {order.replace('golive', 'go-live')}: {reason}."
            f" It was not sent again: {'another try of the task looks once more' if may_settle else advice}"
        )


class TaskRunUnknownError(MarketplaceError):
    """Airflow does not show whether the task is retried or was cleared: a retry must not publish again, a clear should.

    That happens when ``retries`` was lowered, or another task of the DAG run was cleared, between two tries.

    :param offer: the offer, as ``publisher/offer``.
    :param submitted: what an earlier try submitted, in words.
    """

    def __init__(self, offer: str, submitted: str) -> None:
        self.offer = offer
        self.submitted = submitted
        super().__init__(
            f"offer {offer}: Airflow does not show whether this task is retried or was cleared, and an earlier try submitted"
            f" a publish ({submitted}). It was not submitted again: check the offer in Partner Center, and to publish again,"
            " start a new DAG run"
        )


class InvalidEventError(MarketplaceError):
    """What a trigger handed back is not an outcome: None, another type, a missing or unknown field.

    :param what: what it is instead, in words.
    """

    def __init__(self, what: str) -> None:
        super().__init__(f"the trigger ended {what}: {SAME_RELEASE}. The publication goes on")
