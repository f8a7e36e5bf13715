# SPDX-License-Identifier: Apache-2.0
"""The client of a case: the real operators, hooks and drivers, at a clock of the case's own, and faults planted in them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any, ClassVar

import requests
from faults.cases import Case
from faults.marketplace import OFFER, PUBLISHER, TENANT, Clock, Marketplace
from faults.server import Server, authority

from airflow_provider_cpp.core.effects import Flow, GetTime, SaveCheckpoint, SendRequest, Sleep
from airflow_provider_cpp.core.http import Request, Response
from airflow_provider_cpp.exceptions import MarketplaceError, TransportError
from airflow_provider_cpp.hooks.base import MarketplaceHook
from airflow_provider_cpp.hooks.cloud_partner_portal import CloudPartnerPortalHook
from airflow_provider_cpp.hooks.lookup import get_hook
from airflow_provider_cpp.hooks.product_ingestion import ProductIngestionHook
from airflow_provider_cpp.operators.offer import GoLiveOfferOperator, PublishOfferOperator
from airflow_provider_cpp.tasks import runtime
from airflow_provider_cpp.transport.settings import Settings
from airflow_provider_cpp.transport.sync import SyncSession

QUIET = logging.getLogger("faults")
QUIET.addHandler(logging.NullHandler())
QUIET.propagate = False

DATA_WITHIN = 0.3
"""Seconds: the connection's request_timeout and submit_timeout."""

MOST_EFFECTS = 3000
"""What one try may ask of its driver: a flow that asks for more has no end."""


class Endless(BaseException):
    """The flow has no end."""


@dataclass
class Exchanges:
    """What the client of a case asks of its driver, and when: the seam between the flows and the drivers.

    :param keeps: whether checkpoints are kept; False plants the fault that they are not.
    :ivar in_flight_since: when the exchange in flight began, on the monotonic clock; None between exchanges.
    :ivar withdrew: whether the last thing done with the checkpoint was to take it back.
    """

    case: Case
    server: Server
    market: Marketplace
    clock: Clock
    keeps: bool = True
    effects: int = 0
    in_flight_since: float | None = None
    withdrew: bool = False
    method: ClassVar[dict[str, str]] = {"publish": "POST", "go-live": "POST", "poll": "GET"}

    def drive(self, flow: Flow[Any]) -> Flow[Any]:
        """Pass a flow's effects on, but for those that are about time, which the case's clock answers."""
        resume: Callable[[Any], Any] = flow.send
        value: Any = None
        while True:
            self._count()
            try:
                effect = resume(value)
            except StopIteration as stop:
                return stop.value
            resume, value = flow.send, None
            if isinstance(effect, Sleep):
                self.clock.sleep(effect.seconds)
            elif isinstance(effect, GetTime):
                value = self.clock.now()
            elif isinstance(effect, SaveCheckpoint) and not self._notes(effect):
                continue
            else:
                try:
                    value = yield from self._passed(effect)
                except MarketplaceError as error:
                    resume, value = flow.throw, error

    def _count(self) -> None:
        self.effects += 1
        if self.effects > MOST_EFFECTS:
            raise Endless

    def _notes(self, effect: SaveCheckpoint) -> bool:
        self.withdrew = effect.checkpoint is None
        return self.keeps

    def _passed(self, effect: Any) -> Flow[Any]:
        if not isinstance(effect, SendRequest):
            if isinstance(at := getattr(effect, "at", None), datetime):  # the driver keeps to the real time
                effect = replace(effect, at=datetime.now(timezone.utc) + (at - self.clock.now()))
            return (yield effect)
        is_meant = effect.request.method == self.method.get(self.case.kind)
        if is_meant:
            self.server.arm()
        self.in_flight_since = time.monotonic()
        try:
            return (yield effect)
        finally:
            self.in_flight_since = None
            if is_meant:
                self.server.disarm()
                if self.case.variant.outage:
                    self.server.leave()


class EarlyHintsRefuse(SyncSession):
    """Planted: takes the interim response 103 for a refusal."""

    exchanges: Exchanges

    def send(self, call: Request[Any]) -> Response:
        """Send; whatever came of an exchange in which the server sent a 103 is a 400."""
        server, refusal = (
            self.exchanges.server,
            Response(400, b"", {}, self.settings.base_url, datetime.now(timezone.utc)),
        )
        is_early, before = self.exchanges.case.behaviour.name.startswith("103"), server.misbehaved
        try:
            reply = super().send(call)
        except MarketplaceError:
            if is_early and server.misbehaved > before:
                return refusal
            raise
        return refusal if is_early and server.misbehaved > before else reply


