# SPDX-License-Identifier: Apache-2.0
"""Every status of the contract, in every spelling, for every way of waiting: one table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from partner_center_emulator import Emulator, Fault

OFFER = "contoso-vm"
REACHED, WAITS, FAILED, CANCELED = "reached", "waits", "failed", "canceled"

# The status word, and how a wait until the preview and one until live end.
STATUSES = [
    ("neverPublished", WAITS, WAITS),
    ("notStarted", WAITS, WAITS),
    ("waitingForPublisherReview", REACHED, WAITS),
    ("running", WAITS, WAITS),
    ("succeeded", REACHED, REACHED),
    ("published", REACHED, REACHED),
    ("canceled", CANCELED, CANCELED),
    ("failed", FAILED, FAILED),
    ("frobnicating", WAITS, WAITS),
]
SPELLINGS: dict[str, Callable[[str], str]] = {
    "camel": str,
    "pascal": lambda word: word[0].upper() + word[1:],
    "camel-spaces": lambda word: f"  {word} ",
    "pascal-spaces": lambda word: f" {word[0].upper()}{word[1:]}\t",
}
SIGN_OFFS = {
    "by id": {"id": "publisher-signoff", "stepName": "Publisher signoff"},
    "by name": {"id": "step5", "stepName": "publisher-signoff"},
    "by capital name": {"id": "step5", "stepName": "Publisher-SignOff"},
}


@pytest.fixture
def answering(shared_portal: Emulator, connect: Callable[..., None]) -> Iterator[Callable[[Any], None]]:
    """Return a function that makes the portal answer every question for a status with one body."""
    shared_portal.add_offer(OFFER)
    connect(shared_portal)

    def answer(body: Any) -> None:
        text = body if isinstance(body, bytes) else json.dumps(body)
        shared_portal.inject(Fault("answer", "status", times=1000, status=200, body=text))

    yield answer
    shared_portal.clear_faults()


def kind_of(ending: Any) -> str:
    if ending.kind == "AirflowFailException":
        return (
            CANCELED
            if "was canceled" in ending.text
            else FAILED
            if "publication failed" in ending.text
            else ending.text
        )
    return ending.kind


@pytest.mark.parametrize("mode", ["poke", "reschedule", "deferred"])
@pytest.mark.parametrize("until", ["preview", "live"])
@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize(("word", "preview", "live"), STATUSES)
def test_every_status_in_every_spelling(
    answering: Callable[[Any], None],
    run_sensor: Callable[..., Any],
    mode: str,
    until: str,
    spelling: str,
    word: str,
    preview: str,
    live: str,
) -> None:
    """A status means the same, however it is spelt and however it is waited for."""
    answering({"status": SPELLINGS[spelling](word), "steps": [], "messages": []})
    ending = run_sensor(mode, offer_id=OFFER, until=until)
    assert kind_of(ending) == {"preview": preview, "live": live}[until]


@pytest.mark.parametrize("mode", ["poke", "reschedule", "deferred"])
@pytest.mark.parametrize(("until", "expected"), [("preview", REACHED), ("live", WAITS)])
@pytest.mark.parametrize(
    "casing", ["waitingForPublisherReview", "WaitingForPublisherReview", " waitingForPublisherReview "]
)
@pytest.mark.parametrize("sign_off", SIGN_OFFS)
def test_a_sign_off_that_hides_behind_running(
    answering: Callable[[Any], None],
    run_sensor: Callable[..., Any],
    mode: str,
    until: str,
    expected: str,
    casing: str,
    sign_off: str,
) -> None:
    """An offer that says running is parked if its sign-off step waits, known by the step's id or by its name."""
    answering({"status": "running", "steps": [SIGN_OFFS[sign_off] | {"status": casing}]})
    assert kind_of(run_sensor(mode, offer_id=OFFER, until=until)) == expected


@pytest.mark.parametrize("mode", ["poke", "reschedule", "deferred"])
def test_the_overall_status_decides_whatever_the_steps_say(
    answering: Callable[[Any], None], run_sensor: Callable[..., Any], mode: str
) -> None:
    """An offer that says succeeded is live, though steps of it say that they have not begun."""
    answering({"status": "succeeded", "steps": [{"id": "displaycertify", "stepName": "C", "status": "notStarted"}]})
    assert run_sensor(mode, offer_id=OFFER).kind == REACHED


BAD_BODIES = {
    "a missing quote": b'{"status": "succeeded", "previewLinks": [], liveLinks": []}',
    "a page": b"<html><body>succeeded</body></html>",
    "nothing": b"",
    "a list": b'[{"status": "succeeded"}, {"status": "succeeded"}]',
    "null": b"null",
    "no status": b'{"steps": []}',
    "null status": b'{"status": null}',
    "a number for a status": b'{"status": 1}',
    "steps as text": b'{"status": "succeeded", "steps": "complete"}',
}


