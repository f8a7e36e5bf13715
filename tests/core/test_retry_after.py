# SPDX-License-Identifier: Apache-2.0
"""Retry-After, from the header to the delay."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some
from support.player import Player, make_response

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.cloud_partner_portal import endpoints
from airflow_provider_cpp.core import effects
from airflow_provider_cpp.core.http import MAX_RETRY_AFTER, Response, decode_response
from airflow_provider_cpp.core.models import OfferRef

NOW = datetime(2026, 11, 3, 9, 0, tzinfo=timezone.utc)
READ = endpoints.get_offer_status(OfferRef("contoso", "contoso-vm"))


def retry_after_of(value: str, status: int = 429) -> float | None:
    """Return the seconds that an error carries for a header."""
    response = Response(status, b"", {"retry-after": value}, "https://cloudpartner.azure.com", NOW)
    with pytest.raises(exceptions.RequestError) as caught:
        decode_response(READ, response)
    return caught.value.retry_after


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("Tue, 03 Nov 2026 09:00:30 GMT", 30.0),
        ("Tuesday, 03-Nov-26 09:00:30 GMT", 30.0),
        ("Tue Nov  3 09:00:30 2026", 30.0),
        ("Tue, 03 Nov 2026 09:00:30 -0000", 30.0),
        ("Tue, 03 Nov 2026 10:00:30 +0100", 30.0),
        ("Wed, 03 Nov 2027 09:00:30 GMT", 3600.0),
        ("Tue, 03 Nov 2020 09:00:30 GMT", 0.0),
        ("Tue, 03 Nov 2026 09:00:30 +99999999999999999999", None),
        ("9" * 400, 3600.0),
        ("9" * 5000, 3600.0),
        ("1e3", None),
        ("inf", None),
        ("nan", None),
        ("1, 2", None),
    ],
)
def test_both_forms_of_the_header(value: str, seconds: float | None) -> None:
    """Seconds and each form of an HTTP date are read, up to an hour; any other value is ignored."""
    assert retry_after_of(value) == seconds


DATES = some.datetimes(timezones=some.just(timezone.utc)).map(lambda moment: format_datetime(moment, usegmt=True))


@given(
    some.text(max_size=30)
    | some.text(alphabet="0123456789 +-.:,eMonTuJanGT", max_size=40)
    | some.integers().map(str)
    | DATES
    | some.tuples(DATES, some.text(max_size=5)).map("".join)
)
def test_any_header_is_nothing_or_up_to_an_hour(value: str) -> None:
    """Every header value yields None or a delay between zero and an hour."""
    seconds = retry_after_of(value)
    assert seconds is None or 0.0 <= seconds <= MAX_RETRY_AFTER


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("form", ["seconds", "date"])
@pytest.mark.parametrize(("seconds", "delays"), [(0, [0.0]), (7, [7.0]), (60, [60.0]), (61, []), (86_400, [])])
def test_a_read_waits_as_long_as_requested(
    player: Player, status: int, form: str, seconds: int, delays: list[float]
) -> None:
    """A read waits exactly as long as requested, in either form, and fails at once if that is too long."""
    value = str(seconds) if form == "seconds" else format_datetime(player.now + timedelta(seconds=seconds), usegmt=True)
    responses = [make_response(b"", status, {"retry-after": value}), {"status": "running"}]
    player.respond = lambda _: responses.pop(0)
    flow = effects.send_with_retry(READ)
    if delays:
        assert player.run(flow).raw_status == "running"
    else:
        with pytest.raises(exceptions.RequestError) as caught:
            player.run(flow)
        assert caught.value.retry_after == min(seconds, MAX_RETRY_AFTER) > effects.MAX_RETRY_DELAY
    assert player.slept == delays


def test_a_read_is_bounded_in_total(player: Player) -> None:
    """A read ends after three delays, even if the API requests the longest one each time."""
    player.respond = lambda _: make_response(b"", 429, {"retry-after": "60"})
    with pytest.raises(exceptions.RateLimitError):
        player.run(effects.send_with_retry(READ))
    assert player.slept == [60.0] * 3
