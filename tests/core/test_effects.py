# SPDX-License-Identifier: Apache-2.0
"""Retries of requests that only read."""

from __future__ import annotations

import pytest
from support.player import Player

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.cloud_partner_portal import endpoints
from airflow_provider_cpp.core import effects
from airflow_provider_cpp.core.models import OfferRef


def test_a_read_is_retried_with_growing_delays(player: Player, offer: OfferRef) -> None:
    """A read that keeps failing is sent four times in all, then its last error is raised."""
    player.respond = lambda _: exceptions.ServerError("read", status=500)
    with pytest.raises(exceptions.ServerError):
        player.run(effects.send_with_retry(endpoints.get_offer_status(offer)))
    assert len(player.sent) == 4
    assert player.slept == [1, 2, 4]
    assert [level for _, level in player.logged] == ["warning"] * 3


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
def test_which_errors_are_retried(
    player: Player, offer: OfferRef, error: exceptions.MarketplaceError, tries: int
) -> None:
    """Only errors that may pass are retried, and only if the requested delay is short enough."""
    player.respond = lambda _: error
    with pytest.raises(type(error)):
        player.run(effects.send_with_retry(endpoints.get_offer(offer)))
    assert len(player.sent) == tries


def test_a_submit_is_never_retried(player: Player, offer: OfferRef) -> None:
    """The same flow sends a submit once, whatever goes wrong."""
    player.respond = lambda _: exceptions.TransportError("publish", text="reset")
    with pytest.raises(exceptions.TransportError):
        player.run(effects.send_with_retry(endpoints.publish_offer(offer)))
    assert len(player.sent) == 1
