# SPDX-License-Identifier: Apache-2.0
"""The deadline that a wait gives its driver."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playing import START, Player

from airflow_provider_cpp.apis.cloud_partner_portal.api import PORTAL
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.wait import LAST_POLL, wait
from airflow_provider_cpp.core.wait_spec import Watch
from airflow_provider_cpp.exceptions import Unreachable


@pytest.mark.parametrize("hours", [-24, 0, 1])
def test_a_wait_sets_its_deadline_once(hours: int) -> None:
    """No exchange goes on for longer than a last poll after the deadline, or after the start of a wait that is resumed later."""
    deadline = START + timedelta(hours=hours)
    player = Player()
    player.answer = lambda call: Unreachable(call.words, text="no response")
    player.run(wait(PORTAL, Watch(OfferRef("contoso", "vm"), "live", deadline, answered=True)))
    assert player.deadlines == [max(deadline, START) + LAST_POLL]
    assert player.sent
