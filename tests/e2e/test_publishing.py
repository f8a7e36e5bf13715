# SPDX-License-Identifier: Apache-2.0
"""Offers published by real deployments that nobody disturbs."""

from __future__ import annotations

from collections.abc import Callable

from deployments.airflow import Deployment
from e2e.scenario import Row, Scenario

FEW = 5 * 86400 / 15
"""The clock's speed for some offers: a preview takes 15 seconds."""


def test_ten_offers_on_one_machine(one_machine: Deployment, report: Callable[[Row], None]) -> None:
    """Ten offers are published by one mapped task, wait in the triggerer, and are live at the end."""
    with Scenario(one_machine, "undisturbed", speed=FEW) as scenario:
        scenario.begin()
        scenario.note(f"{len(scenario.wait_for('deferred', count=8))} deferred at once", strikes=8)
        report(scenario.count())
