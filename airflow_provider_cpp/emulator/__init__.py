# SPDX-License-Identifier: Apache-2.0
"""A Cloud Partner Portal to try things on, with its Entra ID; the extra ``emulator`` installs what it needs.

It shares no code with the client, on purpose: one misread page of the contract must not make both wrong.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_cpp.emulator.clock import ManualClock, ScaledClock
    from airflow_provider_cpp.emulator.faults import Fault, Gate
    from airflow_provider_cpp.emulator.publications import SCENARIOS
    from airflow_provider_cpp.emulator.server import Emulator
    from airflow_provider_cpp.emulator.settings import Settings

__all__ = ["SCENARIOS", "Emulator", "Fault", "Gate", "ManualClock", "ScaledClock", "Settings"]

_HOMES = {
    "SCENARIOS": "publications",
    "Emulator": "server",
    "Fault": "faults",
    "Gate": "faults",
    "ManualClock": "clock",
    "ScaledClock": "clock",
    "Settings": "settings",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for only then, so that the command can say which package is missing."""
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
