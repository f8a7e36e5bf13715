# SPDX-License-Identifier: Apache-2.0
"""The client of a case: the real operators, hooks and drivers with the case's own clock, and injected faults."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any, ClassVar, cast

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

READ_TIMEOUT = 0.3
"""Seconds: the connection's request_timeout and submit_timeout."""

MAX_EFFECTS = 3000
"""The maximum of effects of one try: a flow with more does not end."""


class EndlessFlowError(BaseException):
    """The flow does not end."""


@dataclass
class FlowInterceptor:
    """Observes and changes the effects between the flows and the drivers of a case.

    :param saves_checkpoints: False injects the fault that checkpoints are not saved.
    :ivar in_flight_since: when the exchange in flight began, on the monotonic clock; None between exchanges.
    :ivar removed_checkpoint: whether the last change of the checkpoint removed it.
    """

    case: Case
    server: Server
    market: Marketplace
    clock: Clock
    saves_checkpoints: bool = True
    effects: int = 0
    in_flight_since: float | None = None
    removed_checkpoint: bool = False
    method: ClassVar[dict[str, str]] = {"publish": "POST", "go-live": "POST", "poll": "GET"}

    def drive(self, flow: Flow[Any]) -> Flow[Any]:
        """Forward a flow's effects, except those about time, which use the case's clock."""
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
            elif isinstance(effect, SaveCheckpoint) and not self._saves_checkpoint(effect):
                continue
            else:
                try:
                    value = yield from self._forward(effect)
                except MarketplaceError as error:
                    resume, value = flow.throw, error

    def _count(self) -> None:
        self.effects += 1
        if self.effects > MAX_EFFECTS:
            raise EndlessFlowError

    def _saves_checkpoint(self, effect: SaveCheckpoint) -> bool:
        self.removed_checkpoint = effect.checkpoint is None
        return self.saves_checkpoints

    def _forward(self, effect: Any) -> Flow[Any]:
        if not isinstance(effect, SendRequest):
            if isinstance(at := getattr(effect, "at", None), datetime):  # the driver uses the real time
                effect = replace(effect, at=datetime.now(timezone.utc) + (at - self.clock.now()))
            return (yield effect)
        is_affected = effect.request.method == self.method.get(self.case.kind)
        if is_affected:
            self.server.arm()
        self.in_flight_since = time.monotonic()
        try:
            return (yield effect)
        finally:
            self.in_flight_since = None
            if is_affected:
                self.server.disarm()
                if self.case.variant.outage:
                    self.server.begin_outage()


class EarlyHintsAsRefusal(SyncSession):
    """Injected fault: takes the interim response 103 for a refusal."""

    interceptor: FlowInterceptor

    def send(self, request: Request[Any]) -> Response:
        """Send a request; the result is a 400 if the server sent a 103."""
        server, refusal = (
            self.interceptor.server,
            Response(400, b"", {}, self.settings.base_url, datetime.now(timezone.utc)),
        )
        is_early, before = self.interceptor.case.behaviour.name.startswith("103"), server.misbehaved
        try:
            response = super().send(request)
        except MarketplaceError:
            if is_early and server.misbehaved > before:
                return refusal
            raise
        return refusal if is_early and server.misbehaved > before else response


class NoDeadline(SyncSession):
    """Injected fault: only the wait for the next byte has a timeout."""

    def send(self, request: Request[Any]) -> Response:
        """Send a request as requests does by default."""
        settings = self.settings
        try:
            with requests.Session() as session:
                session.trust_env = False
                response = session.request(
                    request.method,
                    settings.base_url + request.url_path(settings.api_version),
                    data=request.body,
                    headers={"Authorization": f"Bearer {self._tokens.token().value}"},
                    timeout=10 * READ_TIMEOUT,  # long enough for the next byte on a slow machine
                    verify=settings.verify,
                    allow_redirects=False,
                )
        except requests.RequestException as error:
            raise TransportError(request.description, text=type(error).__name__) from None
        names = {name.lower(): value for name, value in response.headers.items()}
        return Response(response.status_code, response.content, names, settings.base_url, datetime.now(timezone.utc))


