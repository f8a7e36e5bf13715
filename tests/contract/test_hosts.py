# SPDX-License-Identifier: Apache-2.0
"""A second host receives nothing: no request, no connection, and so no token."""

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
    """A relay in front of an emulator that counts connections.

    :ivar connections: the number of connections.
    """

    def __init__(self, target: Emulator) -> None:
        self.target = target
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._listener.close()

    def assert_untouched(self) -> None:
        """Fail if there was a connection."""
        assert self.connections == 0
        assert self.target.requests == []

    def addresses(self, emulator: Emulator) -> list[str]:
        """Return URLs that a response may have for it: another port, host or scheme, and disguised as the emulator."""
        return [
            f"https://127.0.0.1:{self.port}",
            f"https://localhost:{self.port}",
            f"http://127.0.0.1:{self.port}",
            f"//localhost:{self.port}",
            f"{emulator.url}@localhost:{self.port}",
            f"\\\\localhost:{self.port}",
        ]

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client_socket, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._relay, args=(client_socket,), daemon=True).start()

    def _relay(self, client_socket: socket.socket) -> None:
        address = ("127.0.0.1", int(self.target.url.rpartition(":")[2]))
        with contextlib.suppress(OSError), client_socket, socket.create_connection(address) as server_socket:
            peers = {client_socket: server_socket, server_socket: client_socket}
            while all(self._pass_on(sock, peers[sock]) for sock in select.select(list(peers), [], [])[0]):
                pass

    def _pass_on(self, sock: socket.socket, peer: socket.socket) -> bool:
        data = sock.recv(65536)
        peer.sendall(data)
        return bool(data)


@pytest.fixture
def trap() -> Iterator[Trap]:
    """Serve the second host: an emulator with its own certificate authority, behind a trap."""
    with Emulator(Settings(), ManualClock()) as target, contextlib.closing(Trap(target)) as trap:
        yield trap


@pytest.fixture
def emulator(serve: Callable[..., Emulator], connect: Callable[..., None], trap: Trap, tmp_path: Path) -> Emulator:
    """Serve an emulator; its connection also trusts the second host's authority, so that TLS does not protect it."""
    emulator = serve()
    emulator.add_offer(OFFER)
    bundle = tmp_path / "both.pem"
    bundle.write_text(emulator.ca_file.read_text() + trap.target.ca_file.read_text())
    connect(emulator, extra={"verify": str(bundle)})
    return emulator


@pytest.fixture
def simple_request(
    emulator: Emulator, builders: list[Any], connect: Callable[..., None], tmp_path: Path
) -> Request[Any]:
    """Connect to the builders' API, and return a request of it that succeeds."""
    builder = next(builder for builder in builders if builder.name in ("list_publishers", "list_products"))
    conn_type = "product_ingestion" if builder.name == "list_products" else "cloud_partner_portal"
    connect(emulator, conn_type=conn_type, extra={"verify": str(tmp_path / "both.pem")})
    return builder.requests[0]


def run_sync(flow: effects.Flow[Any]) -> Any:
    return get_hook("cloud_partner_portal_default").run(flow)


def run_async(flow: effects.Flow[Any]) -> Any:
    return asyncio.run(get_hook("cloud_partner_portal_default").arun(flow))


@pytest.fixture(params=[run_sync, run_async], ids=["requests", "aiohttp"])
def run(request: pytest.FixtureRequest) -> Callable[[effects.Flow[Any]], Any]:
    """Return a function that runs a flow with either client."""
    return request.param


def run_trigger(wait_spec: dict[str, Any]) -> dict[str, Any]:
    """Run a trigger to its event, as a triggerer does."""

    async def first_event() -> Any:
        return await anext(OfferStatusTrigger("cloud_partner_portal_default", wait_spec).run())

    return asyncio.run(first_event()).payload


def wait_spec_payload(operation: Operation | None = None) -> dict[str, Any]:
    deadline = datetime.now(timezone.utc) + timedelta(minutes=5)
    api = CloudPartnerPortalHook.conn_type
    return WaitSpec(
        OfferRef("contoso", OFFER), "live", deadline, operation, poll_failure_tolerance=0, api=api
    ).to_payload()


def test_the_trap_counts_connections(trap: Trap, emulator: Emulator) -> None:
    """A connection to the second host is counted and served, so that the other tests can fail."""
    bundle = CloudPartnerPortalHook().get_settings().verify
    responses = [
        requests.get(f"https://{host}:{trap.port}/api/publishers?api-version=2017-10-31", verify=bundle, timeout=10)
        for host in ("127.0.0.1", "localhost")
    ]
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{trap.port}/", timeout=10)
    assert [response.status_code for response in responses] == [401, 401]
    assert trap.connections == 3
    assert len(trap.target.requests) == 2
    assert emulator.requests == []


def test_no_redirect_of_any_request_is_followed(
    trap: Trap, emulator: Emulator, builders: list[Any], simple_request: Request[Any], run: Callable[..., Any]
) -> None:
    """Each request that is redirected to the second host, by any of its names, is an error after that response."""
    all_requests = [request for builder in builders for request in builder.requests]

    def send_all() -> effects.Flow[list[str]]:
        yield from effects.send(simple_request)
        texts = []
        for address, status, request in itertools.product(trap.addresses(emulator), REDIRECTS, all_requests):
            emulator.inject(Fault("response", status=status, headers={"Location": address + PATH}))
            try:
                yield from effects.send(request)
            except exceptions.InvalidResponseError as error:
                texts.append(error.text)
        return texts

    assert set(run(send_all())) == {"a redirect, which is not followed with a token in hand"}
    reached = [request for request in emulator.requests if request.status in REDIRECTS]
    assert len(reached) == len(trap.addresses(emulator)) * len(REDIRECTS) * len(all_requests)
    trap.assert_untouched()