class NoDeadline(SyncSession):
    """Planted: an exchange in which only the wait for the next byte has an end."""

    def send(self, call: Request[Any]) -> Response:
        """Send as requests does by itself."""
        settings = self.settings
        try:
            with requests.Session() as session:
                session.trust_env = False
                got = session.request(
                    call.method,
                    settings.base_url + call.url_path(settings.api_version),
                    data=call.body,
                    headers={"Authorization": f"Bearer {self._tokens.token().value}"},
                    timeout=10 * DATA_WITHIN,  # on a slow machine too, the next byte comes within it
                    verify=settings.verify,
                    allow_redirects=False,
                )
        except requests.RequestException as error:
            raise TransportError(call.description, text=type(error).__name__) from None
        names = {name.lower(): value for name, value in got.headers.items()}
        return Response(got.status_code, got.content, names, settings.base_url, datetime.now(timezone.utc))


PLANTS: dict[str, type[SyncSession]] = {
    "103-is-a-refusal": EarlyHintsRefuse,
    "no-header-deadline": NoDeadline,
    "checkpoint-not-saved": SyncSession,
}


class _Hook:
    """What the hooks of a case have in common: the connection is a value, and effects pass the case's exchanges."""

    exchanges: Exchanges
    settings: Settings
    session: type[SyncSession] = SyncSession
    api: Any

    def get_settings(self) -> Settings:
        return self.settings

    async def aget_settings(self) -> Settings:
        return self.settings

    def get_conn(self, keep: Any = None) -> SyncSession:
        session = self.session(self.settings, QUIET, keep=keep, reread=self.get_settings)
        session.exchanges = self.exchanges  # type: ignore[attr-defined]  # what a planted fault looks at
        run = session.run
        session.run = lambda flow: run(self.exchanges.drive(flow))  # type: ignore[method-assign,assignment]  # as it is
        return session

    def arun(self, flow: Flow[Any], *more: Any) -> Any:
        return super().arun(self.exchanges.drive(flow), *more)  # type: ignore[misc]  # as above

    def log_line(self, text: str, level: int) -> None:
        """Log nothing."""


class CppHook(_Hook, CloudPartnerPortalHook):
    """The hook of a case on the CPP API."""


class IngestionHook(_Hook, ProductIngestionHook):
    """The hook of a case on the Product Ingestion API."""


HOOKS: dict[str, type[MarketplaceHook]] = {"cloud_partner_portal": CppHook, "product_ingestion": IngestionHook}


MADE: dict[str, MarketplaceHook] = {}
"""The hooks of cases, by the name of their connection, which is where their server is."""


def _get_hook(conn_id: str) -> MarketplaceHook:
    return MADE.get(conn_id) or get_hook(conn_id)


runtime.get_hook = _get_hook  # the connections of cases are in no Airflow


def make_hook(exchanges: Exchanges, plant: str) -> MarketplaceHook:
    """Make the hook of a case, with a fault planted or none."""
    case, origin = exchanges.case, exchanges.server.origin
    kind = HOOKS[case.api]
    extra = {
        "publisher_id": PUBLISHER,
        "verify": authority()[1],
        "request_timeout": DATA_WITHIN,
        "submit_timeout": DATA_WITHIN,
        "auth": "access_token",
    }
    login = None
    if case.kind == "sign-in" or case.behaviour.signs_in:
        extra |= {"auth": "client_secret", "tenant_id": TENANT, "authority": origin}
        login = "22222222-2222-4333-8444-555555555555"
    hook: Any = kind(conn_id=origin)
    hook.exchanges = exchanges
    hook.settings = Settings.from_fields(kind.api.endpoint, host=origin, login=login, password="a-secret", extra=extra)
    hook.session = PLANTS.get(plant, SyncSession)
    made: MarketplaceHook = hook
    MADE[origin] = made
    return made


def make_operator(
    case: Case, hook: MarketplaceHook, settle_time: float, retries: int
) -> PublishOfferOperator | GoLiveOfferOperator:
    """Make the task of a case."""
    common: dict[str, Any] = {"task_id": "submit", "offer_id": OFFER, "settle_time": settle_time, "retries": retries}
    common["conn_id"] = hook.conn_id
    common |= {"deferrable": False, "timeout": 3600.0, "poll_failure_tolerance": 600.0}
    if case.kind == "publish":
        return PublishOfferOperator(if_running=case.variant.if_running, **common)
    return GoLiveOfferOperator(**common)
