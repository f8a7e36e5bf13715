# SPDX-License-Identifier: Apache-2.0
"""The dispatch of every request, with counters, faults, gates, latency, and error responses."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from threading import RLock
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from partner_center_emulator.errors import InvalidTokenError, SignInError
from partner_center_emulator.faults import Fault, Faults
from partner_center_emulator.offer_store import OfferError
from partner_center_emulator.settings import Settings

Handler = Callable[[Request, bytes], Response]
Endpoint = Callable[[Request], Awaitable[Response]]
Classify = Callable[[Request, bytes], tuple[str, str | None]]
"""A function that returns the route and the offer of a request."""

COMMON_HEADERS = {
    "Cache-Control": "no-cache",
    "Pragma": "no-cache",
    "Expires": "-1",
    "Server": "Microsoft-IIS/10.0",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class ServedRequest:
    """A request that was served, or whose connection was reset by a fault."""

    at: datetime
    route: str
    method: str
    path: str
    offer: str | None
    status: int | None


class Dispatcher:
    """The dispatcher, which applies counters, faults, gates and latency to every request."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.faults = Faults()
        self.lock = RLock()
        self.served: list[ServedRequest] = []
        self.transports: dict[tuple[str, int], tuple[asyncio.Transport, asyncio.AbstractEventLoop]] = {}
        self.connections = 0

    def counts(self, offer: str | None = None) -> Counter[str]:
        """Count the requests by route, for one offer or for all."""
        with self.lock:
            return Counter(
                request.route
                for request in self.served
                if offer is None or (request.offer or "").lower() == offer.lower()
            )

    def endpoint(self, route: str | Classify, handler: Handler) -> Endpoint:
        """Convert a handler to an endpoint.

        :param route: the route for counters and faults, or a function that returns it for each request.
        """

        async def serve(request: Request) -> Response:
            body = await request.body()
            name, offer = self._classify(route, request, body)
            if self.settings.latency:
                await asyncio.sleep(self.settings.latency.total_seconds())
            fault = self.faults.take(name, offer)
            await self._wait_at_gates(name, offer, after=False)
            response = None if fault is None or fault.after else await self._apply_fault(fault, request)
            if response is None:
                response = self._handle(handler, request, body)
            if fault is not None and (fault.after or fault.kind in ("no-location", "location")):
                response = await self._apply_fault(fault, request, response) or response
            self._record(name, request, offer, response)
            await self._wait_at_gates(name, offer, after=True)
            return response

        return serve

    def _classify(self, route: str | Classify, request: Request, body: bytes) -> tuple[str, str | None]:
        if isinstance(route, str):
            return route, request.path_params.get("offer")
        with self.lock:
            return route(request, body)

    def _handle(self, handler: Handler, request: Request, body: bytes) -> Response:
        with self.lock:
            try:
                return handler(request, body)
            except OfferError as error:
                return self.error(error.status, error.code, error.message, error.details)
            except InvalidTokenError:
                return self.error(401, "Unauthorized", "Authorization has been denied for this request.")
            except SignInError as error:
                return json_response(error.status, error.body)

    def error(self, status: int, code: str, message: str, details: list[dict[str, str]] | None = None) -> Response:
        """Return an error response of the CPP API in the format that ``error_body`` selects."""
        if self.settings.error_body == "empty":
            return Response(b"", status, response_headers())
        if self.settings.error_body == "html":
            page = f"<html><body><h1>{status} {code}</h1><p>{message}</p></body></html>"
            return Response(page, status, response_headers(), media_type="text/html")
        body: dict[str, Any] = {"code": code, "message": message}
        return json_response(status, {"error": body | ({"details": details} if details else {})}, response_headers())

    def _record(self, route: str, request: Request, offer: str | None, response: Response) -> None:
        status = None if isinstance(response, LostResponse) else response.status_code
        served = ServedRequest(datetime.now(timezone.utc), route, request.method, request.url.path, offer, status)
        with self.lock:
            self.served.append(served)

    async def _wait_at_gates(self, route: str, offer: str | None, *, after: bool) -> None:
        for gate in self.faults.gates(route, offer, after=after):
            gate.arrive()
            while not gate.is_open:  # noqa: ASYNC110 - another thread opens it
                await asyncio.sleep(0.01)

    async def _apply_fault(self, fault: Fault, request: Request, response: Response | None = None) -> Response | None:
        if fault.kind == "hang":
            await asyncio.sleep(fault.seconds)
        elif fault.kind == "drop":
            client = request.scope["client"]
            transport, _ = self.transports.get((client[0], client[1]), (None, None))
            if transport is not None:
                transport.abort()
            return LostResponse()
        elif fault.kind == "response":
            body = fault.body.encode() if isinstance(fault.body, str) else fault.body
            return Response(body, fault.status, {**response_headers(), **fault.headers})
        elif response is not None:
            for name in ("Location", "Operation-Location"):
                if name in response.headers:
                    del response.headers[name]
            if fault.kind == "location":
                response.headers["Location"] = fault.location
        return None


class LostResponse(Response):
    """The response to a request whose connection was reset; it never reaches the client."""

    def __init__(self) -> None:
        super().__init__(b"", 500)


def response_headers() -> dict[str, str]:
    """Return the headers of every response of the CPP API, with a new request ID."""
    return {**COMMON_HEADERS, "X-Ms-Correlation-Request-Id": str(uuid.uuid4())}


def json_response(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON response."""
    content = json.dumps(body).encode()
    return Response(content, status, dict(headers or {}), media_type="application/json; charset=utf-8")
