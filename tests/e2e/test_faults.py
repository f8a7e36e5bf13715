# SPDX-License-Identifier: Apache-2.0
"""Each fault alone, on each deployment that has the affected part: nothing is lost, submitted twice or canceled."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from deployments.airflow import Deployment
from e2e import faults
from e2e.scenario import Row, Scenario
from e2e.where import on_several_machines

WAITING = (
    faults.kill_triggerer,
    faults.restart_triggerers_without_connections,
    faults.stop_emulator,
    faults.revoke_tokens,
    faults.rotate_secret,
    faults.throttle,
)
"""Faults that affect tasks that wait in the triggerer."""

ONLY_DISTRIBUTED = (faults.stall_triggerer, faults.restart_postgres)
"""Faults that need a second triggerer, or a database server."""

HELD = (faults.kill_worker_while_publishing, faults.kill_scheduler)
"""Faults while publishes are being submitted."""

Report = Callable[[Row], None]
InjectFault = Callable[[Scenario], None]


def name_of(inject: InjectFault) -> str:
    """Return the name of a fault."""
    return inject.__name__.replace("_", " ")


def inject_while_waiting(deployment: Deployment, inject: InjectFault, report: Report) -> None:
    """Inject a fault while ten offers wait, advance the clock, and count."""
    with Scenario(deployment, name_of(inject)) as scenario:
        scenario.start()
        scenario.wait_for("deferred")
        scenario.wait_until_polled()
        inject(scenario)
        report(scenario.finish())


@pytest.mark.parametrize("inject", WAITING, ids=name_of)
def test_waits_survive_a_fault(deployment: Deployment, inject: InjectFault, report: Report) -> None:
    """Ten waits survive a fault of the triggerer, the connection or the API."""
    inject_while_waiting(deployment, inject, report)


@on_several_machines
@pytest.mark.parametrize("inject", ONLY_DISTRIBUTED, ids=name_of)
def test_waits_survive_a_fault_of_a_distributed_deployment(
    deployment: Deployment, inject: InjectFault, report: Report
) -> None:
    """Ten waits survive a paused triggerer and a database restart."""
    inject_while_waiting(deployment, inject, report)


@pytest.mark.parametrize("inject", HELD, ids=name_of)
def test_a_fault_during_a_publish_causes_no_second_one(
    deployment: Deployment, inject: InjectFault, report: Report
) -> None:
    """Publishes whose process is killed before and after the API accepts them are each accepted once."""
    with Scenario(deployment, name_of(inject)) as scenario:
        first, second = scenario.offers[:2]
        scenario.gates = (
            scenario.emulator.gate("publish", offer=first),
            # The second offer is published through the Product Ingestion API.
            scenario.emulator.gate("configure_publish", offer=second, after=True),
        )
        scenario.start()
        inject(scenario)
        scenario.wait_for("deferred")
        report(scenario.finish())


def test_waits_survive_workers_killed_between_polls(deployment: Deployment, report: Report) -> None:
    """Tasks that wait in their own process continue with their operation in their next try."""
    inject = faults.kill_worker_while_polling
    with Scenario(deployment, name_of(inject), dag_id="polling", speed=5 * 86400 / 15) as scenario:
        scenario.start()
        inject(scenario)
        report(scenario.count())
