# SPDX-License-Identifier: Apache-2.0
"""A second host, which gets nothing: no request, no connection, and so no token."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import select
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from airflow.providers.common.compat.sdk import AirflowFailException
from partner_center_emulator import Emulator, Fault, ManualClock, Settings

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.cloud_partner_portal import endpoints
from airflow_provider_cpp.apis.cloud_partner_portal.publish import publish
from airflow_provider_cpp.core import effects
from airflow_provider_cpp.core.checkpoint import TryContext
from airflow_provider_cpp.core.http import Request
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.core.params import PublishParams
from airflow_provider_cpp.core.wait_spec import WaitSpec
from airflow_provider_cpp.hooks.cloud_partner_portal import CloudPartnerPortalHook
from airflow_provider_cpp.hooks.lookup import get_hook
from airflow_provider_cpp.sensors.offer_status import OfferStatusSensor
from airflow_provider_cpp.triggers.offer_status import OfferStatusTrigger

OFFER = "contoso-vm"
PATH = f"/api/publishers/contoso/offers/{OFFER}/operations/1?api-version=2017-10-31"
HEADERS = ("Location", "Operation-Location")
REDIRECTS = (301, 302, 303, 307, 308)


class Trap:
    """Stands before an emulator and counts who connects, whatever they say then.

    :ivar connections: how many came.
    """

    def __init__(self, behind: Emulator) -> None:
        self.behind = behind
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let nobody in any more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._listener.close()

    def assert_untouched(self) -> None:
        """Fail if anybody came."""
        assert (self.connections, self.behind.requests) == (0, [])

    def addresses(self, portal: Emulator) -> list[str]:
        """Return how an answer may name it: another port, host or scheme, and disguised as the portal."""
        return [
            f"https://127.0.0.1:{self.port}",
            f"https://localhost:{self.port}",
            f"http://127.0.0.1:{self.port}",
            f"//localhost:{self.port}",
            f"{portal.url}@localhost:{self.port}",
            f"\\\\localhost:{self.port}",
        ]

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._relay, args=(near,), daemon=True).start()

    def _relay(self, near: socket.socket) -> None:
        address = ("127.0.0.1", int(self.behind.url.rpartition(":")[2]))
        with contextlib.suppress(OSError), near, socket.create_connection(address) as far:
            other = {near: far, far: near}
            while all(self._pass_on(one, other[one]) for one in select.select(list(other), [], [])[0]):
                pass

    def _pass_on(self, one: socket.socket, other: socket.socket) -> bool:
        data = one.recv(65536)
        other.sendall(data)
        return bool(data)


@pytest.fixture
def trap() -> Iterator[Trap]:
    """Serve the second host: an emulator with an authority of its own, behind a trap."""
    with Emulator(Settings(), ManualClock()) as behind, contextlib.closing(Trap(behind)) as trap:
        yield trap


@pytest.fixture
def portal(serve: Callable[..., Emulator], connect: Callable[..., None], trap: Trap, tmp_path: Path) -> Emulator:
    """Serve the portal; its connection trusts the second host's authority too, so that TLS does not keep it safe."""
    emulator = serve()
    emulator.add_offer(OFFER)
    bundle = tmp_path / "both.pem"
    bundle.write_text(emulator.ca_file.read_text() + trap.behind.ca_file.read_text())
    connect(emulator, extra={"verify": str(bundle)})
    return emulator


@pytest.fixture
def harmless(portal: Emulator, builders: list[Any], connect: Callable[..., None], tmp_path: Path) -> Request[Any]:
    """Connect to the API that the builders are for, and return a call of it that can be answered."""
    found = next(one for one in builders if one.name in ("list_publishers", "list_products"))
    conn_type = "product_ingestion" if found.name == "list_products" else "cloud_partner_portal"
    connect(portal, conn_type=conn_type, extra={"verify": str(tmp_path / "both.pem")})
    call: Request[Any] = found.calls[0]
    return call


def run_sync(flow: effects.Flow[Any]) -> Any:
    return get_hook("cloud_partner_portal_default").run(flow)


