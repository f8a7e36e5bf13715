# SPDX-License-Identifier: Apache-2.0
"""The model check detects injected faults, and reports nothing without one."""

from __future__ import annotations

import pytest
from model.airflow_task import FAULT_NAMES
from model.check import play

RUNS = 300
MAX_RUNS = 1000
"""The number of runs within which an injected fault must be detected."""


@pytest.mark.parametrize("injected_fault", FAULT_NAMES)
def test_an_injected_fault_is_detected(injected_fault: str) -> None:
    """A lost checkpoint, an interim response taken for a refusal, and a settle time of zero are each detected."""
    assert any(play(seed, injected_fault).violations for seed in range(MAX_RUNS))


def test_the_submit_procedure_passes() -> None:
    """Several hundred runs of the submit procedure violate no invariant."""
    assert [(seed, violations) for seed in range(RUNS) if (violations := play(seed).violations)] == []


def test_a_run_is_repeatable() -> None:
    """Two runs with the same seed have the same trace."""
    traces: tuple[list[str], list[str]] = ([], [])
    for trace in traces:
        play(5, trace=trace.append)
    assert traces[0] == traces[1]
    assert len(traces[0]) > 2
