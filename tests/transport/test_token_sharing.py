# SPDX-License-Identifier: Apache-2.0
"""Two hundred waits on one connection: how many tokens they request."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import pytest
from partner_center_emulator import Emulator
from support.auth_methods import AuthMethod

from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.wait_spec import WaitSpec
from airflow_provider_cpp.hooks.cloud_partner_portal import CloudPartnerPortalHook
from airflow_provider_cpp.triggers.offer_status import OfferStatusTrigger

OFFER = "contoso-vm"
TRIGGERS, LIFETIME, WAIT = 200, 2.0, 5.0
ROUTES = {"client_secret": "token", "managed_identity": "managed-identity"}


async def wait_all(wait_spec: WaitSpec) -> list[Any]:
    """Run triggers side by side in one event loop, as a triggerer does, and return their events."""
    arguments = wait_spec.to_payload()

    async def one() -> Any:
        return (await anext(OfferStatusTrigger("cloud_partner_portal_default", arguments).run())).payload

    return await asyncio.gather(*(one() for _ in range(TRIGGERS)))


@pytest.mark.parametrize("name", ROUTES)
def test_two_hundred_triggers_send_one_token_request_per_lifetime(
    sign_in_by: Callable[..., Emulator], methods: dict[str, AuthMethod], name: str
) -> None:
    """Waits that outlive their token share the next one, with one token request per lifetime, and all end as they should."""
    emulator = sign_in_by(methods[name], token_lifetime=timedelta(seconds=LIFETIME))
    CloudPartnerPortalHook().publish_offer(OFFER)
    deadline = datetime.now(timezone.utc) + timedelta(seconds=WAIT)
    # On a slow machine a token may expire in transit twice, even at the first poll: hence responded=True.
    wait_spec = WaitSpec(
        OfferRef("contoso", OFFER),
        "live",
        deadline,
        poll_interval=1.2,
        responded=True,
        api=CloudPartnerPortalHook.conn_type,
    )
    events = asyncio.run(wait_all(wait_spec))
    polls = [one for one in emulator.requests if one.route == "status"]
    requested = [one.at for one in emulator.requests if one.route == ROUTES[name]]
    # The first poll in the last tenth of a token's lifetime renews it: two requests that are closer share a lifetime.
    lifetimes = 1 + sum(later - one > timedelta(seconds=LIFETIME / 2) for one, later in pairwise(requested))
    figures = f"{TRIGGERS} triggers, {len(polls)} polls, {lifetimes} lifetimes, {len(requested)} token requests"
    sys.stdout.write(f"{name}: {figures}\n")
    # On a slow machine a token may expire in transit; it is replaced then, and the poll repeated.
    assert {event["result"] for event in events} == {"timed_out"}
    assert {one.status for one in polls} - {401} == {200}
    # Polls renew the token, and on a slow machine they are far apart: the number of lifetimes is not fixed.
    assert len(requested) == lifetimes >= 2
