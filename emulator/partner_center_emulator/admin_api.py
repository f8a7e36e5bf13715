# SPDX-License-Identifier: Apache-2.0
"""The emulator's own endpoints: Entra ID's, the person in the portal, faults and counts, the page."""

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
from partner_center_emulator.dispatch import answer
from partner_center_emulator.faults import Fault
from partner_center_emulator.managed_identity import HOSTS, IMDS, ManagedIdentityEndpoint


def identity_routes(portal: CloudPartnerPortalAPI) -> list[Route]:
    """Return Entra ID's routes: discovery, keys and both token endpoints."""
    identity, service = portal.identity, portal.service

    def discovery(version: str) -> Callable[[Request, bytes], Response]:
        return lambda request, _: answer(
            200, identity.configuration(request.path_params["tenant"], portal.base, version)
        )

    def token(*, v1: bool) -> Callable[[Request, bytes], Response]:
        def handle(request: Request, body: bytes) -> Response:
            form = dict(parse_qsl(body.decode("utf-8", "replace")))
            basic = request.headers.get("authorization")
            return answer(200, identity.token(request.path_params["tenant"], form, basic, portal.base, v1=v1))

        return handle

    def instances(_: Request, __: bytes) -> Response:
        host = portal.base.removeprefix("https://")
        own = {"preferred_network": host, "preferred_cache": host, "aliases": [host]}
        endpoint = f"{portal.base}/{identity.tenant_id}/v2.0/.well-known/openid-configuration"
        return answer(200, {"tenant_discovery_endpoint": endpoint, "api-version": "1.1", "metadata": [own]})

    table = [
        ("discovery", "GET", "/common/discovery/instance", instances),
        ("discovery", "GET", "/common/discovery/keys", lambda _, __: answer(200, identity.keys())),
        ("discovery", "GET", "/common/discovery/v2.0/keys", lambda _, __: answer(200, identity.keys())),
        ("discovery", "GET", "/{tenant}/.well-known/openid-configuration", discovery("")),
        ("discovery", "GET", "/{tenant}/v2.0/.well-known/openid-configuration", discovery("/v2.0")),
        ("token", "POST", "/{tenant}/oauth2/token", token(v1=True)),
        ("token", "POST", "/{tenant}/oauth2/v2.0/token", token(v1=False)),
    ]
    return [Route(path, service.endpoint(name, handler), methods=[method]) for name, method, path, handler in table]


def machine_routes(portal: CloudPartnerPortalAPI, machine: ManagedIdentityEndpoint) -> list[Route]:
    """Return the routes of a machine's own addresses, which give its identities tokens."""

    def imds(request: Request, _: bytes) -> Response:
        return answer(200, machine.imds(request.headers, request.query_params, portal.base))

    def host(kind: str) -> Callable[[Request, bytes], Response]:
        return lambda request, _: answer(200, machine.host(kind, request.headers, request.query_params, portal.base))

    table = [(IMDS, imds), *((one.path, host(kind)) for kind, one in HOSTS.items())]
    serve = portal.service.endpoint
    return [Route(path, serve("managed-identity", handler), methods=["GET"]) for path, handler in table]


class AdminAPI:
    """What a person, a demonstration or a test does to the portal from outside the process."""

    def __init__(self, portal: CloudPartnerPortalAPI) -> None:
        self.portal = portal

    def routes(self) -> list[Route]:
        """Return the page's route and those below /emulator."""
        table: list[tuple[str, str, Callable[[Request, bytes], Response]]] = [
            ("GET", "/", self._page),
            ("GET", "/emulator/health", lambda _, __: answer(200, {"status": "serving"})),
            ("GET", "/emulator/counts", self._counts),
            ("GET", "/emulator/offers", self._offers),
            ("POST", "/emulator/offers/{offer}", self._add),
            ("POST", "/emulator/offers/{offer}/{act}", self._act),
            ("POST", "/emulator/faults", self._fault),
            ("POST", "/emulator/revoke-tokens", self._revoke),
            ("POST", "/emulator/rotate-secret", self._rotate),
        ]
        return [Route(path, self._endpoint(handler), methods=[method]) for method, path, handler in table]

    def person(self, offer_id: str, act: str) -> None:
        """Do what a person does in the portal: ``publish``, ``sign-off``, ``cancel``, ``lock`` or ``unlock``.

        A product that is locked since somebody edits it cannot be configured through the Product Ingestion API.

        :raises OfferError: as the portal would.
        """
        portal = self.portal
        with portal.service.lock:
            offer = portal.offers.find(next(iter(portal.publishers)), offer_id)
            if act == "publish":
                portal.order(offer, "publish", lambda: portal.offers.publish(offer), lag=False)
            elif act == "sign-off":
                portal.order(offer, "golive", lambda: portal.offers.go_live(offer), lag=False)
            elif act == "cancel":
                portal.offers.cancel(offer)
            elif act in ("lock", "unlock"):
                offer.locked = act == "lock"
            else:
                msg = f"a person can publish, sign-off, cancel, lock or unlock, not {act}"
                raise ValueError(msg)

    def _endpoint(self, handler: Callable[[Request, bytes], Response]) -> Any:
        async def serve(request: Request) -> Response:
            origin = request.headers.get("origin")
            if origin not in (None, self.portal.base):
                return answer(403, {"error": "another site's page has no business here"})
            try:
                with self.portal.service.lock:
                    return handler(request, await request.body())
            except (ValueError, TypeError) as error:
                return answer(400, {"error": str(error)})

        return serve

    def _page(self, _: Request, __: bytes) -> Response:
        portal = self.portal
        rows = [(offer, portal.views.status(offer)) for offer in portal.offers.all()]
        return Response(render(rows, portal.service.counts()), media_type="text/html; charset=utf-8")

    def _counts(self, _: Request, __: bytes) -> Response:
        return answer(200, dict(self.portal.service.counts()) | {"tokens": self.portal.identity.issued})

    def _offers(self, _: Request, __: bytes) -> Response:
        portal = self.portal
        return answer(200, {offer.offer_id: portal.views.status(offer) for offer in portal.offers.all()})

    def _add(self, request: Request, body: bytes) -> Response:
        wanted = json.loads(body or b"{}")
        publisher, offer_id = next(iter(self.portal.publishers)), request.path_params["offer"]
        self.portal.offers.add(publisher, offer_id, wanted.get("scenario", "succeeds"), wanted.get("history"))
        return answer(201, {"offer": offer_id})

    def _act(self, request: Request, _: bytes) -> Response:
        try:
            self.person(request.path_params["offer"], request.path_params["act"])
        except Exception as refusal:  # noqa: BLE001 - every refusal is shown to whoever asked, whatever its kind
            return answer(getattr(refusal, "status", 400), {"error": str(refusal)})
        if "text/html" in request.headers.get("accept", ""):
            return RedirectResponse("/", 303)
        return answer(200, {"done": request.path_params["act"]})

    def _fault(self, _: Request, body: bytes) -> Response:
        fault = Fault(**json.loads(body))
        self.portal.service.faults.add(fault)
        return answer(201, {"fault": fault.kind, "times": fault.times})

    def _revoke(self, _: Request, __: bytes) -> Response:
        self.portal.identity.revoke_tokens()
        return answer(200, {"done": "revoke-tokens"})

    def _rotate(self, _: Request, __: bytes) -> Response:
        return answer(200, {"client_secret": self.portal.identity.rotate_secret()})
