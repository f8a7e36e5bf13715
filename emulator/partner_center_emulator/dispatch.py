# SPDX-License-Identifier: Apache-2.0
"""What happens to every request: counting, faults, gates, latency; and the shape of errors."""

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
Sort = Callable[[Request, bytes], tuple[str, str | None]]
"""Says of a request on which route it is, and for which offer."""

PORTAL_HEADERS = {
    "Cache-Control": "no-cache",
    "Pragma": "no-cache",
    "Expires": "-1",
    "Server": "Microsoft-IIS/10.0",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Served:
    """A request that was served, or lost on purpose."""

    at: datetime
    route: str
    method: str
    path: str
    offer: str | None
    status: int | None


class Dispatcher:
    """Wraps handlers into endpoints."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.faults = Faults()
        self.lock = RLock()
        self.served: list[Served] = []
        self.transports: dict[tuple[str, int], tuple[asyncio.Transport, asyncio.AbstractEventLoop]] = {}
        self.connections = 0

    def counts(self, offer: str | None = None) -> Counter[str]:
        """Count the requests by route; those of one offer if it is named."""
        with self.lock:
            return Counter(
                one.route for one in self.served if offer is None or (one.offer or "").lower() == offer.lower()
            )

    def endpoint(self, route: str | Sort, handler: Handler) -> Endpoint:
        """Make an endpoint of a handler.

        :param route: the route by which its requests are counted and disturbed, or what tells it of each.
        """

        async def serve(request: Request) -> Response:
            body = await request.body()
            named, offer = self._sorted(route, request, body)
            if self.settings.latency:
                await asyncio.sleep(self.settings.latency.total_seconds())
            fault = self.faults.take(named, offer)
            await self._held(named, offer, after=False)
            response = None if fault is None or fault.after else await self._disturb(fault, request)
            if response is None:
                response = self._handle(handler, request, body)
            if fault is not None and (fault.after or fault.kind in ("no-location", "location")):
                response = await self._disturb(fault, request, response) or response
            self._note(named, request, offer, response)
            await self._held(named, offer, after=True)
            return response

        return serve

    def _sorted(self, route: str | Sort, request: Request, body: bytes) -> tuple[str, str | None]:
        if isinstance(route, str):
            return route, request.path_params.get("offer")
        with self.lock:
            return route(request, body)

    def _handle(self, handler: Handler, request: Request, body: bytes) -> Response:
        with self.lock:
            try:
                return handler(request, body)
            except OfferError as refusal:
                return self.error(refusal.status, refusal.code, refusal.message, refusal.details)
            except InvalidTokenError:
                return self.error(401, "Unauthorized", "Authorization has been denied for this request.")
            except SignInError as refusal:
                return answer(refusal.status, refusal.body)

    def error(self, status: int, code: str, message: str, details: list[dict[str, str]] | None = None) -> Response:
        """Write an error of the portal in the form that is set."""
        if self.settings.error_body == "empty":
            return Response(b"", status, portal_headers())
        if self.settings.error_body == "html":
            page = f"<html><body><h1>{status} {code}</h1><p>{message}</p></body></html>"
            return Response(page, status, portal_headers(), media_type="text/html")
        body: dict[str, Any] = {"code": code, "message": message}
        return answer(status, {"error": body | ({"details": details} if details else {})}, portal_headers())

    def _note(self, route: str, request: Request, offer: str | None, response: Response) -> None:
        status = None if isinstance(response, LostResponse) else response.status_code
        one = Served(datetime.now(timezone.utc), route, request.method, request.url.path, offer, status)
        with self.lock:
            self.served.append(one)

    async def _held(self, route: str, offer: str | None, *, after: bool) -> None:
        for gate in self.faults.gates(route, offer, after=after):
            gate.arrive()
            while not gate.is_open:  # noqa: ASYNC110 - it is opened from another thread, or never
                await asyncio.sleep(0.01)

    async def _disturb(self, fault: Fault, request: Request, response: Response | None = None) -> Response | None:
        if fault.kind == "hang":
            await asyncio.sleep(fault.seconds)
        elif fault.kind == "drop":
            client = request.scope["client"]
            transport, _ = self.transports.get((client[0], client[1]), (None, None))
            if transport is not None:
                transport.abort()
            return LostResponse()
        elif fault.kind == "answer":
            body = fault.body.encode() if isinstance(fault.body, str) else fault.body
            return Response(body, fault.status, {**portal_headers(), **fault.headers})
        elif response is not None:
            for name in ("Location", "Operation-Location"):
                if name in response.headers:
                    del response.headers[name]
            if fault.kind == "location":
                response.headers["Location"] = fault.location
        return None


class LostResponse(Response):
    """The answer to a request whose connection was reset: nobody reads it."""

    def __init__(self) -> None:
        super().__init__(b"", 500)


def portal_headers() -> dict[str, str]:
    """Return what the portal puts on every answer: the id of the request, new each time, among it."""
    return {**PORTAL_HEADERS, "X-Ms-Correlation-Request-Id": str(uuid.uuid4())}


def answer(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Response:
    """Write JSON."""
    content = json.dumps(body).encode()
    return Response(content, status, dict(headers or {}), media_type="application/json; charset=utf-8")
