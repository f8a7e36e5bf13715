# SPDX-License-Identifier: Apache-2.0
"""What msal sends with, and what is read of the answers, before msal could log one or keep it."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus, urlsplit

import requests

from airflow_provider_cpp.portal.text import plain_text
from airflow_provider_cpp.transport.causes import causes_of, network_text, without_users
from airflow_provider_cpp.transport.credentials import ManagedIdentity
from airflow_provider_cpp.transport.settings import Settings

MACHINE_CONNECT_TIMEOUT = 5.0
"""Seconds for connecting to what gives a machine its identity: it is on the machine, or this is not one of Azure's."""

LONGEST_TEXT = 600
SECRETS = frozenset({"client_secret", "client_assertion", "authorization", "x-identity-header", "secret"})
"""Names of what is sent and must not be seen: fields of a form, and headers."""

TOKEN = re.compile(r"\beyJ[\w-]{6,}(?:\.[\w-]*)*")
TOO_MANY, TIMED_OUT, UNAUTHORIZED, SERVER_FAULT, BAD, REDIRECT = 429, 408, 401, 500, 400, 300
UPDATING = frozenset({404, 410})
"""What a virtual machine's identity service answers for a minute or so while it is updated."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said to a sign-in.

    :param token: the token; None if there is none; never shown.
    :param lifetime: seconds for which it is good.
    :param text: in words, why there is none.
    :param code: the service's own error code.
    :param transient: whether it may be given later.
    :param correlation_id: the id that Microsoft's support asks for.
    :param retry_after: seconds for which not to ask again.
    """

    token: str | None = field(default=None, repr=False)
    lifetime: float = 0.0
    text: str = ""
    code: str | None = None
    transient: bool = False
    correlation_id: str | None = None
    retry_after: float = 0.0


class Unfit(Exception):  # noqa: N818 - it carries an answer past msal, and ends there
    """An answer that msal is not shown: it would log what is no JSON, and keep what is a server's fault."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        super().__init__()


class Wire(requests.Session):
    """A session for one sign-in: what the connection wishes goes with each request, where the environment cannot beat it.

    :param settings: whose sign-in.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._sent: set[str] = set()
        self._is_machine = isinstance(settings.credentials, ManagedIdentity)
        # A machine's identity is asked for in plain HTTP, on the machine itself: no proxy may see it.
        self.trust_env = not self._is_machine
        connect = min(settings.request_timeout, MACHINE_CONNECT_TIMEOUT if self._is_machine else float("inf"))
        self._options: dict[str, Any] = {
            "verify": settings.bundle() or True,
            "proxies": None if self._is_machine else dict(settings.proxies) or None,
            "timeout": (connect, settings.request_timeout),
            "allow_redirects": False,
            "auth": _as_it_is,
        }

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **options: Any) -> requests.Response:
        """Send, and let through only what msal can make something of.

        :raises Unfit: if there is no answer, or it is no JSON object, or an error.
        """
        for part in (options.get("headers"), options.get("data")):
            if isinstance(part, Mapping):
                self._sent |= {str(value) for name, value in part.items() if str(name).lower() in SECRETS and value}
        try:
            response = super().request(method, url, *args, **(options | self._options))
        except requests.RequestException as error:
            # Some are ValueErrors as well, which msal would take for a mistake in the tenant's name.
            unreachable = self.unreachable(error)
        else:
            return self._fit(response)
        raise Unfit(unreachable)

    def unreachable(self, error: requests.RequestException) -> Answer:
        """Read what the network did instead of an answer."""
        untrusted = any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes_of(error))
        return Answer(text=self.clean(network_text(error)), transient=not untrusted)

    def _fit(self, response: requests.Response) -> requests.Response:
        status, body = response.status_code, _object(response)
        # A machine joined to Azure from elsewhere is asked to prove that it can read a file, which msal does.
        is_challenge = self._is_machine and status == UNAUTHORIZED and "WWW-Authenticate" in response.headers
        if not is_challenge and (body is None or status >= REDIRECT):
            raise Unfit(self._refused(response, body))
        return response

    def read(self, body: object) -> Answer:
        """Read what msal made of the answers."""
        values = body if isinstance(body, dict) else {}
        token = values.get("access_token")
        if isinstance(token, str) and token.isascii() and token.isprintable():
            return Answer(token, max(0.0, float(values.get("expires_in") or 0)))
        return self._said(values)

    def clean(self, text: str) -> str:
        """Make one plain line of a text, without anything that was sent, a token, or the user of an address."""
        text = plain_text(without_users(TOKEN.sub("***", self._unsaid(text))))
        return plain_text(self._unsaid(text), LONGEST_TEXT)  # once more: what was escaped for HTML is plain now

    def _unsaid(self, text: str) -> str:
        for secret in self._sent:
            text = text.replace(secret, "***").replace(quote_plus(secret), "***")
        return text

    def _refused(self, response: requests.Response, body: dict[str, Any] | None) -> Answer:
        status = response.status_code
        said = self._said(body or {})
        if body is None and status < BAD:
            text = "a redirect, which is not followed" if status >= REDIRECT else "the answer is no JSON object"
            text, transient = f"HTTP {status}: {text}", True
        else:
            text = f"HTTP {status}: {said.text}" if said.code is None else said.text
            transient = status >= SERVER_FAULT or status in (TOO_MANY, TIMED_OUT)
            path = urlsplit(response.url).path
            transient = transient or (self._is_machine and status in UPDATING and path.startswith("/metadata/"))
        given = response.headers.get("Retry-After", "")
        return Answer(
            text=text,
            code=said.code,
            transient=transient,
            correlation_id=said.correlation_id or response.headers.get("x-ms-request-id"),
            retry_after=float(given) if given.isdecimal() else 0.0,
        )

    def _said(self, body: dict[str, Any]) -> Answer:
        """Read an error in the forms that Entra ID, machines and App Service give it."""
        error = body.get("error")
        inner = error if isinstance(error, dict) else {}
        code = inner.get("code") if inner else error
        words = body.get("error_description") or inner.get("message") or body.get("message")
        text = ": ".join(str(part) for part in (code, words) if part) or "no token, and no reason"
        support = body.get("correlation_id") or inner.get("correlationId")
        return Answer(
            text=self.clean(text), code=str(code) if code else None, correlation_id=str(support) if support else None
        )


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Add nothing: without an auth of its own, a request would get what ~/.netrc has for the host."""
    return request


def _object(response: requests.Response) -> dict[str, Any] | None:
    try:
        body = json.loads(response.content)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None