@pytest.mark.parametrize("route", ["token", "discovery"])
def test_no_redirect_of_a_sign_in_is_followed(
    trap: Trap, emulator: Emulator, run: Callable[..., Any], route: str
) -> None:
    """A sign-in that is redirected fails, and the second host never receives the secret."""
    for address, status in itertools.product(trap.addresses(emulator)[:3], REDIRECTS):
        location = f"{address}/{emulator.tenant_id}/oauth2/v2.0/token"
        emulator.inject(Fault("response", route, status=status, headers={"Location": location}))
        with pytest.raises(exceptions.AuthenticationError) as caught:
            run(effects.send(endpoints.get_offer_status(OfferRef("contoso", OFFER))))
        assert emulator.client_secret not in str(caught.value)
    assert emulator.counts["status"] == 0
    trap.assert_untouched()


@pytest.mark.parametrize("client", ["requests", "aiohttp", "trigger"])
def test_no_redirect_is_followed_by_hooks_and_triggers(trap: Trap, emulator: Emulator, client: str) -> None:
    """The hook's sync and async reads and the trigger fail with an error that names the redirect."""
    headers = {"Location": trap.addresses(emulator)[0] + PATH, "Retry-After": "0"}
    emulator.inject(Fault("response", "status", times=9, status=307, headers=headers))
    if client == "trigger":
        event = run_trigger(wait_spec_payload())
        assert event["result"] == "error"
        assert "a redirect, which is not followed" in event["message"]
    else:
        hook = CloudPartnerPortalHook()
        with pytest.raises(exceptions.InvalidResponseError, match="a redirect, which is not followed"):
            hook.get_offer_status(OFFER) if client == "requests" else asyncio.run(hook.aget_offer_status(OFFER))
    trap.assert_untouched()


def test_no_submit_returns_a_location_elsewhere(
    trap: Trap, emulator: Emulator, builders: list[Any], simple_request: Request[Any], run: Callable[..., Any]
) -> None:
    """A location on the second host is never part of what a submit returns."""
    submits = [request for builder in builders for request in builder.requests if request.method != "GET"]

    def send_all() -> effects.Flow[list[Any]]:
        yield from effects.send(simple_request)
        results = []
        for address, header, request in itertools.product(trap.addresses(emulator), HEADERS, submits):
            headers = {"Content-Location": address, header: address + PATH}
            emulator.inject(Fault("response", status=202, headers=headers, body=b"{}"))
            try:
                results.append((yield from effects.send(request)))
            except exceptions.InvalidResponseError as error:
                results.append(str(error))
        return results

    results = run(send_all())
    assert len(results) >= len(HEADERS)
    assert [result for result in results if str(trap.port) in repr(result)] == []
    trap.assert_untouched()


@pytest.mark.parametrize("header", HEADERS)
def test_a_location_elsewhere_is_ignored(trap: Trap, emulator: Emulator, run: Callable[..., Any], header: str) -> None:
    """A publish whose response names the second host is found in the list of operations and polled on the API only."""
    for number, address in enumerate(trap.addresses(emulator)):
        offer = f"{OFFER}-{number}"
        emulator.add_offer(offer)
        emulator.inject(Fault("response", "publish", after=True, status=202, headers={header: address + PATH}))
        operation = run_sync(publish(PublishParams(OfferRef("contoso", offer), (), TryContext(60))))
        assert operation.location is None
        assert operation.operation_id == emulator.operations(offer)[0]["id"]
        assert run(effects.send(endpoints.get_operation(operation))).raw_status == "running"
    trap.assert_untouched()


def test_a_changed_location_is_ignored(trap: Trap, emulator: Emulator) -> None:
    """After a 202 that points elsewhere, the hook's publish returns an operation that its read and the trigger can poll."""
    emulator.inject(Fault("location", "publish", location=trap.addresses(emulator)[1] + PATH))
    hook = CloudPartnerPortalHook()
    operation = hook.publish_offer(OFFER)
    assert operation.location is None
    assert hook.get_operation(operation.to_json()).raw_status == "running"
    wait_spec = wait_spec_payload(operation) | {"deadline": datetime.now(timezone.utc).isoformat()}
    assert run_trigger(wait_spec)["result"] == "timed_out"
    assert emulator.counts["operation"] == 2
    trap.assert_untouched()


def test_an_operation_elsewhere_is_refused(trap: Trap, emulator: Emulator) -> None:
    """Hook, sensor and trigger refuse an operation whose location names the second host before they send a request."""
    good = Operation(OfferRef("contoso", OFFER), "publish", datetime.now(timezone.utc), "1", PATH).to_json()
    context: Any = {"ti": SimpleNamespace(try_number=1), "dag_run": None}
    for location in [
        *(address + PATH for address in trap.addresses(emulator)),
        f"@localhost:{trap.port}{PATH}",
        ":1/api/",
    ]:
        operation = good | {"location": location}
        with pytest.raises(exceptions.ConfigurationError, match="its location is not a path of the API"):
            CloudPartnerPortalHook().get_operation(operation)
        for options in ({"deferrable": True}, {"deferrable": False, "mode": "poke"}):
            sensor = OfferStatusSensor(task_id="wait", operation=operation, **options)
            with pytest.raises(AirflowFailException, match="its location is not a path of the API"):
                sensor.execute(context)
        wait_spec = wait_spec_payload(Operation.from_json(good)) | {"operation": operation}
        assert run_trigger(wait_spec)["result"] == "error"
    assert emulator.requests == []
    trap.assert_untouched()
