# SPDX-License-Identifier: Apache-2.0
"""No secret is shown: not in a log at DEBUG, not in an error or its causes."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import traceback
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from partner_center_emulator import Emulator, Fault
from partner_center_emulator.credentials import PASSPHRASE
from support.auth_methods import AuthMethod

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.cloud_partner_portal.endpoints import list_publishers
from airflow_provider_cpp.core.effects import send
from airflow_provider_cpp.core.models import StatusReport
from airflow_provider_cpp.hooks.cloud_partner_portal import CloudPartnerPortalHook
from airflow_provider_cpp.transport.auth import client_assertion
from airflow_provider_cpp.transport.auth.acquire import acquire_token
from airflow_provider_cpp.transport.auth.msal_session import MsalSession
from airflow_provider_cpp.transport.auth.token_source import TokenSource
from airflow_provider_cpp.transport.credentials import AccessToken, ClientSecret
from airflow_provider_cpp.transport.settings import Settings
from airflow_provider_cpp.transport.sync import SyncSession

OFFER = "contoso-vm"
TOKEN = re.compile(r"eyJ[\w-]{10,}")
"""The beginning of every token and every client assertion."""


def error_chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all its causes and contexts, shown or not."""
    chain: list[BaseException] = []
    queue: list[BaseException | None] = [error]
    while queue:
        one = queue.pop()
        if one is not None and one not in chain:
            chain.append(one)
            queue += [one.__cause__, one.__context__]
    yield from chain


def shown(error: BaseException) -> str:
    """Return all that an error could show."""
    texts = "".join(f"{one}{one!r}{one.args!r}{vars(one)!r}" for one in error_chain(error))
    return texts + "".join(traceback.format_exception(error))