@pytest.mark.parametrize("mode", ["poke", "reschedule", "deferred"])
@pytest.mark.parametrize("body", BAD_BODIES)
def test_an_answer_that_is_none_is_waited_through(
    answering: Callable[[Any], None], run_sensor: Callable[..., Any], mode: str, body: str
) -> None:
    """An answer that is not what the API promises is neither success nor the end of a wait."""
    answering(BAD_BODIES[body])
    assert run_sensor(mode, offer_id=OFFER).kind == WAITS


@pytest.mark.parametrize("mode", ["poke", "reschedule", "deferred"])
def test_odd_but_harmless_answers_are_understood(
    answering: Callable[[Any], None], run_sensor: Callable[..., Any], mode: str
) -> None:
    """Unknown fields, null messages, long fractions, missing zones and 18 digits do not keep success from being seen."""
    message = {"messageHtml": None, "level": None, "timestamp": "2017-05-23T23:33:47.8802283Z", "new": 1}
    step = {"id": "live", "stepName": "Live", "status": "complete", "messages": [message, None, "text"], "more": {}}
    body = {"status": "succeeded", "messages": None, "steps": [step], "version": 636576975611768314, "extra": []}
    answering(body | {"changedTime": "2022-06-02T12:25:56.651"})
    assert run_sensor(mode, offer_id=OFFER).kind == REACHED


GUID = "12345678-1234-4321-8765-123456789012"
# What the successor lists of an offer's newest submission (target, progress, result), and how the two waits end.
SUBMISSIONS: list[tuple[str, str, str, str, str]] = [
    ("", "", "", WAITS, WAITS),
    ("preview", "notStarted", "pending", WAITS, WAITS),
    ("preview", "running", "pending", WAITS, WAITS),
    ("preview", "running", "succeeded", WAITS, WAITS),
    ("preview", "completed", "succeeded", REACHED, WAITS),
    ("preview", "completed", "failed", FAILED, FAILED),
    ("preview", "completed", "cancelled", CANCELED, CANCELED),
    ("preview", "completed", "pending", WAITS, WAITS),
    ("preview", "frobnicating", "succeeded", WAITS, WAITS),
    ("live", "running", "pending", REACHED, WAITS),
    ("live", "completed", "succeeded", REACHED, REACHED),
    ("live", "completed", "failed", FAILED, FAILED),
    ("live", "completed", "frobnicating", WAITS, WAITS),
    ("flight", "completed", "succeeded", WAITS, WAITS),
]


def listed(target: str, progress: str, result: str, spell: Callable[[str], str]) -> dict[str, Any]:
    """Write a list of submissions: the draft's entry, and one of these words."""
    draft = {"id": f"submission/{GUID}/0", "target": {"targetType": "draft"}}
    entry = {
        "id": f"submission/{GUID}/7",
        "target": {"targetType": spell(target) if target else ""},
        "status": spell(progress) if progress else "",
        "result": spell(result) if result else "",
        "created": "2026-11-03T09:00:00.1Z",
    }
    return {"value": [draft, entry] if target else [draft]}


@pytest.fixture
def listing(shared_portal: Emulator, connect: Callable[..., None]) -> Iterator[Callable[[Any], None]]:
    """Return a function that makes the successor answer every question for submissions with one body."""
    shared_portal.add_offer(OFFER)
    connect(shared_portal, conn_type="product_ingestion")

    def answer(body: Any) -> None:
        text = body if isinstance(body, bytes) else json.dumps(body)
        shared_portal.inject(Fault("answer", "submission_list", times=1000, status=200, body=text))

    yield answer
    shared_portal.clear_faults()


@pytest.mark.parametrize("mode", ["poke", "reschedule", "deferred"])
@pytest.mark.parametrize("until", ["preview", "live"])
@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize(("target", "progress", "result", "preview", "live"), SUBMISSIONS)
def test_every_state_of_a_submission(
    listing: Callable[[Any], None],
    run_sensor: Callable[..., Any],
    mode: str,
    until: str,
    spelling: str,
    target: str,
    progress: str,
    result: str,
    preview: str,
    live: str,
) -> None:
    """With a connection to the successor a state means the same, however it is spelt and however it is waited for."""
    listing(listed(target, progress, result, SPELLINGS[spelling]))
    ending = run_sensor(mode, offer_id=OFFER, until=until)
    assert kind_of(ending) == {"preview": preview, "live": live}[until]


BAD_LISTS = {
    "a page": b"<html><body>succeeded</body></html>",
    "nothing": b"",
    "a list": b"[]",
    "no value": b"{}",
    "an object for a value": b'{"value": {}}',
    "an entry without an id": b'{"value": [{"target": {"targetType": "live"}, "status": "completed"}]}',
    "another host's next page": b'{"value": [], "@nextLink": "https://elsewhere.example/submission/1"}',
}


@pytest.mark.parametrize("mode", ["poke", "reschedule", "deferred"])
@pytest.mark.parametrize("body", BAD_LISTS)
def test_a_list_that_is_none_is_waited_through(
    listing: Callable[[Any], None], run_sensor: Callable[..., Any], mode: str, body: str
) -> None:
    """A list that is not what the successor promises is neither success nor the end of a wait."""
    listing(BAD_LISTS[body])
    assert run_sensor(mode, offer_id=OFFER).kind == WAITS
