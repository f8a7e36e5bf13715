# SPDX-License-Identifier: Apache-2.0
"""The deadline that a wait sets for its driver."""

from __future__ import annotations

from datetime import timedelta

import pytest
from support.player import START, Player

from airflow_provider_cpp.apis.cloud_partner_portal.api import CLOUD_PARTNER_PORTAL_API
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.wait import LAST_POLL_TIMEOUT, wait
from airflow_provider_cpp.core.wait_spec import WaitSpec
from airflow_provider_cpp.exceptions import TransportError


@pytest.mark.parametrize("hours", [-24, 0, 1])
def test_a_wait_sets_its_deadline_once(hours: int) -> None:
    """A request may last until a last poll after the deadline, or after the start of a wait that resumes later."""
    deadline = START + timedelta(hours=hours)
    player = Player()
    player.respond = lambda request: TransportError(request.description, text="no response")
    player.run(
        wait(
            CLOUD_PARTNER_PORTAL_API,
            WaitSpec(OfferRef("contoso", "vm"), "live", deadline, responded=True, api="cloud_partner_portal"),
        )
    )
    assert player.deadlines == [max(deadline, START) + LAST_POLL_TIMEOUT]
    assert player.sent