def private_half(emulator: Emulator) -> list[str]:
    """Return lines of the private key; its first half is public, and in the certificate too."""
    lines = emulator.credentials.certificate.pem(chain=False).splitlines()
    return lines[len(lines) // 2 : -2]


def secrets_of(emulator: Emulator, connection: dict[str, Any]) -> set[str]:
    """Return every secret, in each form in which it is written."""
    extra = connection["extra"]
    secrets = {
        emulator.client_secret,
        PASSPHRASE,
        emulator.credentials.managed_identity.header,
        extra.get("access_token", ""),
    }
    if connection.get("password"):
        secrets.add(connection["password"])
    if extra.get("token_file"):
        secrets.add(Path(extra["token_file"]).read_text())
    secrets |= set(private_half(emulator))
    return {form for secret in secrets if secret for form in (secret, quote_plus(secret))}


def test_no_log_shows_a_secret(
    sign_in_by: Callable[..., Emulator],
    source: Callable[[], TokenSource],
    method: AuthMethod,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """At DEBUG for every logger, sign-in, read and renewal log no secret."""
    caplog.set_level(logging.DEBUG)
    emulator, hook = sign_in_by(method), CloudPartnerPortalHook()
    hook.get_offer_status(OFFER)
    value = source().token().value
    emulator.revoke_tokens()
    try:
        asyncio.run(hook.aget_offer_status(OFFER))
    except exceptions.AuthenticationError as error:
        assert method.auth_type == "access_token"
        caplog.handler.records.append(logging.makeLogRecord({"msg": shown(error)}))
    text = "".join(f"{record.getMessage()}{record.exc_text}{record.args!r}" for record in caplog.records)
    hidden = {value, *secrets_of(emulator, emulator.connection_for(method.auth_type, method.form))}
    assert [secret for secret in hidden if secret in text] == []
    assert TOKEN.findall(text) == []
    assert {"urllib3.connectionpool"} <= {
        record.name for record in caplog.records
    } or method.auth_type == "access_token"


ECHOING = (
    "client_secret",
    "certificate-pem",
    "managed_identity-app-service",
    "managed_identity-service-fabric",
    "workload_identity",
)


@pytest.mark.parametrize("name", ECHOING)
def test_a_response_that_repeats_the_credential_is_not_shown(
    sign_in_by: Callable[..., Emulator],
    source: Callable[[], TokenSource],
    methods: dict[str, AuthMethod],
    caplog: pytest.LogCaptureFixture,
    name: str,
) -> None:
    """A response that repeats the credential, or has a token in an unexpected place, is never shown unchanged."""
    caplog.set_level(logging.DEBUG)
    emulator, method = sign_in_by(methods[name]), methods[name]
    sent = {
        "client_secret": emulator.client_secret,
        "managed_identity": emulator.credentials.managed_identity.header,
        "workload_identity": emulator.credentials.federated_token().read_text(),
    }.get(method.auth_type, "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJhcHAifQ.c2lnbmF0dXJl")
    echo = f"{sent} {quote_plus(sent)} eyJhbGciOiJub25lIn0.eyJhIjoxfQ.c2ln"
    text = ""
    for status in (400, 401, 500, 200, 302):
        for body in (
            json.dumps({"error": "odd", "error_description": echo}),
            f"odd {echo}",
            f'{{"access_token": "{echo}',
        ):
            for route in ("token", "managed-identity"):
                emulator.inject(Fault("response", route, status=status, body=body))
            with pytest.raises(exceptions.AuthenticationError) as caught:
                TokenSource(source()._settings).token()
            emulator.clear_faults()
            text += shown(caught.value)
    text += "".join(f"{record.getMessage()}{record.exc_text}" for record in caplog.records)
    assert sent not in text
    assert quote_plus(sent) not in text
    assert TOKEN.findall(text) == []


ENCODINGS: dict[str, Callable[[str], str]] = {
    "percent": lambda text: quote(text, safe=""),
    "form": quote_plus,
    "JSON": lambda text: re.sub(r"[^a-z]", lambda match: f"\\u{ord(match[0]):04X}", text),
    "JSON string": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
}


@pytest.mark.parametrize(("first", "second", "third"), list(product(ENCODINGS, repeat=3)))
def test_a_sent_secret_is_masked_in_any_encoding(first: str, second: str, third: str) -> None:
    """A secret that a response repeats is masked, also if it is percent-encoded or escaped for JSON several times."""
    secret = 'ab+cd/ef=gh~i.j_k-l"m\\n o'
    settings = Settings("https://api.example", ClientSecret("app", "tenant", secret), "scope", "1")
    encoded = secret
    with MsalSession(settings) as session:
        session._collect_secrets({"client_secret": secret})
        for name in (first, second, third):
            encoded = ENCODINGS[name](encoded)
            assert session.redact(f"the value {encoded} is wrong") == "the value *** is wrong"


def test_a_wrong_passphrase_is_not_shown(
    sign_in_by: Callable[..., Emulator],
    use: Callable[..., dict[str, Any]],
    read: Callable[[], StatusReport],
    methods: dict[str, AuthMethod],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A passphrase that does not open the file is a configuration error that names the field, not its value."""
    caplog.set_level(logging.DEBUG)
    emulator = sign_in_by(methods["certificate-pfx"])
    use(emulator.connection_for("certificate", "pfx"), password="hunter2 hunter2")
    with pytest.raises(exceptions.ConfigurationError, match=r"the passphrase \(password\) does not open it") as caught:
        read()
    assert "hunter2" not in shown(caught.value) + caplog.text
    assert emulator.counts["token"] == 0


def test_values_do_not_show_their_secrets(
    sign_in_by: Callable[..., Emulator], source: Callable[[], TokenSource], method: AuthMethod
) -> None:
    """Settings, credentials, tokens, grants and signers do not print their secrets."""
    emulator = sign_in_by(method)
    settings = CloudPartnerPortalHook().get_settings()
    token, grant = source().token(), acquire_token(settings)
    values = [settings, settings.credentials, token, grant]
    if method.auth_type == "certificate":
        values.append(client_assertion.load(settings.credentials))
    text = "".join(f"{value!r}{value}" for value in values)
    hidden = {token.value, grant.value, *secrets_of(emulator, emulator.connection_for(method.auth_type, method.form))}
    assert [secret for secret in hidden if secret in text] == []
    assert TOKEN.findall(text) == []


def test_the_variables_of_a_failed_request_do_not_show_the_token() -> None:
    """A tool that reports the variables of each function in a traceback, as Sentry does, does not get the token."""
    settings = Settings("https://127.0.0.1:1", AccessToken("variable-token"), "scope", "1")
    with SyncSession(settings) as session, pytest.raises(exceptions.TransportError) as caught:
        session.run(send(list_publishers()))
    text = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert "in _exchange" in text
    assert "variable-token" not in text
