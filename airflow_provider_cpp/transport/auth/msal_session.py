# SPDX-License-Identifier: Apache-2.0
"""The HTTP session for msal. It validates each response before msal can log or cache it."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from urllib3.exceptions import HTTPError

from airflow_provider_cpp.core.redaction import sanitize_line
from airflow_provider_cpp.exceptions import CertificateVerifyError
from airflow_provider_cpp.transport.adapter import BoundedSession
from airflow_provider_cpp.transport.auth.token_response import (
    TokenFailure,
    TokenGrant,
    problem_in,
    without_unknown_fields,
)
from airflow_provider_cpp.transport.body import BoundedBody, InvalidBodyError, drain
from airflow_provider_cpp.transport.credentials import ManagedIdentity
from airflow_provider_cpp.transport.network_errors import network_text, untrusted_text, without_users
from airflow_provider_cpp.transport.settings import Settings

MANAGED_IDENTITY_CONNECT_TIMEOUT = 5.0
"""Seconds to connect to the managed identity endpoint, which is local, or does not exist outside Azure."""

MAX_RESPONSE_SIZE = 1024**2
"""The maximum size in bytes; a token with hundreds of groups has about 10,000 bytes."""

DISCOVERY = "/.well-known/openid-configuration"
MAX_TEXT = 600
SECRETS = frozenset({"client_secret", "client_assertion", "authorization", "x-identity-header", "secret"})
"""Form fields and headers of requests whose values must be masked."""

MAX_ENCODINGS = 8
"""The maximum number of nested encodings of a secret that are masked."""

JSON_ESCAPE = re.compile(r'\\+(?:u([0-9A-Fa-f]{4})|(["/\\]))')
TOKEN = re.compile(r"\beyJ[\w-]{6,}(?:\.[\w-]*)*")
UNAUTHORIZED, SERVER_ERROR, BAD_REQUEST, REDIRECT = 401, 500, 400, 300
TEMPORARY = frozenset({408, 429})
UPDATING = frozenset({404, 410})
"""Statuses of a virtual machine's identity service during an update, which takes about a minute."""


class RejectedResponse(Exception):  # noqa: N818 - it bypasses msal with a response
    """A response that msal must not process: it would log one that is not JSON, and cache a server error."""

    def __init__(self, failure: TokenFailure) -> None:
        self.failure = failure
        super().__init__()


