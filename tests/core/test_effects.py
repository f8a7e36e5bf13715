# SPDX-License-Identifier: Apache-2.0
"""Reads that are asked again."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.cloud_partner_portal import endpoints
from airflow_provider_cpp.core import effects
from airflow_provider_cpp.core.models import OfferRef


def test_a_read_is_asked_again_with_growing_pauses(player: Any, offer: OfferRef) -> None:
    """A read that fails for a while is asked four times in all, and its last error is let through."""
    player.answer = lambda _: exceptions.ServerError("read", status=500)
    with pytest.raises(exceptions.ServerError):
        player.run(effects.send_with_retry(endpoints.get_offer_status(offer)))
    assert (len(player.sent), player.slept, [level for _, level in player.told]) == (4, [1, 2, 4], ["warning"] * 3)


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (exceptions.RateLimitError("x", status=429, retry_after=61.0), 1),
        (exceptions.RateLimitError("x", status=429, retry_after=7.0), 4),
        (exceptions.NotFoundError("x", status=404), 1),
        (exceptions.AuthenticationError("no", transient=True), 4),
        (exceptions.AuthenticationError("no"), 1),
    ],
)
def test_what_is_asked_again(player: Any, offer: OfferRef, error: exceptions.MarketplaceError, tries: int) -> None:
    """Only what may pass is asked again, and not if the portal wants a longer pause than a call may take."""
    player.answer = lambda _: error
    with pytest.raises(type(error)):
        player.run(effects.send_with_retry(endpoints.get_offer(offer)))
    assert len(player.sent) == tries


def test_an_order_is_never_asked_again(player: Any, offer: OfferRef) -> None:
    """The same flow sends an order once, whatever went wrong."""
    player.answer = lambda _: exceptions.TransportError("publish", text="reset")
    with pytest.raises(exceptions.TransportError):
        player.run(effects.send_with_retry(endpoints.publish_offer(offer)))
    assert len(player.sent) == 1
