# SPDX-License-Identifier: Apache-2.0
"""Nothing secret is shown: not in a log at its most talkative, not in an error or anything below it."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
from partner_center_emulator import Emulator, Fault
from partner_center_emulator.credentials import PASSPHRASE

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.hooks.cloud_partner_portal import CloudPartnerPortalHook
from airflow_provider_cpp.transport.auth import client_assertion
from airflow_provider_cpp.transport.auth.acquire import acquire_token
from airflow_provider_cpp.transport.auth.token_source import TokenSource

OFFER = "contoso-vm"
TOKEN = re.compile(r"eyJ[\w-]{10,}")
"""How every token and every signed statement begins."""


def below(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all that hangs below it, whether it is shown or not."""
    seen: list[BaseException] = []
    queue: list[BaseException | None] = [error]
    while queue:
        one = queue.pop()
        if one is not None and one not in seen:
            seen.append(one)
            queue += [one.__cause__, one.__context__]
    yield from seen


def shown(error: BaseException) -> str:
    """Return all that an error could show to anybody who looks at it."""
    texts = "".join(f"{one}{one!r}{one.args!r}{vars(one)!r}" for one in below(error))
    return texts + "".join(traceback.format_exception(error))


def private_half(portal: Emulator) -> list[str]:
    """Return lines of the private key; what comes first in it is public, and stands in the certificate too."""
    lines = portal.credentials.certificate.pem(chain=False).splitlines()
    return lines[len(lines) // 2 : -2]


def secrets_of(portal: Emulator, connection: dict[str, Any]) -> set[str]:
    """Return everything that must not be seen, in the forms that it is written in."""
    extra = connection["extra"]
    found = {portal.client_secret, PASSPHRASE, portal.credentials.machine.header, extra.get("access_token", "")}
    if connection.get("password"):
        found.add(connection["password"])
    if extra.get("token_file"):
        found.add(Path(extra["token_file"]).read_text())
    found |= set(private_half(portal))
    return {form for secret in found if secret for form in (secret, quote_plus(secret))}


def test_no_log_shows_a_secret(
    sign_in_by: Callable[..., Emulator],
    source: Callable[[], Any],
    way: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With everything logged, msal's and urllib3's lines too, signing in, reading and renewing show nothing secret."""
    caplog.set_level(logging.DEBUG)
    portal, hook = sign_in_by(way), CloudPartnerPortalHook()
    hook.get_offer_status(OFFER)
    value = source().token().value
    portal.revoke_tokens()
    try:
        asyncio.run(hook.aget_offer_status(OFFER))
    except exceptions.AuthenticationError as error:
        assert way.kind == "access_token"
        caplog.handler.records.append(logging.makeLogRecord({"msg": shown(error)}))
    text = "".join(f"{record.getMessage()}{record.exc_text}{record.args!r}" for record in caplog.records)
    hidden = {value, *secrets_of(portal, portal.connection_for(way.kind, way.form))}
    assert ([secret for secret in hidden if secret in text], TOKEN.findall(text)) == ([], [])
    assert {"urllib3.connectionpool"} <= {record.name for record in caplog.records} or way.kind == "access_token"


ECHOING = (
    "client_secret",
    "certificate-pem",
    "managed_identity-app-service",
    "managed_identity-service-fabric",
    "workload_identity",
)


@pytest.mark.parametrize("name", ECHOING)
def test_an_entra_that_repeats_what_it_was_told(
    sign_in_by: Callable[..., Emulator],
    source: Callable[[], Any],
    ways: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    name: str,
) -> None:
    """An answer that repeats the proof, or has a token where none belongs, is shown to nobody as it came."""
    caplog.set_level(logging.DEBUG)
    portal, way = sign_in_by(ways[name]), ways[name]
    sent = {
        "client_secret": portal.client_secret,
        "managed_identity": portal.credentials.machine.header,
        "workload_identity": portal.credentials.federated_token().read_text(),
    }.get(way.kind, "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJhcHAifQ.c2lnbmF0dXJl")
    echo = f"{sent} {quote_plus(sent)} eyJhbGciOiJub25lIn0.eyJhIjoxfQ.c2ln"
    text = ""
    for status in (400, 401, 500, 200, 302):
        for body in (
            json.dumps({"error": "odd", "error_description": echo}),
            f"odd {echo}",
            f'{{"access_token": "{echo}',
        ):
            for route in ("token", "managed-identity"):
                portal.inject(Fault("answer", route, status=status, body=body))
            with pytest.raises(exceptions.AuthenticationError) as caught:
                TokenSource(source()._settings).token()
            portal.clear_faults()
            text += shown(caught.value)
    text += "".join(f"{record.getMessage()}{record.exc_text}" for record in caplog.records)
    assert (sent in text, quote_plus(sent) in text, TOKEN.findall(text)) == (False, False, [])


def test_a_passphrase_that_is_wrong_is_not_shown(
    sign_in_by: Callable[..., Emulator],
    use: Callable[..., Any],
    read: Callable[[], Any],
    ways: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A passphrase that does not open the file is an error of the connection that names the field, and not its value."""
    caplog.set_level(logging.DEBUG)
    portal = sign_in_by(ways["certificate-pfx"])
    use(portal.connection_for("certificate", "pfx"), password="hunter2 hunter2")
    with pytest.raises(exceptions.ConfigurationError, match=r"the passphrase \(password\) does not open it") as caught:
        read()
    assert ("hunter2" in shown(caught.value) + caplog.text, portal.counts["token"]) == (False, 0)


def test_values_show_themselves_to_nobody(
    sign_in_by: Callable[..., Emulator], source: Callable[[], Any], way: Any
) -> None:
    """Settings, credentials, tokens, grants and signers print nothing of what they hold."""
    portal = sign_in_by(way)
    settings = CloudPartnerPortalHook().get_settings()
    token, grant = source().token(), acquire_token(settings)
    things = [settings, settings.credentials, token, grant]
    if way.kind == "certificate":
        things.append(client_assertion.load(settings.credentials))
    text = "".join(f"{thing!r}{thing}" for thing in things)
    hidden = {token.value, grant.value, *secrets_of(portal, portal.connection_for(way.kind, way.form))}
    assert ([secret for secret in hidden if secret in text], TOKEN.findall(text)) == ([], [])
