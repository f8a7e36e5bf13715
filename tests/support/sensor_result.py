# SPDX-License-Identifier: Apache-2.0
"""How a sensor's run ended."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class SensorResult:
    """The end of a sensor's run.

    :ivar kind: ``reached``, ``waits``, or the exception's name.
    :ivar text: the exception's text.
    """

    kind: str
    text: str = ""
