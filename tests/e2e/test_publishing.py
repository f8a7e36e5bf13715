# SPDX-License-Identifier: Apache-2.0
"""Many offers published by real deployments: undisturbed, and under all faults at once."""

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
"""The clock's speed for some offers: a preview takes 15 seconds."""

MANY = 5 * 86400 / 90
"""The same for many, which begin one after the other."""

PATIENCE = 900.0
KINDS = 4
"""How many kinds of faults a mixture must have had at least."""

Report = Callable[[Row], None]


@on_one_machine
def test_ten_offers_on_one_machine(deployment: Deployment, report: Report) -> None:
    """Ten offers are published by one mapped task, wait in the triggerer, and are live at the end."""
    with Scenario(deployment, "undisturbed", speed=FEW) as scenario:
        scenario.begin()
        scenario.note(f"{len(scenario.wait_for('deferred', count=8))} deferred at once", strikes=8)
        report(scenario.count())


@on_several_machines
def test_two_hundred_offers_on_several_machines(deployment: Deployment, report: Report) -> None:
    """Two hundred offers of one mapped task, half on each API, are all live at the end, each published once."""
    with Scenario(deployment, "undisturbed", offers=200, speed=MANY) as scenario:
        scenario.begin()
        scenario.note(f"{len(scenario.wait_for('deferred', count=20))} deferred at once", strikes=20)
        wait_until(scenario.is_published, "every offer is published", PATIENCE)
        row = scenario.finish(PATIENCE)
        report(row)
        assert row.through_successor == row.offers // 2


@on_several_machines
def test_two_hundred_offers_under_a_mixture_of_faults(deployment: Deployment, report: Report) -> None:
    """Whatever strikes in whatever order, each of two hundred offers is published once, and live at the end."""
    seed = int(os.environ.get("E2E_SEED") or 1)
    chance = random.Random(seed)  # noqa: S311 - it is to be repeatable
    with Scenario(deployment, f"mixture, seed {seed}", offers=200, speed=MANY) as scenario:
        scenario.begin()
        scenario.wait_for("deferred", count=10)
        struck, is_published = set(), False
        while deployment.api.run(scenario.dag_id, scenario.run_id)["state"] not in ENDED:
            if not is_published and scenario.is_published():
                is_published = True
                scenario.clock.jump(days=10)  # what is left is to wait, and faults strike until that has ended
            strike = chance.choice(faults.MIXED)
            time.sleep(chance.uniform(2, 12))
            try:
                strike(scenario)
            except (AssertionError, TimeoutError):  # there was nothing to strike at just that moment
                scenario.portal.clear_faults()
                continue
            struck.add(strike.__name__)
        assert len(struck) >= KINDS, f"seed {seed} struck too little: {scenario.struck}"
        scenario.struck = [f"{len(scenario.struck)} strikes: {', '.join(sorted(struck)).replace('_', ' ')}"]
        row = scenario.count(PATIENCE)
        report(row)
        assert row.through_successor == row.offers // 2
