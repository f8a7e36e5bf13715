# SPDX-License-Identifier: Apache-2.0
"""Endpoints other than those of the two APIs: Entra ID, managed identities, the admin API, and the dashboard."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from partner_center_emulator.cloud_partner_portal import CloudPartnerPortalAPI
from partner_center_emulator.dashboard import render
from partner_center_emulator.dispatch import json_response
from partner_center_emulator.faults import Fault
from partner_center_emulator.managed_identity import HOSTS, IMDS, ManagedIdentityEndpoint


def identity_routes(cpp_api: CloudPartnerPortalAPI) -> list[Route]:
    """Return the routes of Entra ID: discovery, keys and both versions of the token endpoint."""
    identity, dispatcher = cpp_api.identity, cpp_api.dispatcher

    def discovery(version: str) -> Callable[[Request, bytes], Response]:
        return lambda request, _: json_response(
            200, identity.configuration(request.path_params["tenant"], cpp_api.base, version)
        )

    def token(*, v1: bool) -> Callable[[Request, bytes], Response]:
        def handle(request: Request, body: bytes) -> Response:
            form = dict(parse_qsl(body.decode("utf-8", "replace")))
            basic = request.headers.get("authorization")
            return json_response(200, identity.token(request.path_params["tenant"], form, basic, cpp_api.base, v1=v1))

        return handle

    def instances(_: Request, __: bytes) -> Response:
        host = cpp_api.base.removeprefix("https://")
        own = {"preferred_network": host, "preferred_cache": host, "aliases": [host]}
        endpoint = f"{cpp_api.base}/{identity.tenant_id}/v2.0/.well-known/openid-configuration"
        return json_response(200, {"tenant_discovery_endpoint": endpoint, "api-version": "1.1", "metadata": [own]})

    table = [
        ("discovery", "GET", "/common/discovery/instance", instances),
        ("discovery", "GET", "/common/discovery/keys", lambda _, __: json_response(200, identity.keys())),
        ("discovery", "GET", "/common/discovery/v2.0/keys", lambda _, __: json_response(200, identity.keys())),
        ("discovery", "GET", "/{tenant}/.well-known/openid-configuration", discovery("")),
        ("discovery", "GET", "/{tenant}/v2.0/.well-known/openid-configuration", discovery("/v2.0")),
        ("token", "POST", "/{tenant}/oauth2/token", token(v1=True)),
        ("token", "POST", "/{tenant}/oauth2/v2.0/token", token(v1=False)),
    ]
    return [Route(path, dispatcher.endpoint(name, handler), methods=[method]) for name, method, path, handler in table]


def managed_identity_routes(cpp_api: CloudPartnerPortalAPI, managed_identity: ManagedIdentityEndpoint) -> list[Route]:
    """Return the routes that issue tokens to managed identities."""

    def imds(request: Request, _: bytes) -> Response:
        return json_response(200, managed_identity.imds(request.headers, request.query_params, cpp_api.base))

    def host(name: str) -> Callable[[Request, bytes], Response]:
        return lambda request, _: json_response(
            200, managed_identity.host(name, request.headers, request.query_params, cpp_api.base)
        )

    table = [(IMDS, imds), *((one.path, host(name)) for name, one in HOSTS.items())]
    serve = cpp_api.dispatcher.endpoint
    return [Route(path, serve("managed-identity", handler), methods=["GET"]) for path, handler in table]


class AdminAPI:
    """The API with which people and tests control the emulator from other processes."""

    def __init__(self, cpp_api: CloudPartnerPortalAPI) -> None:
        self.cpp_api = cpp_api

    def routes(self) -> list[Route]:
        """Return the routes of the dashboard and of the paths below /emulator."""
        table: list[tuple[str, str, Callable[[Request, bytes], Response]]] = [
            ("GET", "/", self._dashboard),
            ("GET", "/emulator/health", lambda _, __: json_response(200, {"status": "serving"})),
            ("GET", "/emulator/counts", self._counts),
            ("GET", "/emulator/offers", self._offers),
            ("POST", "/emulator/offers/{offer}", self._add),
            ("POST", "/emulator/offers/{offer}/{action}", self._act),
            ("POST", "/emulator/faults", self._fault),
            ("POST", "/emulator/revoke-tokens", self._revoke),
            ("POST", "/emulator/rotate-secret", self._rotate),
        ]
        return [Route(path, self._endpoint(handler), methods=[method]) for method, path, handler in table]

    def person(self, offer_id: str, action: str) -> None:
        """Perform an action of a person in Partner Center: ``publish``, ``sign-off``, ``cancel``, ``lock`` or ``unlock``.

        The Product Ingestion API cannot configure a locked product, which somebody is editing.

        :raises OfferError: if the CPP API would reject the action.
        """
        cpp_api = self.cpp_api
        with cpp_api.dispatcher.lock:
            offer = cpp_api.offers.find(next(iter(cpp_api.publishers)), offer_id)
            if action == "publish":
                cpp_api.submit(offer, "publish", lambda: cpp_api.offers.publish(offer), lag=False)
            elif action == "sign-off":
                cpp_api.submit(offer, "golive", lambda: cpp_api.offers.go_live(offer), lag=False)
            elif action == "cancel":
                cpp_api.offers.cancel(offer)
            elif action in ("lock", "unlock"):
                offer.locked = action == "lock"
            else:
                msg = f"action is {action!r}, not one of publish, sign-off, cancel, lock, unlock"
                raise ValueError(msg)

    def _endpoint(self, handler: Callable[[Request, bytes], Response]) -> Any:
        async def serve(request: Request) -> Response:
            origin = request.headers.get("origin")
            if origin not in (None, self.cpp_api.base, self.cpp_api.pages):
                return json_response(403, {"error": "requests from pages of other sites are not allowed"})
            try:
                with self.cpp_api.dispatcher.lock:
                    return handler(request, await request.body())
            except (ValueError, TypeError) as error:
                return json_response(400, {"error": str(error)})

        return serve

    def _dashboard(self, _: Request, __: bytes) -> Response:
        cpp_api = self.cpp_api
        rows = [(offer, cpp_api.serializers.status(offer)) for offer in cpp_api.offers.all()]
        return Response(render(rows, cpp_api.dispatcher.counts()), media_type="text/html; charset=utf-8")

    def _counts(self, _: Request, __: bytes) -> Response:
        return json_response(200, dict(self.cpp_api.dispatcher.counts()) | {"tokens": self.cpp_api.identity.issued})

    def _offers(self, _: Request, __: bytes) -> Response:
        cpp_api = self.cpp_api
        return json_response(200, {offer.offer_id: cpp_api.serializers.status(offer) for offer in cpp_api.offers.all()})

    def _add(self, request: Request, body: bytes) -> Response:
        params = json.loads(body or b"{}")
        publisher, offer_id = next(iter(self.cpp_api.publishers)), request.path_params["offer"]
        self.cpp_api.offers.add(publisher, offer_id, params.get("scenario", "succeeds"), params.get("history"))
        return json_response(201, {"offer": offer_id})

    def _act(self, request: Request, _: bytes) -> Response:
        try:
            self.person(request.path_params["offer"], request.path_params["action"])
        except Exception as error:  # noqa: BLE001 - the client gets every error in the response
            return json_response(getattr(error, "status", 400), {"error": str(error)})
        if "text/html" in request.headers.get("accept", ""):
            return RedirectResponse("/", 303)
        return json_response(200, {"done": request.path_params["action"]})

    def _fault(self, _: Request, body: bytes) -> Response:
        fault = Fault(**json.loads(body))
        self.cpp_api.dispatcher.faults.add(fault)
        return json_response(201, {"fault": fault.kind, "times": fault.times})

    def _revoke(self, _: Request, __: bytes) -> Response:
        self.cpp_api.identity.revoke_tokens()
        return json_response(200, {"done": "revoke-tokens"})

    def _rotate(self, _: Request, __: bytes) -> Response:
        return json_response(200, {"client_secret": self.cpp_api.identity.rotate_secret()})
