# SPDX-License-Identifier: Apache-2.0
"""What one task run costs: reads of the connection, and sessions."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import BaseHook, TaskDeferred
from partner_center_emulator import Emulator
from support.run_tasks import Store

from airflow_provider_cpp.hooks.cloud_partner_portal import CloudPartnerPortalHook
from airflow_provider_cpp.operators.offer import PublishOfferOperator
from airflow_provider_cpp.sensors.offer_status import OfferStatusSensor
from airflow_provider_cpp.transport.session_pool import PooledSession
from airflow_provider_cpp.transport.sync import SyncSession

OFFER = "contoso-vm"


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Return a counter of connection reads and opened sessions, in a worker and in a triggerer."""
    counts: Counter[str] = Counter()

    def count(owner: Any, name: str, key: str) -> None:
        original = getattr(owner, name)

        def counting(*arguments: Any, **options: Any) -> Any:
            counts[key] += 1
            return original(*arguments, **options)

        monkeypatch.setattr(owner, name, counting)

    count(BaseHook, "get_connection", "reads")
    count(CloudPartnerPortalHook, "aget_settings", "reads in the triggerer")
    count(SyncSession, "__init__", "sessions")
    count(PooledSession, "__init__", "sessions in the triggerer")
    return counts


def test_a_publish_reads_the_connection_once(
    serve: Callable[..., Emulator], context: dict[str, Any], store: Store, counted: Counter[str]
) -> None:
    """A publish reads the connection once and opens one session, from the draft to the operation."""
    emulator = serve()
    emulator.add_offer(OFFER)
    PublishOfferOperator(task_id="publish", offer_id=OFFER).execute(context)
    assert emulator.submits_for(OFFER)["publish"] == 1
    assert counted == {"reads": 1, "sessions": 1}


def test_a_poke_reads_the_connection_once(
    serve: Callable[..., Emulator], context: dict[str, Any], counted: Counter[str]
) -> None:
    """A poke reads the connection once and opens one session, and so does the next one, perhaps days later."""
    serve().add_offer(OFFER)
    sensor = OfferStatusSensor(task_id="wait", offer_id=OFFER, until="live", deferrable=False)
    for pokes in (1, 2):
        assert not sensor.poke(context)
        assert counted == {"reads": pokes, "sessions": pokes}


def test_a_deferred_wait_reads_the_connection_once(
    serve: Callable[..., Emulator], context: dict[str, Any], counted: Counter[str]
) -> None:
    """A wait in the triggerer reads the connection once and opens one session, however often it polls."""
    emulator = serve()
    emulator.add_offer(OFFER)
    emulator.person(OFFER, "publish")
    sensor = OfferStatusSensor(task_id="wait", offer_id=OFFER, until="preview", deferrable=True, poll_interval=0.05)
    with pytest.raises(TaskDeferred) as deferral:
        sensor.execute(context)
    counted.clear()
    polls = emulator.counts["status"]

    async def event() -> Any:
        waiting = asyncio.ensure_future(anext(deferral.value.trigger.run()))
        while emulator.counts["status"] < polls + 3:  # noqa: ASYNC110 - the emulator is in another thread
            await asyncio.sleep(0.01)
        emulator.clock.advance(days=9)
        return (await waiting).payload

    assert asyncio.run(event())["result"] == "reached"
    assert counted["reads in the triggerer"] == 1
    assert counted["sessions in the triggerer"] == 1
