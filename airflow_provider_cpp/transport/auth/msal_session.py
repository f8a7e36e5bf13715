# SPDX-License-Identifier: Apache-2.0
"""What msal sends with, and what is read of the answers, before msal could log one or keep it."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus, urlsplit

import requests
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.exceptions import HTTPError

from airflow_provider_cpp.core.redaction import sanitize_line
from airflow_provider_cpp.exceptions import CertificateVerifyError
from airflow_provider_cpp.transport.adapter import BoundedAdapter
from airflow_provider_cpp.transport.auth import token_response
from airflow_provider_cpp.transport.body import BoundedBody, drain
from airflow_provider_cpp.transport.credentials import ManagedIdentity
from airflow_provider_cpp.transport.deadline import overdue_text
from airflow_provider_cpp.transport.network_errors import network_text, untrusted_text, without_users
from airflow_provider_cpp.transport.settings import Settings

MANAGED_IDENTITY_CONNECT_TIMEOUT = 5.0
"""Seconds for connecting to what gives a machine its identity: it is on the machine, or this is not one of Azure's."""

MAX_RESPONSE_SIZE = 1024**2
"""Bytes: a token of somebody in hundreds of groups has some ten thousand."""

DISCOVERY = "/.well-known/openid-configuration"
MAX_TEXT = 600
SECRETS = frozenset({"client_secret", "client_assertion", "authorization", "x-identity-header", "secret"})
"""Names of what is sent and must not be seen: fields of a form, and headers."""

TOKEN = re.compile(r"\beyJ[\w-]{6,}(?:\.[\w-]*)*")
TOO_MANY, TIMED_OUT, UNAUTHORIZED, SERVER_FAULT, BAD, REDIRECT = 429, 408, 401, 500, 400, 300
UPDATING = frozenset({404, 410})
"""What a virtual machine's identity service answers for a minute or so while it is updated."""


@dataclass(frozen=True, slots=True)
class AuthResponse:
    """What was said to a sign-in.

    :param token: the token; None if there is none; never shown.
    :param lifetime: seconds for which it is good.
    :param text: in words, why there is none.
    :param code: the service's own error code.
    :param transient: whether it may be given later.
    :param correlation_id: the id that Microsoft's support asks for.
    :param retry_after: seconds for which not to ask again.
    :param answered: False where no answer came, or from somebody who is not trusted.
    """

    token: str | None = field(default=None, repr=False)
    lifetime: float = 0.0
    text: str = ""
    code: str | None = None
    transient: bool = False
    correlation_id: str | None = None
    retry_after: float = 0.0
    answered: bool = True


class RejectedResponse(Exception):  # noqa: N818 - it carries an answer past msal, and ends there
    """An answer that msal is not shown: it would log what is no JSON, and keep what is a server's fault."""

    def __init__(self, answer: AuthResponse) -> None:
        self.answer = answer
        super().__init__()


