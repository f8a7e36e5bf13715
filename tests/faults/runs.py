# SPDX-License-Identifier: Apache-2.0
"""One case from its server's start to its verdict: what the client claims, compared with what the server recorded."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException
from faults.cases import SETTLE_TIME, TRIES, Case
from faults.client import EndlessFlowError, FlowInterceptor, make_hook, make_operator
from faults.marketplace import (
    OFFER,
    PUBLISHER,
    Clock,
    CloudPartnerPortal,
    Marketplace,
    ProductIngestion,
    Request,
    Response,
    sign_in,
)
from faults.server import Server
from support.run_tasks import Store, TaskInstance

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.outcome import WaitResult
from airflow_provider_cpp.core.wait import wait
from airflow_provider_cpp.core.wait_spec import WaitSpec

MARKETS: dict[str, type[Marketplace]] = {
    "cloud_partner_portal": CloudPartnerPortal,
    "product_ingestion": ProductIngestion,
}

NOT_SUBMITTED = (
    exceptions.ConfigurationError,
    exceptions.AuthenticationError,
    exceptions.OperationInProgressError,
    exceptions.PreviewNotReadyError,
)
"""Errors that claim by their class that nothing was submitted."""

MAYBE_SUBMITTED = (exceptions.TransportError, exceptions.InvalidResponseError, exceptions.ServerError)
"""Errors of one request that leave this open; all others claim that the request did nothing."""

CLAIM = re.compile(r"nothing was submitted|submitted nothing|cannot go live|was not (accepted|submitted)(?! again)")


@dataclass
class Verdict:
    """The failures of one case; empty if there are none."""

    hang: str = ""
    double: str = ""
    false_refusal: str = ""
    false_success: str = ""
    stray: list[str] = field(default_factory=list)
    ended: str = ""


def claims_not_submitted(error: BaseException | None) -> bool:
    """Return whether an error claims that nothing was submitted."""
    if isinstance(error, NOT_SUBMITTED):
        return True
    if isinstance(error, exceptions.RequestError):
        if not error.request.startswith(("publish", "go live")):
            return False  # the request is a read
        if isinstance(error, exceptions.TransportError):
            return bool(not error.sent)
        return not isinstance(error, MAYBE_SUBMITTED)
    return bool(CLAIM.search(str(error or "")))


class Run:
    """One case: its clock, its server, its client."""

    def __init__(self, case: Case, injected_fault: str = "") -> None:
        self.case, self.injected_fault = case, injected_fault
        self.verdict = Verdict()
        self.clock = Clock()
        self.market = MARKETS[case.api](self.clock, case.kind == "go-live", case.variant.lag)
        self.interceptor: FlowInterceptor | None = None

    def run(self) -> Verdict:
        """Run the case to its end."""
        with self._server() as server:
            interceptor = FlowInterceptor(
                self.case, server, self.market, self.clock, self.injected_fault != "checkpoint-not-saved"
            )
            self.interceptor = interceptor
            try:
                if self.case.kind in ("publish", "go-live"):
                    self._submit(interceptor)
                else:
                    self._read(interceptor)
            except EndlessFlowError:
                self.verdict.hang = "the flow does not end"
            except BaseException as error:  # noqa: BLE001 - any other exception is a failure of the case
                self.verdict.stray.append(f"{type(error).__name__}: {error}")
        return self.verdict

    def cut(self) -> None:
        """End an exchange that does not end by itself, and all that follow."""
        if self.interceptor is not None:
            self.interceptor.server.stop()

    @contextmanager
    def _server(self) -> Iterator[Server]:
        case = self.case
        server = Server(
            self._respond, case.behaviour, self._matches, accepts=case.variant.accepts, times=case.variant.times
        )
        with server:
            self.server = server
            if case.kind == "sign-in":
                server.arm()
            yield server

    def _respond(self, request: Request, accepts: bool) -> Response:  # noqa: FBT001 - the server's interface
        if request.is_sign_in:
            return sign_in(request, self.server.origin)
        return self.market.respond(request, accepts=accepts)

    def _matches(self, request: Request) -> bool:
        if self.case.kind != "sign-in":
            return not request.is_sign_in
        return request.is_sign_in and (request.method == "POST") == (self.case.variant.name == "token")

    def _submit(self, interceptor: FlowInterceptor) -> None:
        """Run the task, and again after its retry delay while it may be retried."""
        case, store = self.case, Store()
        task = make_operator(case, make_hook(interceptor, self.injected_fault), SETTLE_TIME, TRIES - 1)
        began = self.clock.now()
        for number in range(1, TRIES + 1):
            interceptor.effects = 0
            context: Any = {
                "ti": TaskInstance(number, TRIES - 1),
                "dag_run": SimpleNamespace(start_date=began, clear_number=0),
                "task_state_store": store,
            }
            try:
                task.execute(context)
            except AirflowException as error:
                self._check_failure(number, error)
                if isinstance(error, AirflowFailException):
                    break
            else:
                self._check_success(number)
                break
            finally:
                interceptor.server.end_outage()
            self.clock.sleep(case.variant.delay)
        if len(self.market.accepted) > 1:
            self.verdict.double = f"{len(self.market.accepted)} accepted; {self.verdict.ended}"

    def _check_failure(self, number: int, error: AirflowException) -> None:
        cause = error.__cause__
        self.verdict.ended = f"try {number}: {type(cause).__name__}: {error}"
        if not isinstance(cause, exceptions.MarketplaceError):
            self.verdict.stray.append(f"{type(error).__name__} without an error of this package: {error}")
        removed_checkpoint = self.interceptor is not None and self.interceptor.removed_checkpoint
        if self.market.accepted and (removed_checkpoint or claims_not_submitted(cause)):
            self.verdict.false_refusal = f"{'removed its checkpoint; ' * removed_checkpoint}{self.verdict.ended}"

    def _check_success(self, number: int) -> None:
        self.verdict.ended = f"try {number}: success"
        if not self.market.accepted:
            self.verdict.false_success = "success, but nothing was accepted"

    def _read(self, interceptor: FlowInterceptor) -> None:
        """Wait for a publication that succeeds after a while; sign in first if sign-in is what misbehaves."""
        case, hook = self.case, make_hook(interceptor, self.injected_fault)
        submission = self.market.accept("publish")
        offer = OfferRef(PUBLISHER if hook.needs_publisher else None, OFFER)
        deadline = self.clock.now() + timedelta(hours=2)
        operation = None
        if case.variant.name.startswith("the operation"):
            operation = self._operation(offer, submission.number)
        spec = WaitSpec(
            offer,
            "preview",
            deadline,
            operation,
            poll_interval=60.0,
            poll_failure_tolerance=200.0,
            api=hook.api.name,
        )
        flow = wait(hook.api, spec)
        outcome = hook.run(flow) if case.driver == "requests" else asyncio.run(self._arun(hook, flow))
        self.verdict.ended = f"{outcome.result.name}: {outcome.message}"
        if outcome.result is WaitResult.REACHED and not self.market.has_ended(submission):
            self.verdict.false_success = f"{outcome.message}, but it is in progress"

    def _operation(self, offer: OfferRef, number: int) -> Any:
        from airflow_provider_cpp.core.operations import Operation

        if self.case.api == "cloud_partner_portal":
            return Operation(offer, "publish", self.clock.now(), f"op-{number}")
        return Operation(offer, "publish", self.clock.now(), None, f"/configure/job-{number}/status", self.case.api)

    async def _arun(self, hook: Any, flow: Any) -> Any:
        asyncio.get_running_loop().set_exception_handler(self._record_loop_error)
        try:
            return await hook.arun(flow)
        finally:
            for _ in range(100):  # connections that are being closed need the loop
                if not self.server.connections_open:
                    break
                await asyncio.sleep(0.01)

    def _record_loop_error(self, _: Any, args: dict[str, Any]) -> None:
        self.verdict.stray.append(f"event loop: {args.get('message')}: {args.get('exception')!r}")
