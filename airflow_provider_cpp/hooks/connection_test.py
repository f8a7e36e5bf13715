# SPDX-License-Identifier: Apache-2.0
"""What Airflow's Test button does, and what it tells a person to do about what went wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_cpp.core.effects import Flow
from airflow_provider_cpp.exceptions import (
    AuthenticationError,
    CertificateVerifyError,
    ConfigurationError,
    MarketplaceError,
    TransportError,
)

if TYPE_CHECKING:
    from airflow_provider_cpp.transport.base import Logger
    from airflow_provider_cpp.transport.settings import Settings

TIMEOUT = 15.0
"""Seconds, at most, for connecting and for waiting on an answer while a person waits for it."""

ENTRA_ERRORS: dict[str, tuple[str, str]] = {
    "7000215": ("the secret is wrong", "enter its value, not its ID"),
    "7000222": ("the secret expired", "make a new one in the app registration, and enter its value"),
    "700016": (
        "there is no such application in this tenant",
        "check the application (client) ID and the tenant ID",
    ),
    "90002": ("there is no such tenant", "check the tenant ID"),
    "500011": ("the scope names nothing that this tenant knows", "leave the scope empty, or check it"),
    "700020": (
        "the app registration itself lists the portal's address as an identifier or permission",
        "remove it there",
    ),
    "700027": ("the certificate is not registered, or expired", "upload it to the app registration"),
    "700211": (
        "no federated credential has the token's issuer",
        "check the issuer in the app registration; the slash at its end counts",
    ),
    "700212": ("no federated credential has the token's audience", "check the audience in the app registration"),
    "700213": (
        "no federated credential has the token's subject",
        "check namespace and service account in the app registration, for workers and triggerers",
    ),
    "700024": (
        "a statement or federated token is past its time, or before it",
        "check the machine's clock, and who rotates the file",
    ),
}
"""What Entra ID's numbers mean, and what to do; ``docs/connection.md`` has the same table."""

_NUMBER = re.compile(r"AADSTS([0-9]+)")
UNREACHABLE = (
    "nothing answers at {0} as seen from Airflow's API server, where this test runs: check {1}, and what lies between"
    " (firewall, proxies)"
)
NO_MANAGED_IDENTITY = (
    "this test runs on Airflow's API server, and a managed identity answers only on a machine of Azure's"
)
TRY_AGAIN = "this may pass: try again in some minutes"


def check_connection(
    read: Callable[[], Settings], log: Logger, greet: Callable[[str | None, str], Flow[tuple[bool, str]]]
) -> tuple[bool, str]:
    """Sign in, and ask once for what the connection gives access to.

    :param read: reads the connection.
    :param log: where what the session tells goes.
    :param greet: looks around: of an API, :meth:`airflow_provider_cpp.core.api.Api.greet`.
    :return: whether that worked, and in words what was found, or what is wrong and what to do.
    """
    from airflow_provider_cpp.transport.sync import SyncSession

    try:
        settings = with_short_timeout(read())
    except ConfigurationError as error:  # without the connection's name: Airflow tests a copy under a random one
        return False, f"the connection cannot be used: {'; '.join(error.problems)}"
    try:
        with SyncSession(settings, log) as session:
            return session.run(greet(settings.publisher_id, f"Signed in to {settings.base_url}"))
    except MarketplaceError as error:
        return False, with_advice(error, settings)


def with_short_timeout(settings: Settings) -> Settings:
    """Return settings with a limit to requests that suits somebody who waits for an answer."""
    return replace(settings, request_timeout=min(settings.request_timeout, TIMEOUT))


def with_advice(error: MarketplaceError, settings: Settings) -> str:
    """Return an error's line, with what to do about it where the line does not say so itself.

    :param settings: what was tried.
    """
    found = _advice(error, settings)
    return f"{error}; {found}" if found else str(error)


def _advice(error: MarketplaceError, settings: Settings) -> str:
    if isinstance(error, TransportError) and not isinstance(error, CertificateVerifyError):
        return UNREACHABLE.format(settings.base_url, "portal address and port")
    if isinstance(error, AuthenticationError):
        return _sign_in_advice(error, settings)
    return TRY_AGAIN if error.retryable else ""


def _sign_in_advice(error: AuthenticationError, settings: Settings) -> str:
    number = _NUMBER.search(str(error))
    if number is not None and number.group(1) in ENTRA_ERRORS:
        return ": ".join(ENTRA_ERRORS[number.group(1)])
    if not error.answered and not error.retryable:
        return ""  # a certificate that is not trusted: the error says what to do
    if not error.answered:
        is_machine = settings.credentials.auth_type == "managed_identity"
        return NO_MANAGED_IDENTITY if is_machine else UNREACHABLE.format(settings.authority, "the authority")
    return TRY_AGAIN if error.retryable else ""