class MsalSession(requests.Session):
    """A session for one sign-in: what the connection wishes goes with each request, where the environment cannot beat it.

    :param settings: whose sign-in.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        for scheme in ("https://", "http://"):
            self.mount(scheme, BoundedAdapter())
        self._sent: set[str] = set()
        self._authority = settings.authority.lower().removesuffix(":443")
        self._is_machine = isinstance(settings.credentials, ManagedIdentity)
        # A machine's identity is asked for in plain HTTP, on the machine itself: no proxy may see it. Proxies of the
        # connection count alone.
        self.trust_env = not self._is_machine and not settings.proxies
        self.headers["Accept-Encoding"] = "gzip"
        # For Service Fabric msal makes a session of its own, which takes over this one's hooks, but not its methods.
        self.hooks["response"] = [self._fit]
        connect = min(settings.request_timeout, MANAGED_IDENTITY_CONNECT_TIMEOUT if self._is_machine else float("inf"))
        self._options: dict[str, Any] = {
            "verify": settings.ca_bundle() or DEFAULT_CA_BUNDLE_PATH,
            "proxies": None if self._is_machine else dict(settings.proxies) or None,
            "timeout": (connect, settings.request_timeout),
            "allow_redirects": False,
            "auth": _as_it_is,
        }

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **options: Any) -> requests.Response:
        """Send, and let through only what msal can make something of.

        :raises RejectedResponse: if there is no answer, or it is no JSON object, or an error; or if it would go elsewhere.
        """
        if not self._may_go_to(url):
            raise RejectedResponse(
                AuthResponse(text=self.clean(f"{url!r} is another address than the authority's: nothing was sent"))
            )
        self._note(options.get("headers"))
        self._note(options.get("data"))
        try:
            return super().request(method, url, *args, **(options | self._options))
        except (requests.RequestException, HTTPError) as error:
            # Some are ValueErrors as well, which msal would take for a mistake in the tenant's name.
            unreachable = self.unreachable(error)
        raise RejectedResponse(unreachable)

    def _may_go_to(self, url: object) -> bool:
        """Say whether an address is the authority's own; those of machines come from the environment.

        The texts are compared as they begin, since two parsers may find two hosts in one address.
        """
        own = (f"{self._authority}/", f"{self._authority}:443/")
        return self._is_machine or (isinstance(url, str) and url.lower().startswith(own))

    def unreachable(self, error: Exception) -> AuthResponse:
        """Read what the network did instead of an answer."""
        if isinstance(error, requests.exceptions.InvalidHeader):
            return AuthResponse(text="a header that belongs to the sign-in has letters in it that cannot be sent")
        if (untrusted := untrusted_text(error)) is not None:
            return AuthResponse(text=self.clean(f"{untrusted}; {CertificateVerifyError.hint}"), answered=False)
        return AuthResponse(text=self.clean(overdue_text() or network_text(error)), transient=True, answered=False)

    def _note(self, sent: object) -> None:
        if isinstance(sent, Mapping):
            self._sent |= {str(value) for name, value in sent.items() if str(name).lower() in SECRETS and value}

    def _fit(self, response: requests.Response, **_options: Any) -> requests.Response:
        """Make of what came an answer that has nothing in it but an object of a reasonable size, already read."""
        self._note(response.request.headers)
        with response:
            body, why = self._object(response)
        # A machine joined to Azure from elsewhere is asked to prove that it can read a file, which msal does.
        challenge = response.headers.get("WWW-Authenticate")
        is_challenge = self._is_machine and response.status_code == UNAUTHORIZED and challenge is not None
        if not is_challenge and (body is None or response.status_code >= REDIRECT):
            raise RejectedResponse(self._refused(response, body, why))
        if body is not None and not self._is_machine and urlsplit(response.url).path.endswith(DISCOVERY):
            self._check(body.get("token_endpoint"))
        if body is not None and "access_token" in body:
            if (odd := token_response.problem_in(body)) is not None:
                raise RejectedResponse(AuthResponse(text=f"HTTP {response.status_code}: {odd}"))
            body = token_response.without_unknown_fields(body)
        fit = requests.Response()
        fit.status_code, fit.url, fit.request = response.status_code, response.url, response.request
        fit.headers["Content-Type"], fit.encoding = "application/json", "utf-8"
        if challenge is not None:
            fit.headers["WWW-Authenticate"] = challenge
        fit.raw = io.BytesIO(json.dumps(body or {}).encode())
        return fit

    def _check(self, endpoint: object) -> None:
        """Let a discovery pass only if it sends nobody elsewhere: a secret, or a statement, would follow."""
        if not isinstance(endpoint, str) or not endpoint:
            raise RejectedResponse(AuthResponse(text="the authority's discovery names no address for tokens"))
        if not self._may_go_to(endpoint):
            text = f"the authority's discovery names another address than its own for tokens, {endpoint!r}"
            raise RejectedResponse(AuthResponse(text=self.clean(f"{text}: nothing was sent there")))

    def _object(self, response: requests.Response) -> tuple[dict[str, Any] | None, str]:
        """Read the object that an answer is; None if it is none, and why."""
        if REDIRECT <= response.status_code < BAD:
            return None, "a redirect, which is not followed"
        lost = None
        try:
            body = BoundedBody(response.headers.get("Content-Encoding"), _Untaken, largest=MAX_RESPONSE_SIZE)
            drain(response.raw, body)
            found = json.loads(body.content)
        except _Untaken as error:
            return None, str(error)
        except (HTTPError, OSError) as error:
            lost = self.unreachable(error)
        except (ValueError, RecursionError):
            found = None
        if lost is not None:
            raise RejectedResponse(lost)
        return (found, "") if isinstance(found, dict) else (None, "the answer is no JSON object")

    def read(self, body: object) -> AuthResponse:
        """Read what msal made of the answers."""
        values = body if isinstance(body, dict) else {}
        token = values.get("access_token")
        if token is not None:
            return AuthResponse(str(token), max(0.0, float(values.get("expires_in") or 0)))
        return self._said(values)

    def clean(self, text: str) -> str:
        """Make one plain line of a text, without anything that was sent, a token, or the user of an address."""
        text = sanitize_line(without_users(TOKEN.sub("***", self._unsaid(text))))
        return sanitize_line(self._unsaid(text), MAX_TEXT)  # once more: what was escaped for HTML is plain now

    def _unsaid(self, text: str) -> str:
        for secret in self._sent:
            text = text.replace(secret, "***").replace(quote_plus(secret), "***")
        return text

    def _refused(self, response: requests.Response, body: dict[str, Any] | None, why: str) -> AuthResponse:
        status = response.status_code
        said = self._said(body or {})
        if body is None and status < BAD:
            text, transient = f"HTTP {status}: {why}", True
        else:
            text = f"HTTP {status}: {said.text}" if said.code is None else said.text
            transient = status >= SERVER_FAULT or status in (TOO_MANY, TIMED_OUT)
            path = urlsplit(response.url).path
            transient = transient or (self._is_machine and status in UPDATING and path.startswith("/metadata/"))
        given = response.headers.get("Retry-After", "")
        return AuthResponse(
            text=text,
            code=said.code,
            transient=transient,
            correlation_id=said.correlation_id or response.headers.get("x-ms-request-id"),
            retry_after=float(given) if given.isdecimal() else 0.0,
        )

    def _said(self, body: dict[str, Any]) -> AuthResponse:
        """Read an error in the forms that Entra ID, machines and App Service give it."""
        error = body.get("error")
        inner = error if isinstance(error, dict) else {}
        code = inner.get("code") if inner else error
        words = body.get("error_description") or inner.get("message") or body.get("message")
        text = ": ".join(str(part) for part in (code, words) if part) or "no token, and no reason"
        support = body.get("correlation_id") or inner.get("correlationId")
        return AuthResponse(
            text=self.clean(text), code=str(code) if code else None, correlation_id=str(support) if support else None
        )


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Add nothing: without an auth of its own, a request would get what ~/.netrc has for the host."""
    return request


class _Untaken(Exception):  # noqa: N818 - it never leaves this file
    """Why an answer's bytes are not taken."""
