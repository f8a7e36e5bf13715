# SPDX-License-Identifier: Apache-2.0
"""The model check itself: it finds what is planted, and without that finds nothing."""

from __future__ import annotations

import pytest
from model.airflow_task import PLANTS
from model.check import play

RUNS = 300
MOST_RUNS = 1000
"""Runs within which a planted fault is found; one is enough."""


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_fault_is_found(plant: str) -> None:
    """A checkpoint that is lost, an interim response taken for a refusal, and a settle time of nothing are found."""
    assert any(play(seed, plant).faults for seed in range(MOST_RUNS))


def test_the_submit_procedure_as_it_is_passes() -> None:
    """Some hundred runs of the procedure have no double, no endless loop, and no untrue message."""
    assert [(seed, faults) for seed in range(RUNS) if (faults := play(seed).faults)] == []


def test_a_run_is_the_same_each_time() -> None:
    """A seed names a run: played again, it has the same trace to the letter."""
    traces: tuple[list[str], list[str]] = ([], [])
    for trace in traces:
        play(5, trace=trace.append)
    assert traces[0] == traces[1]
    assert len(traces[0]) > 2
