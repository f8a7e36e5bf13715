# SPDX-License-Identifier: Apache-2.0
"""Sign in once with any authentication method; msal implements the protocol."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import msal
import requests

from airflow_provider_cpp.exceptions import CABundleError, ConfigurationError
from airflow_provider_cpp.transport.auth import client_assertion
from airflow_provider_cpp.transport.auth.msal_session import MsalSession, RejectedResponse
from airflow_provider_cpp.transport.auth.token_response import TokenFailure, TokenGrant
from airflow_provider_cpp.transport.credentials import (
    AccessToken,
    Certificate,
    ClientSecret,
    ManagedIdentity,
    WorkloadIdentity,
)
from airflow_provider_cpp.transport.deadline import deadline, in_time
from airflow_provider_cpp.transport.settings import DEFAULT_AUTHORITY, Settings


def acquire_token(settings: Settings, *, refused: bool = False) -> TokenGrant | TokenFailure:
    """Sign in once, without caches: rotated files are read again, and msal returns no cached token.

    All requests together take at most :meth:`~.settings.Settings.exchange_timeout`.

    :param refused: whether the API rejected the previous token.
    :raises CABundleError: if the CA bundle cannot be used now.
    """
    credentials = settings.credentials
    if isinstance(credentials, AccessToken):
        return _static_token(credentials, refused=refused)
    with deadline(settings.exchange_timeout(submit=False)), MsalSession(settings) as session:
        try:
            body = (
                _managed_identity_token(credentials, settings, session)
                if isinstance(credentials, ManagedIdentity)
                else _application_token(credentials, settings, session)
            )
            outcome = session.read(body)
        except RejectedResponse as rejected:
            outcome = rejected.failure
        except CABundleError:
            raise  # do not cache this: the next sign-in checks the file again
        except ConfigurationError as error:
            return TokenFailure(str(error), problems=error.problems)
        except (requests.RequestException, TimeoutError) as error:
            outcome = session.from_network_error(error)
        except (ValueError, TypeError, KeyError, AttributeError, RuntimeError, OSError) as error:
            outcome = TokenFailure(session.redact(f"{type(error).__name__}: {error}"))
    if isinstance(outcome, TokenGrant):
        return outcome
    where = "" if isinstance(credentials, ManagedIdentity) else f" at {settings.authority}"
    text, correlation_id = outcome.message, outcome.correlation_id
    suffix = f" (correlation id {correlation_id})" if correlation_id and correlation_id not in text else ""
    return replace(outcome, message=f"sign-in of {credentials}{where} failed: {text}{suffix}")


def _application_token(
    credentials: ClientSecret | Certificate | WorkloadIdentity, settings: Settings, session: MsalSession
) -> Any:
    credential: str | dict[str, Callable[[], str]]
    if isinstance(credentials, ClientSecret):
        credential = credentials.secret
    elif isinstance(credentials, Certificate):
        sign = client_assertion.load(credentials)
        # The audience is the token endpoint, which msal discovers only in the constructor of the application.
        credential = {"client_assertion": lambda: sign(application.authority.token_endpoint)}
    else:
        assertion = _read_federated_token(credentials.token_file)
        credential = {"client_assertion": lambda: assertion}
    application: Any = msal.ConfidentialClientApplication(
        credentials.client_id,
        client_credential=credential,
        authority=f"{settings.authority}/{credentials.tenant_id}",
        instance_discovery=None if settings.authority == DEFAULT_AUTHORITY else False,
        http_client=session,
        azure_region=False,  # otherwise an environment variable could redirect the sign-in to another host
    )
    return application.acquire_token_for_client(scopes=[settings.scope])


def _managed_identity_token(identity: ManagedIdentity, settings: Settings, session: MsalSession) -> Any:
    ids = {name: value for name, value in asdict(identity).items() if value is not None}
    msal_identity = msal.UserAssignedManagedIdentity(**ids) if ids else msal.SystemAssignedManagedIdentity()
    client = msal.ManagedIdentityClient(msal_identity, http_client=session)
    resource = settings.scope.removesuffix("/.default")
    if "IDENTITY_SERVER_THUMBPRINT" in os.environ:
        # In Service Fabric, newer msal versions use their own session without a timeout.
        return in_time("the sign-in", lambda: client.acquire_token_for_client(resource=resource))
    return client.acquire_token_for_client(resource=resource)


def _static_token(credentials: AccessToken, *, refused: bool) -> TokenGrant | TokenFailure:
    if not refused:
        return TokenGrant(credentials.value, float("inf"))
    return TokenFailure(
        f"the API rejected {credentials}: it expired, was revoked, or is not for this API. An access token cannot"
        " be renewed: put a new one into the connection (password, or access_token in extra), or use another auth"
    )


def _read_federated_token(path: str) -> str:
    problem, transient = "token_file holds no token", False
    try:
        text = Path(path).read_bytes().decode("ascii", "replace").strip()
    except OSError as error:
        # Rotation replaces the file atomically, so a missing file is a configuration error.
        transient = not isinstance(error, (FileNotFoundError, PermissionError, NotADirectoryError, IsADirectoryError))
        problem, text = f"token_file cannot be read: {error.strerror or type(error).__name__}", ""
    if not text.isascii() or not text:
        raise RejectedResponse(TokenFailure(problem, transient=transient))
    return text
