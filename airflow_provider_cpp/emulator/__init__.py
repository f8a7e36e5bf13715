# SPDX-License-Identifier: Apache-2.0
"""A Cloud Partner Portal to try things on, with the Entra ID that signs in to it: ``pip install 'airflow-provider-cpp[emulator]'``.

It shares no code with the client, on purpose: one misread page of the contract must not make both wrong.
"""

from __future__ import annotations

from airflow_provider_cpp.emulator.clock import ManualClock, ScaledClock
from airflow_provider_cpp.emulator.faults import Fault, Gate
from airflow_provider_cpp.emulator.publications import SCENARIOS
from airflow_provider_cpp.emulator.server import Emulator
from airflow_provider_cpp.emulator.settings import Settings

__all__ = ["SCENARIOS", "Emulator", "Fault", "Gate", "ManualClock", "ScaledClock", "Settings"]
