# SPDX-License-Identifier: Apache-2.0
"""A local emulator of the Cloud Partner Portal API, the Product Ingestion API, and the Entra ID tenant that issues tokens.

It deliberately shares no code with the client, so that a misunderstanding of the documentation does not affect both.
"""

from __future__ import annotations

from partner_center_emulator.clock import ManualClock, ScaledClock
from partner_center_emulator.faults import Fault, Gate
from partner_center_emulator.publications import SCENARIOS
from partner_center_emulator.server import Emulator
from partner_center_emulator.settings import Settings

__all__ = ["SCENARIOS", "Emulator", "Fault", "Gate", "ManualClock", "ScaledClock", "Settings"]