SESSIONS_WITH_FAULT: dict[str, type[SyncSession]] = {
    "103-is-a-refusal": EarlyHintsAsRefusal,
    "no-header-deadline": NoDeadline,
    "checkpoint-not-saved": SyncSession,
}


class _Hook:
    """The common part of the hooks of a case: fixed settings, and effects that pass the interceptor."""

    interceptor: FlowInterceptor
    settings: Settings
    session: type[SyncSession] = SyncSession
    api: Any

    def get_settings(self) -> Settings:
        return self.settings

    async def aget_settings(self) -> Settings:
        return self.settings

    def get_conn(self, save_checkpoint: Any = None) -> SyncSession:
        session = self.session(self.settings, self.log_line, save_checkpoint=save_checkpoint, reload=self.get_settings)
        session.interceptor = self.interceptor  # type: ignore[attr-defined]  # read by injected faults
        run = session.run
        session.run = lambda flow: run(self.interceptor.drive(flow))  # type: ignore[method-assign,assignment]  # forwards the flow
        return session

    def arun(self, flow: Flow[Any], *more: Any) -> Any:
        return super().arun(self.interceptor.drive(flow), *more)  # type: ignore[misc]  # as above

    def log_line(self, text: str, level: int) -> None:
        """Log nothing."""


class CloudPartnerPortalCaseHook(_Hook, CloudPartnerPortalHook):
    """The hook of a case for the CPP API."""


class ProductIngestionCaseHook(_Hook, ProductIngestionHook):
    """The hook of a case for the Product Ingestion API."""


HOOKS: dict[str, type[MarketplaceHook]] = {
    "cloud_partner_portal": CloudPartnerPortalCaseHook,
    "product_ingestion": ProductIngestionCaseHook,
}


HOOKS_BY_CONNECTION: dict[str, MarketplaceHook] = {}
"""The hooks of cases by connection id, which is the origin of their server."""


def _get_hook(conn_id: str) -> MarketplaceHook:
    return HOOKS_BY_CONNECTION.get(conn_id) or get_hook(conn_id)


runtime.get_hook = _get_hook  # Airflow does not know the connections of cases


def make_hook(interceptor: FlowInterceptor, injected_fault: str) -> MarketplaceHook:
    """Return the hook of a case, with an injected fault or without."""
    case, origin = interceptor.case, interceptor.server.origin
    extra = {
        "publisher_id": PUBLISHER,
        "verify": authority()[1],
        "request_timeout": READ_TIMEOUT,
        "submit_timeout": READ_TIMEOUT,
        "auth": "access_token",
    }
    login = None
    if case.kind == "sign-in" or case.behaviour.needs_sign_in:
        extra |= {"auth": "client_secret", "tenant_id": TENANT, "authority": origin}
        login = "22222222-2222-4333-8444-555555555555"
    hook: Any = HOOKS[case.api](conn_id=origin)
    hook.interceptor = interceptor
    hook.settings = Settings.from_fields(hook.api.endpoint, host=origin, login=login, password="a-secret", extra=extra)
    hook.session = SESSIONS_WITH_FAULT.get(injected_fault, SyncSession)
    HOOKS_BY_CONNECTION[origin] = hook
    return cast("MarketplaceHook", hook)


def make_operator(
    case: Case, hook: MarketplaceHook, settle_time: float, retries: int
) -> PublishOfferOperator | GoLiveOfferOperator:
    """Return the task of a case."""
    arguments: dict[str, Any] = {"task_id": "submit", "offer_id": OFFER, "settle_time": settle_time, "retries": retries}
    arguments["conn_id"] = hook.conn_id
    arguments |= {"deferrable": False, "timeout": 3600.0, "poll_failure_tolerance": 600.0}
    if case.kind == "publish":
        return PublishOfferOperator(if_running=case.variant.if_running, **arguments)
    return GoLiveOfferOperator(**arguments)
