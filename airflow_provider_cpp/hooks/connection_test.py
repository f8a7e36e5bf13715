# SPDX-License-Identifier: Apache-2.0
"""The connection test for Airflow's Test button, with advice for each failure."""

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
    from airflow_provider_cpp.transport.settings import Settings

TIMEOUT = 15.0
"""The longest request timeout of the test, in seconds, because a person waits for the result."""

ENTRA_ERRORS: dict[str, tuple[str, str]] = {
    "7000215": ("the secret is wrong", "enter its value, not its ID"),
    "7000222": ("the secret expired", "create a new one in the app registration, and enter its value"),
    "700016": (
        "the application does not exist in this tenant",
        "check the application (client) ID and the tenant ID",
    ),
    "90002": ("the tenant does not exist", "check the tenant ID"),
    "500011": ("the scope is unknown in this tenant", "leave the scope empty, or correct it"),
    "700020": (
        "the app registration itself has the API's address as an identifier or permission",
        "remove it there",
    ),
    "700027": ("the certificate is not registered, or expired", "upload it to the app registration"),
    "700211": (
        "no federated credential has the token's issuer",
        "check the issuer in the app registration; the slash at its end is significant",
    ),
    "700212": ("no federated credential has the token's audience", "check the audience in the app registration"),
    "700213": (
        "no federated credential has the token's subject",
        "check namespace and service account in the app registration, for workers and triggerers",
    ),
    "700024": (
        "a client assertion or federated token has expired, or is not valid yet",
        "check the machine's clock, and the rotation of the token file",
    ),
}
"""The causes of Entra ID's error numbers and the corrections; ``docs/connection.md`` has the same table."""

_NUMBER = re.compile(r"AADSTS([0-9]+)")
UNREACHABLE = "{0} does not respond to Airflow's API server, where this test runs: check {1}, firewalls and proxies"


def check_connection(
    read: Callable[[], Settings],
    log_line: Callable[[str, int], None],
    check_access: Callable[[str | None, str], Flow[tuple[bool, str]]],
) -> tuple[bool, str]:
    """Sign in, and send one request to find out what the connection has access to.

    :param read: reads the connection.
    :param log_line: logs a line of the session, with its level.
    :param check_access: :meth:`airflow_provider_cpp.core.api.MarketplaceAPI.check_access`.
    :returns: whether the connection works, and a message: what it has access to, or what is wrong and what to do.
    """
    from airflow_provider_cpp.transport.sync import SyncSession

    try:
        settings = read()
        settings = replace(settings, request_timeout=min(settings.request_timeout, TIMEOUT))
    except ConfigurationError as error:  # omit the name: Airflow tests a copy with a random name
        return False, f"the connection cannot be used: {'; '.join(error.problems)}"
    try:
        with SyncSession(settings, log_line) as session:
            return session.run(check_access(settings.publisher_id, f"Signed in to {settings.base_url}"))
    except MarketplaceError as error:
        advice = _advice(error, settings)
        return False, f"{error}; {advice}" if advice else str(error)


def _advice(error: MarketplaceError, settings: Settings) -> str:
    if isinstance(error, TransportError) and not isinstance(error, CertificateVerifyError):
        return UNREACHABLE.format(settings.base_url, "API address and port")
    if isinstance(error, AuthenticationError):
        number = _NUMBER.search(str(error))
        if number is not None and number.group(1) in ENTRA_ERRORS:
            return ": ".join(ENTRA_ERRORS[number.group(1)])
        if error.retryable and not error.responded:
            if settings.credentials.auth_type == "managed_identity":
                return (
                    "this test runs on Airflow's API server; a managed identity is available only on a machine in Azure"
                )
            return UNREACHABLE.format(settings.authority, "the authority")
    # The error for an untrusted certificate is permanent, and already has advice.
    return "this may be temporary: try again in some minutes" if error.retryable else ""