def run_async(flow: effects.Flow[Any]) -> Any:
    return asyncio.run(get_hook("cloud_partner_portal_default").arun(flow))


@pytest.fixture(params=[run_sync, run_async], ids=["requests", "aiohttp"])
def run(request: pytest.FixtureRequest) -> Callable[[effects.Flow[Any]], Any]:
    """Return what runs a flow, over either wire."""
    found: Callable[[effects.Flow[Any]], Any] = request.param
    return found


def run_trigger(watch: dict[str, Any]) -> dict[str, Any]:
    """Drive a trigger to its event, as a triggerer does."""

    async def first_event() -> Any:
        return await anext(OfferStatusTrigger("cloud_partner_portal_default", watch).run())

    return asyncio.run(first_event()).payload


def a_watch(operation: Operation | None = None) -> dict[str, Any]:
    deadline = datetime.now(timezone.utc) + timedelta(minutes=5)
    api = CloudPartnerPortalHook.conn_type
    return WaitSpec(
        OfferRef("contoso", OFFER), "live", deadline, operation, poll_failure_tolerance=0, api=api
    ).to_payload()


def test_the_trap_catches(trap: Trap, portal: Emulator) -> None:
    """Whoever does go to the second host is counted, and served: otherwise the other tests would mean nothing."""
    bundle = CloudPartnerPortalHook().get_settings().verify
    answers = [
        requests.get(f"https://{host}:{trap.port}/api/publishers?api-version=2017-10-31", verify=bundle, timeout=10)
        for host in ("127.0.0.1", "localhost")
    ]
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{trap.port}/", timeout=10)
    assert [answer.status_code for answer in answers] == [401, 401]
    assert (trap.connections, len(trap.behind.requests), portal.requests) == (3, 2, [])


def test_no_redirect_of_any_call_is_followed(
    trap: Trap, portal: Emulator, builders: list[Any], harmless: Request[Any], run: Callable[..., Any]
) -> None:
    """Each call there is, redirected to the second host by any of its names, is an error after that one answer."""
    every = [call for builder in builders for call in builder.calls]

    def send_all() -> effects.Flow[list[str]]:
        yield from effects.send(harmless)
        said = []
        for address, status, call in itertools.product(trap.addresses(portal), REDIRECTS, every):
            portal.inject(Fault("answer", status=status, headers={"Location": address + PATH}))
            try:
                yield from effects.send(call)
            except exceptions.InvalidResponseError as error:
                said.append(error.text)
        return said

    assert set(run(send_all())) == {"a redirect, which is not followed with a token in hand"}
    reached = [one for one in portal.requests if one.status in REDIRECTS]
    assert len(reached) == len(trap.addresses(portal)) * len(REDIRECTS) * len(every)
    trap.assert_untouched()


@pytest.mark.parametrize("route", ["token", "discovery"])
def test_no_redirect_of_a_sign_in_is_followed(
    trap: Trap, portal: Emulator, run: Callable[..., Any], route: str
) -> None:
    """A sign-in that is redirected fails, and the second host never sees the secret."""
    for address, status in itertools.product(trap.addresses(portal)[:3], REDIRECTS):
        location = f"{address}/{portal.tenant_id}/oauth2/v2.0/token"
        portal.inject(Fault("answer", route, status=status, headers={"Location": location}))
        with pytest.raises(exceptions.AuthenticationError) as caught:
            run(effects.send(endpoints.get_offer_status(OfferRef("contoso", OFFER))))
        assert portal.client_secret not in str(caught.value)
    assert portal.counts["status"] == 0
    trap.assert_untouched()


@pytest.mark.parametrize("wire", ["requests", "aiohttp", "trigger"])
def test_no_redirect_is_followed_by_what_people_call(trap: Trap, portal: Emulator, wire: str) -> None:
    """The hook's reads, blocking and not, and the trigger end with an error that says that there was a redirect."""
    headers = {"Location": trap.addresses(portal)[0] + PATH, "Retry-After": "0"}
    portal.inject(Fault("answer", "status", times=9, status=307, headers=headers))
    if wire == "trigger":
        event = run_trigger(a_watch())
        assert (event["result"], "a redirect, which is not followed" in event["message"]) == ("error", True)
    else:
        hook = CloudPartnerPortalHook()
        with pytest.raises(exceptions.InvalidResponseError, match="a redirect, which is not followed"):
            hook.get_offer_status(OFFER) if wire == "requests" else asyncio.run(hook.aget_offer_status(OFFER))
    trap.assert_untouched()


