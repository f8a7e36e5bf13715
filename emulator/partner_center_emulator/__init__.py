# SPDX-License-Identifier: Apache-2.0
"""A local emulator of the Cloud Partner Portal API and the Product Ingestion API, and of the Entra ID that issues tokens.

It shares no code with the client on purpose: a misread page of the documentation must not make both of them wrong.
"""

from __future__ import annotations

from partner_center_emulator.clock import ManualClock, ScaledClock
from partner_center_emulator.faults import Fault, Gate
from partner_center_emulator.publications import SCENARIOS
from partner_center_emulator.server import Emulator
from partner_center_emulator.settings import Settings

__all__ = ["SCENARIOS", "Emulator", "Fault", "Gate", "ManualClock", "ScaledClock", "Settings"]
