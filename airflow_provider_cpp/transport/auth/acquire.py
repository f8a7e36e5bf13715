# SPDX-License-Identifier: Apache-2.0
"""One sign-in, of whatever kind, as a value: a token was granted or refused. The protocol is msal's."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msal
import requests

from airflow_provider_cpp.exceptions import AuthenticationError, CABundleError, ConfigurationError
from airflow_provider_cpp.transport.auth import client_assertion
from airflow_provider_cpp.transport.auth.msal_session import AuthResponse, MsalSession, RejectedResponse
from airflow_provider_cpp.transport.credentials import (
    AccessToken,
    Certificate,
    ClientSecret,
    ManagedIdentity,
    WorkloadIdentity,
)
from airflow_provider_cpp.transport.deadline import deadline, in_time
from airflow_provider_cpp.transport.settings import DEFAULT_AUTHORITY, Settings

Application = ClientSecret | Certificate | WorkloadIdentity


@dataclass(frozen=True, slots=True)
class TokenGrant:
    """A token.

    :param value: the token; never shown.
    :param lifetime: seconds for which it is good.
    """

    value: str = field(repr=False)
    lifetime: float


@dataclass(frozen=True, slots=True)
class TokenFailure:
    """Why there is none; a value, so that each of those who waited for it gets an exception of their own.

    :param message: what was tried, and what was said.
    :param code: Entra's own error code, where it gave one.
    :param transient: whether it was the network or the service.
    :param correlation_id: the id that Microsoft's support asks for.
    :param retry_after: seconds for which nobody is to ask again.
    :param problems: what is the matter with the connection, if that is what it is.
    :param answered: False where no answer came, or from somebody who is not trusted.
    """

    message: str
    code: str | None = None
    transient: bool = False
    correlation_id: str | None = None
    retry_after: float = 0.0
    problems: tuple[str, ...] = ()
    answered: bool = True

    def error(self) -> AuthenticationError | ConfigurationError:
        """Make the exception."""
        if self.problems:
            return ConfigurationError(self.problems)
        return AuthenticationError(
            self.message,
            code=self.code,
            transient=self.transient,
            correlation_id=self.correlation_id,
            answered=self.answered,
        )


def acquire_token(settings: Settings, *, refused: bool = False) -> TokenGrant | TokenFailure:
    """Sign in, once, with nothing kept from the last time: a rotated file is found, and no answer is msal's cached one.

    It takes at most the settings' :meth:`~.settings.Settings.exchange_timeout`, with all of its requests.

    :param refused: whether the portal refused the last token.
    :raises CABundleError: if the CA bundle cannot be used now.
    """
    who = settings.credentials
    if isinstance(who, AccessToken):
        return _static_token(who, refused=refused)
    with deadline(settings.exchange_timeout(submit=False)), MsalSession(settings) as wire:
        try:
            body = (
                _managed_identity_token(who, settings, wire)
                if isinstance(who, ManagedIdentity)
                else _application_token(who, settings, wire)
            )
            answer = wire.read(body)
        except RejectedResponse as unfit:
            answer = unfit.answer
        except CABundleError:
            raise  # it is no refusal, and is not kept: the next one looks at the file again
        except ConfigurationError as error:
            return TokenFailure(str(error), problems=error.problems)
        except _TokenFileError as error:
            answer = AuthResponse(text=str(error), transient=error.transient)
        except (requests.RequestException, TimeoutError) as error:
            answer = wire.unreachable(error)
        except (ValueError, TypeError, KeyError, AttributeError, RuntimeError, OSError) as error:
            answer = AuthResponse(text=wire.clean(f"{type(error).__name__}: {error}"))
    if answer.token is not None:
        return TokenGrant(answer.token, answer.lifetime)
    where = "" if isinstance(who, ManagedIdentity) else f" at {settings.authority}"
    support = answer.correlation_id
    suffix = f" (correlation id {support})" if support and support not in answer.text else ""
    return TokenFailure(
        f"sign-in of {who.principal}{where} failed: {answer.text}{suffix}",
        answer.code,
        answer.transient,
        support,
        answer.retry_after,
        answered=answer.answered,
    )


def _application_token(who: Application, settings: Settings, wire: MsalSession) -> Any:
    credential: str | dict[str, Callable[[], str]]
    if isinstance(who, ClientSecret):
        credential = who.secret
    elif isinstance(who, Certificate):
        signer = client_assertion.load(who)
        # The statement is for an endpoint that msal finds out only while it makes the application.
        credential = {"client_assertion": lambda: signer.sign(who.client_id, application.authority.token_endpoint)}
    else:
        assertion = _read_federated_token(who.token_file)
        credential = {"client_assertion": lambda: assertion}
    application: Any = msal.ConfidentialClientApplication(
        who.client_id,
        client_credential=credential,
        authority=f"{settings.authority}/{who.tenant_id}",
        instance_discovery=None if settings.authority == DEFAULT_AUTHORITY else False,
        http_client=wire,
        azure_region=False,  # or a variable of the environment would move the sign-in to another host
    )
    return application.acquire_token_for_client(scopes=[settings.scope])


def _managed_identity_token(who: ManagedIdentity, settings: Settings, wire: MsalSession) -> Any:
    names = {"client_id": who.client_id, "object_id": who.object_id, "resource_id": who.resource_id}
    given = {name: value for name, value in names.items() if value is not None}
    identity = msal.UserAssignedManagedIdentity(**given) if given else msal.SystemAssignedManagedIdentity()
    client = msal.ManagedIdentityClient(identity, http_client=wire)
    resource = settings.scope.removesuffix("/.default")
    if "IDENTITY_SERVER_THUMBPRINT" in os.environ:
        # In Service Fabric, newer msal sends with a session of its own, without any timeout.
        return in_time("the sign-in", lambda: client.acquire_token_for_client(resource=resource))
    return client.acquire_token_for_client(resource=resource)


def _static_token(who: AccessToken, *, refused: bool) -> TokenGrant | TokenFailure:
    if not refused:
        return TokenGrant(who.value, float("inf"))
    return TokenFailure(
        f"the portal refused {who.principal}: it expired, was revoked, or is not for this portal. A ready-made token cannot"
        " be renewed here: put a new one into the connection (password, or access_token in extra), or let it sign in"
        " by itself with another auth"
    )


class _TokenFileError(Exception):
    def __init__(self, text: str, *, transient: bool) -> None:
        self.transient = transient
        super().__init__(text)


def _read_federated_token(path: str) -> str:
    """Read the token that the application trusts."""
    problem, transient = "token_file holds no token", False
    try:
        text = Path(path).read_bytes().decode("ascii", "replace").strip()
    except OSError as error:
        # Whoever rotates it puts a whole file in its place; one that is not there is a mistake, not a moment.
        transient = not isinstance(error, (FileNotFoundError, PermissionError, NotADirectoryError, IsADirectoryError))
        problem, text = f"token_file cannot be read: {error.strerror or type(error).__name__}", ""
    if not text.isascii() or not text:
        raise _TokenFileError(problem, transient=transient)
    return text