class MsalSession(BoundedSession):
    """A session for one sign-in. Each request uses the connection's settings, which the environment cannot override."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._sent_secrets: set[str] = set()
        self._authority = settings.authority.lower().removesuffix(":443")
        self._is_managed_identity = isinstance(settings.credentials, ManagedIdentity)
        # Managed identities use plain HTTP on this machine, so requests must not pass a proxy. A connection's proxies replace
        # the environment's.
        self.trust_env = not self._is_managed_identity and not settings.proxies
        self.headers["Accept-Encoding"] = "gzip"
        # For Service Fabric, msal creates its own session. It copies the hooks of this one, but not its methods.
        self.hooks["response"] = [self._filter]
        connect = settings.request_timeout
        if self._is_managed_identity:
            connect = min(connect, MANAGED_IDENTITY_CONNECT_TIMEOUT)
        self._options: dict[str, Any] = {
            "verify": settings.ca_bundle(),
            "proxies": None if self._is_managed_identity else dict(settings.proxies) or None,
            "timeout": (connect, settings.request_timeout),
            "allow_redirects": False,
            "auth": lambda request: request,  # prevents credentials from ~/.netrc
        }

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **options: Any) -> requests.Response:
        """Send a request of msal, and return a response with a JSON object that is not an error.

        :raises RejectedResponse: for any other response, if there is none, or if the URL is not on the authority.
        """
        if not self._is_allowed(url):
            text = f"{url!r} is not an address of the authority: nothing was sent"
            raise RejectedResponse(TokenFailure(self.redact(text)))
        self._collect_secrets(options.get("headers"))
        self._collect_secrets(options.get("data"))
        try:
            return super().request(method, url, *args, **(options | self._options))
        except (requests.RequestException, HTTPError) as error:
            # Some of these are ValueErrors, which msal would report as an invalid tenant name.
            raise RejectedResponse(self.from_network_error(error)) from None

    def _is_allowed(self, url: object) -> bool:
        """Return whether a URL starts with the authority, because parsers may disagree on hosts; True for managed identities."""
        prefixes = (f"{self._authority}/", f"{self._authority}:443/")
        return self._is_managed_identity or (isinstance(url, str) and url.lower().startswith(prefixes))

    def from_network_error(self, error: Exception) -> TokenFailure:
        """Return the result of a sign-in without a response."""
        if isinstance(error, requests.exceptions.InvalidHeader):
            return TokenFailure("a header of the sign-in contains characters that cannot be sent")
        if (untrusted := untrusted_text(error)) is not None:
            return TokenFailure(self.redact(f"{untrusted}; {CertificateVerifyError.hint}"), responded=False)
        return TokenFailure(self.redact(network_text(error)), transient=True, responded=False)

    def _collect_secrets(self, sent: object) -> None:
        if isinstance(sent, Mapping):
            secrets = {str(value) for name, value in sent.items() if str(name).lower() in SECRETS and value}
            self._sent_secrets |= secrets | {secret.replace(" ", "+") for secret in secrets}  # as forms encode spaces

    def _filter(self, response: requests.Response, **_options: Any) -> requests.Response:
        """Return a new response that contains only a validated JSON object of limited size."""
        self._collect_secrets(response.request.headers)
        with response:
            body, problem = self._read_object(response)
        # Azure Arc sends a challenge, to which msal responds with the content of a local file.
        challenge = response.headers.get("WWW-Authenticate")
        is_challenge = self._is_managed_identity and response.status_code == UNAUTHORIZED and challenge is not None
        if not is_challenge and (body is None or response.status_code >= REDIRECT):
            raise RejectedResponse(self._from_error_response(response, body, problem))
        if body is not None and not self._is_managed_identity and urlsplit(response.url).path.endswith(DISCOVERY):
            self._check_token_endpoint(body.get("token_endpoint"))
        if body is not None and "access_token" in body:
            if (invalid := problem_in(body)) is not None:
                raise RejectedResponse(TokenFailure(f"HTTP {response.status_code}: {invalid}"))
            body = without_unknown_fields(body)
        filtered = requests.Response()
        filtered.status_code, filtered.url, filtered.request = response.status_code, response.url, response.request
        filtered.headers["Content-Type"], filtered.encoding = "application/json", "utf-8"
        if challenge is not None:
            filtered.headers["WWW-Authenticate"] = challenge
        filtered.raw = io.BytesIO(json.dumps(body or {}).encode())
        return filtered

    def _check_token_endpoint(self, endpoint: object) -> None:
        """Reject a token endpoint on another host, which would receive a secret or an assertion."""
        if not isinstance(endpoint, str) or not endpoint:
            raise RejectedResponse(TokenFailure("the authority's discovery document has no token_endpoint"))
        if not self._is_allowed(endpoint):
            text = f"the token_endpoint in the authority's discovery document is not on the authority, {endpoint!r}"
            raise RejectedResponse(TokenFailure(self.redact(f"{text}: nothing was sent there")))

    def _read_object(self, response: requests.Response) -> tuple[dict[str, Any] | None, str]:
        if REDIRECT <= response.status_code < BAD_REQUEST:
            return None, "a redirect, which is not followed"
        value: Any = None
        try:
            body = BoundedBody(response.headers.get("Content-Encoding"), max_size=MAX_RESPONSE_SIZE)
            drain(response.raw, body)
            value = json.loads(body.content)
        except InvalidBodyError as error:
            return None, str(error)
        except (HTTPError, OSError) as error:
            raise RejectedResponse(self.from_network_error(error)) from None
        except (ValueError, RecursionError):
            pass
        return (value, "") if isinstance(value, dict) else (None, "the response is not a JSON object")

    def read(self, body: object) -> TokenGrant | TokenFailure:
        """Return the result of a sign-in from msal's return value."""
        values = body if isinstance(body, dict) else {}
        if (token := values.get("access_token")) is not None:
            return TokenGrant(str(token), max(0.0, float(values.get("expires_in") or 0)))
        return self._parse_error(values)

    def redact(self, text: str) -> str:
        """Return text as one line; mask sent secrets, tokens, and users in URLs."""
        text = sanitize_line(without_users(self._mask_secrets(text)))
        return sanitize_line(self._mask_secrets(text), MAX_TEXT)  # mask again: the secret may have been HTML-escaped

    def _mask_secrets(self, text: str) -> str:
        """Mask sent secrets and tokens. If one is percent-encoded or escaped for JSON, return the decoded text."""
        result = text
        for _ in range(MAX_ENCODINGS):
            masked = text
            for secret in self._sent_secrets:
                masked = masked.replace(secret, "***")
            masked = TOKEN.sub("***", masked)
            if masked != text:
                result = masked
            text = unquote(JSON_ESCAPE.sub(lambda match: match[2] or chr(int(match[1], 16)), masked))
        return result

    def _from_error_response(
        self, response: requests.Response, body: dict[str, Any] | None, problem: str
    ) -> TokenFailure:
        status = response.status_code
        error = self._parse_error(body or {})
        if body is None and status < BAD_REQUEST:
            text, transient = f"HTTP {status}: {problem}", True
        else:
            text = f"HTTP {status}: {error.message}" if error.code is None else error.message
            is_machine = self._is_managed_identity and urlsplit(response.url).path.startswith("/metadata/")
            temporary = UPDATING | TEMPORARY if is_machine else TEMPORARY
            transient = status >= SERVER_ERROR or status in temporary
        retry_after = response.headers.get("Retry-After", "")
        return replace(
            error,
            message=text,
            transient=transient,
            correlation_id=error.correlation_id or response.headers.get("x-ms-request-id"),
            retry_after=float(retry_after) if retry_after.isdecimal() else 0.0,
        )

    def _parse_error(self, body: dict[str, Any]) -> TokenFailure:
        """Parse an error in the format of Entra ID, virtual machines or App Service."""
        error = body.get("error")
        inner = error if isinstance(error, dict) else {}
        code = inner.get("code") if inner else error
        message = body.get("error_description") or inner.get("message") or body.get("message")
        text = ": ".join(str(part) for part in (code, message) if part) or "no token, and no reason"
        correlation_id = body.get("correlation_id") or inner.get("correlationId")
        return TokenFailure(
            self.redact(text),
            code=str(code) if code else None,
            correlation_id=str(correlation_id) if correlation_id else None,
        )
