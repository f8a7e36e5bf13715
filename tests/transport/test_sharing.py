# SPDX-License-Identifier: Apache-2.0
"""Two hundred waits on one connection: how many tokens they ask for."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import pytest
from partner_center_emulator import Emulator

from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.wait_spec import WaitSpec
from airflow_provider_cpp.hooks.cloud_partner_portal import CloudPartnerPortalHook
from airflow_provider_cpp.triggers.offer_status import OfferStatusTrigger

OFFER = "contoso-vm"
TRIGGERS, LIFETIME, WAIT = 200, 2.0, 5.0
ROUTES = {"client_secret": "token", "managed_identity": "managed-identity"}


async def wait_all(watch: WaitSpec) -> list[Any]:
    """Run triggers side by side in one event loop, as a triggerer does, to the event of each."""
    arguments = watch.to_payload()

    async def one() -> Any:
        return (await anext(OfferStatusTrigger("cloud_partner_portal_default", arguments).run())).payload

    return await asyncio.gather(*(one() for _ in range(TRIGGERS)))


@pytest.mark.parametrize("name", ROUTES)
def test_two_hundred_triggers_ask_once_in_each_lifetime(
    sign_in_by: Callable[..., Emulator], ways: dict[str, Any], name: str
) -> None:
    """Waits that outlive their token share the next one: there is one request in a lifetime, and nobody waits in vain."""
    portal = sign_in_by(ways[name], token_lifetime=timedelta(seconds=LIFETIME))
    CloudPartnerPortalHook().publish_offer(OFFER)
    deadline = datetime.now(timezone.utc) + timedelta(seconds=WAIT)
    # On a machine that is slow, a token may end on its way twice, and so at the very first look.
    watch = WaitSpec(
        OfferRef("contoso", OFFER),
        "live",
        deadline,
        poll_interval=1.2,
        answered=True,
        api=CloudPartnerPortalHook.conn_type,
    )
    events = asyncio.run(wait_all(watch))
    looks = [one for one in portal.requests if one.route == "status"]
    asked = [one.at for one in portal.requests if one.route == ROUTES[name]]
    # A token is renewed at the first look in the last tenth of its life: two requests that are closer share a lifetime.
    lifetimes = 1 + sum(later - one > timedelta(seconds=LIFETIME / 2) for one, later in pairwise(asked))
    figures = f"{TRIGGERS} triggers, {len(looks)} looks, {lifetimes} lifetimes, {len(asked)} token requests"
    sys.stdout.write(f"{name}: {figures}\n")
    # On a machine that is slow, a token may end on its way; it is replaced then, and the look is repeated.
    assert ({event["result"] for event in events}, {one.status for one in looks} - {401}) == ({"timed_out"}, {200})
    # A token is replaced at a look, and on such a machine looks are far apart: how many lifetimes there were is not fixed.
    assert len(asked) == lifetimes >= 2