def test_no_order_hands_on_a_location_elsewhere(
    trap: Trap, portal: Emulator, builders: list[Any], harmless: Request[Any], run: Callable[..., Any]
) -> None:
    """Whatever an order's answer names on the second host, nothing of it is left in what the order returns."""
    orders = [call for builder in builders for call in builder.calls if call.method != "GET"]

    def send_all() -> effects.Flow[list[Any]]:
        yield from effects.send(harmless)
        results = []
        for address, header, call in itertools.product(trap.addresses(portal), HEADERS, orders):
            headers = {"Content-Location": address, header: address + PATH}
            portal.inject(Fault("answer", status=202, headers=headers, body=b"{}"))
            try:
                results.append((yield from effects.send(call)))
            except exceptions.InvalidResponseError as error:
                results.append(str(error))
        return results

    results = run(send_all())
    assert (len(results) >= len(HEADERS), [one for one in results if str(trap.port) in repr(one)]) == (True, [])
    trap.assert_untouched()


@pytest.mark.parametrize("header", HEADERS)
def test_a_location_elsewhere_is_as_good_as_none(
    trap: Trap, portal: Emulator, run: Callable[..., Any], header: str
) -> None:
    """A publish whose answer names the second host is found in the offer's list, and watched on the portal alone."""
    for number, address in enumerate(trap.addresses(portal)):
        offer = f"{OFFER}-{number}"
        portal.add_offer(offer)
        portal.inject(Fault("answer", "publish", after=True, status=202, headers={header: address + PATH}))
        operation = run_sync(publish(PublishParams(OfferRef("contoso", offer), (), TryContext(60))))
        assert (operation.location, operation.operation_id) == (None, portal.operations(offer)[0]["id"])
        assert run(effects.send(endpoints.get_operation(operation))).raw_status == "running"
    trap.assert_untouched()


def test_a_changed_location_is_as_good_as_none(trap: Trap, portal: Emulator) -> None:
    """The hook's publish, its 202 pointing elsewhere, returns an operation that its own read and the trigger find here."""
    portal.inject(Fault("location", "publish", location=trap.addresses(portal)[1] + PATH))
    hook = CloudPartnerPortalHook()
    operation = hook.publish_offer(OFFER)
    assert (operation.location, hook.get_operation(operation.to_json()).raw_status) == (None, "running")
    person = a_watch(operation) | {"deadline": datetime.now(timezone.utc).isoformat()}
    assert run_trigger(person)["result"] == "timed_out"
    assert portal.counts["operation"] == 2
    trap.assert_untouched()


def test_an_operation_elsewhere_is_refused(trap: Trap, portal: Emulator) -> None:
    """An operation whose location names the second host is refused by hook, sensor and trigger before anything is sent."""
    good = Operation(OfferRef("contoso", OFFER), "publish", datetime.now(timezone.utc), "1", PATH).to_json()
    context: Any = {"ti": SimpleNamespace(try_number=1), "dag_run": None}
    for location in [
        *(address + PATH for address in trap.addresses(portal)),
        f"@localhost:{trap.port}{PATH}",
        ":1/api/",
    ]:
        operation = good | {"location": location}
        with pytest.raises(exceptions.ConfigurationError, match="its location is not a path of the portal's API"):
            CloudPartnerPortalHook().get_operation(operation)
        for options in ({"deferrable": True}, {"deferrable": False, "mode": "poke"}):
            sensor = OfferStatusSensor(task_id="wait", operation=operation, **options)
            with pytest.raises(AirflowFailException, match="its location is not a path of the portal's API"):
                sensor.execute(context)
        watch = a_watch(Operation.from_json(good)) | {"operation": operation}
        assert run_trigger(watch)["result"] == "error"
    assert portal.requests == []
    trap.assert_untouched()
