# SPDX-License-Identifier: Apache-2.0
"""Many offers published by real deployments: without faults, and with a mixture of faults."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable

from deployments.airflow import Deployment
from deployments.processes import wait_until
from e2e import faults
from e2e.scenario import ENDED, Row, Scenario
from e2e.where import on_one_machine, on_several_machines

FEW = 5 * 86400 / 15
"""The clock's speed for few offers: a preview takes 15 seconds."""

MANY = 5 * 86400 / 90
"""The same for many offers, which start one after the other."""

MANY_OFFERS = int(os.environ.get("E2E_OFFERS") or 200)
TIMEOUT = 900.0
MIN_FAULTS = 4
"""How many different faults a mixture must have at least."""

Report = Callable[[Row], None]
InjectFault = Callable[[Scenario], None]


@on_one_machine
def test_ten_offers_on_one_machine(deployment: Deployment, report: Report) -> None:
    """Ten offers are published by one mapped task, wait in the triggerer, and are live at the end."""
    with Scenario(deployment, "undisturbed", speed=FEW) as scenario:
        scenario.start()
        scenario.record(f"{len(scenario.wait_for('deferred', count=8))} deferred at once", affected=8)
        report(scenario.count())


@on_several_machines
def test_many_offers_on_several_machines(deployment: Deployment, report: Report) -> None:
    """Many offers of one mapped task, half on each API, are all live at the end, each published once."""
    with Scenario(deployment, "undisturbed", offers=MANY_OFFERS, speed=MANY) as scenario:
        scenario.start()
        scenario.record(f"{len(scenario.wait_for('deferred', count=20))} deferred at once", affected=20)
        wait_until(scenario.is_published, "every offer is published", TIMEOUT)
        row = scenario.finish(TIMEOUT)
        report(row)
        assert row.through_product_ingestion == row.offers // 2


@on_several_machines
def test_many_offers_under_a_mixture_of_faults(deployment: Deployment, report: Report) -> None:
    """Each of many offers is published once, and is live at the end, under faults at random moments in a random sequence."""
    seed = int(os.environ.get("E2E_SEED") or 1)
    rng = random.Random(seed)  # noqa: S311 - repeatable on purpose
    with Scenario(deployment, f"mixture, seed {seed}", offers=MANY_OFFERS, speed=MANY) as scenario:
        scenario.start()
        scenario.wait_for("deferred", count=10)
        injected: set[str] = set()
        remaining: list[InjectFault] = []
        is_published = False
        while deployment.api.run(scenario.dag_id, scenario.run_id)["state"] not in ENDED:
            if not is_published and len(injected) >= MIN_FAULTS and scenario.is_published():
                is_published = True
                scenario.clock.jump(days=10)  # all tasks only wait now; faults continue until the waits end
            remaining = remaining or rng.sample(faults.MIXED, len(faults.MIXED))
            inject = remaining.pop()
            time.sleep(rng.uniform(2, 12))
            try:
                inject(scenario)
            except (AssertionError, TimeoutError):  # the fault affected nothing at that moment
                scenario.emulator.clear_faults()
                continue
            injected.add(inject.__name__)
        assert len(injected) >= MIN_FAULTS, f"seed {seed} had too few faults: {scenario.events}"
        scenario.events = [f"{len(scenario.events)} faults: {', '.join(sorted(injected)).replace('_', ' ')}"]
        row = scenario.count(TIMEOUT)
        report(row)
        assert row.through_product_ingestion == row.offers // 2
