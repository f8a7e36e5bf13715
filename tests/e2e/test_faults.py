# SPDX-License-Identifier: Apache-2.0
"""Each fault alone, in each deployment that has the part it strikes: nothing is lost, doubled or canceled."""

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
    faults.stop_portal,
    faults.revoke_tokens,
    faults.rotate_secret,
    faults.throttle,
)
"""What strikes tasks that wait in the triggerer."""

ONLY_DISTRIBUTED = (faults.stall_triggerer, faults.restart_postgres)
"""What needs a second triggerer, or a database of its own."""

HELD = (faults.kill_worker_while_publishing, faults.kill_scheduler)
"""What strikes while publishes are on their way."""

Report = Callable[[Row], None]
Strike = Callable[[Scenario], None]


def words(strike: Strike) -> str:
    """Name a fault."""
    return strike.__name__.replace("_", " ")


def strike_waiting(deployment: Deployment, strike: Strike, report: Report) -> None:
    """Strike while ten offers wait, let the days pass, and count."""
    with Scenario(deployment, words(strike)) as scenario:
        scenario.begin()
        scenario.wait_for("deferred")
        scenario.wait_until_polled()
        strike(scenario)
        report(scenario.finish())


@pytest.mark.parametrize("strike", WAITING, ids=words)
def test_what_strikes_a_wait_costs_nothing(deployment: Deployment, strike: Strike, report: Report) -> None:
    """Ten waiting offers survive a fault of whatever they wait with or for."""
    strike_waiting(deployment, strike, report)


@on_several_machines
@pytest.mark.parametrize("strike", ONLY_DISTRIBUTED, ids=words)
def test_what_only_several_machines_have_costs_nothing(deployment: Deployment, strike: Strike, report: Report) -> None:
    """Ten waiting offers survive a triggerer that seems dead and is not, and a database that is restarted."""
    strike_waiting(deployment, strike, report)


@pytest.mark.parametrize("strike", HELD, ids=words)
def test_what_strikes_a_publish_doubles_nothing(deployment: Deployment, strike: Strike, report: Report) -> None:
    """Publishes whose process dies before and after the portal took them are each taken once."""
    with Scenario(deployment, words(strike)) as scenario:
        first, second = scenario.offers[:2]
        scenario.gates = (
            scenario.portal.gate("publish", offer=first),
            scenario.portal.gate("configure_publish", offer=second, after=True),  # which the successor publishes
        )
        scenario.begin()
        strike(scenario)
        scenario.wait_for("deferred")
        report(scenario.finish())


def test_workers_killed_between_polls_cost_nothing(deployment: Deployment, report: Report) -> None:
    """Tasks that wait in their own process go on with their operation in their next try."""
    strike = faults.kill_worker_while_polling
    with Scenario(deployment, words(strike), dag_id="polling", speed=5 * 86400 / 15) as scenario:
        scenario.begin()
        strike(scenario)
        report(scenario.count())
