# SPDX-License-Identifier: Apache-2.0
"""Every status of the two APIs, in every spelling and in every mode: one table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from partner_center_emulator import Emulator, Fault
from support.sensor_result import SensorResult

OFFER = "contoso-vm"
REACHED, WAITS, FAILED, CANCELED = "reached", "waits", "failed", "canceled"

# The status, and the results of a wait until the preview and of one until live.
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
    "pascal": lambda status: status[0].upper() + status[1:],
    "camel-spaces": lambda status: f"  {status} ",
    "pascal-spaces": lambda status: f" {status[0].upper()}{status[1:]}\t",
}
SIGN_OFFS = {
    "by id": {"id": "publisher-signoff", "stepName": "Publisher signoff"},
    "by name": {"id": "step5", "stepName": "publisher-signoff"},
    "by capital name": {"id": "step5", "stepName": "Publisher-SignOff"},
}


@pytest.fixture
def status_response(shared_emulator: Emulator, connect: Callable[..., None]) -> Iterator[Callable[[Any], None]]:
    """Return a function that makes the CPP API respond to every status request with one body."""
    shared_emulator.add_offer(OFFER)
    connect(shared_emulator)

    def set_response(body: Any) -> None:
        text = body if isinstance(body, bytes) else json.dumps(body)
        shared_emulator.inject(Fault("response", "status", times=1000, status=200, body=text))

    yield set_response
    shared_emulator.clear_faults()


def kind_of(ending: SensorResult) -> str:
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
@pytest.mark.parametrize(("status", "preview", "live"), STATUSES)
def test_every_status_in_every_spelling(
    status_response: Callable[[Any], None],
    run_sensor: Callable[..., SensorResult],
    mode: str,
    until: str,
    spelling: str,
    status: str,
    preview: str,
    live: str,
) -> None:
    """A status means the same in every spelling and in every mode."""
    status_response({"status": SPELLINGS[spelling](status), "steps": [], "messages": []})
    ending = run_sensor(mode, offer_id=OFFER, until=until)
    assert kind_of(ending) == {"preview": preview, "live": live}[until]


@pytest.mark.parametrize("mode", ["poke", "reschedule", "deferred"])
@pytest.mark.parametrize(("until", "expected"), [("preview", REACHED), ("live", WAITS)])
@pytest.mark.parametrize(
    "casing", ["waitingForPublisherReview", "WaitingForPublisherReview", " waitingForPublisherReview "]
)
@pytest.mark.parametrize("sign_off", SIGN_OFFS)
def test_a_sign_off_step_behind_a_running_status(
    status_response: Callable[[Any], None],
    run_sensor: Callable[..., SensorResult],
    mode: str,
    until: str,
    expected: str,
    casing: str,
    sign_off: str,
) -> None:
    """A running offer awaits sign-off if its sign-off step, known by its ID or its name, does."""
    status_response({"status": "running", "steps": [SIGN_OFFS[sign_off] | {"status": casing}]})
    assert kind_of(run_sensor(mode, offer_id=OFFER, until=until)) == expected


@pytest.mark.parametrize("mode", ["poke", "reschedule", "deferred"])
def test_the_overall_status_beats_the_steps(
    status_response: Callable[[Any], None], run_sensor: Callable[..., SensorResult], mode: str
) -> None:
    """An offer with status succeeded is live, even if some of its steps have not started."""
    status_response(
        {"status": "succeeded", "steps": [{"id": "displaycertify", "stepName": "C", "status": "notStarted"}]}
    )
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
def test_an_invalid_response_does_not_end_the_wait(
    status_response: Callable[[Any], None], run_sensor: Callable[..., SensorResult], mode: str, body: str
) -> None:
    """A response that violates the contract is neither success nor the end of a wait."""
    status_response(BAD_BODIES[body])
    assert run_sensor(mode, offer_id=OFFER).kind == WAITS


@pytest.mark.parametrize("mode", ["poke", "reschedule", "deferred"])
def test_odd_but_harmless_responses_are_understood(
    status_response: Callable[[Any], None], run_sensor: Callable[..., SensorResult], mode: str
) -> None:
    """Unknown fields, null messages, long fractions, missing time zones and 18 digits do not hide success."""
    message = {"messageHtml": None, "level": None, "timestamp": "2017-05-23T23:33:47.8802283Z", "new": 1}
    step = {"id": "live", "stepName": "Live", "status": "complete", "messages": [message, None, "text"], "more": {}}
    body = {"status": "succeeded", "messages": None, "steps": [step], "version": 636576975611768314, "extra": []}
    status_response(body | {"changedTime": "2022-06-02T12:25:56.651"})
    assert run_sensor(mode, offer_id=OFFER).kind == REACHED


GUID = "12345678-1234-4321-8765-123456789012"
# Target, status and result of an offer's newest submission, and the results of the two waits.
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


def submission_list(target: str, progress: str, result: str, spell: Callable[[str], str]) -> dict[str, Any]:
    """Return a list of submissions: the draft's, and one with these words."""
    draft = {"id": f"submission/{GUID}/0", "target": {"targetType": "draft"}}
    submission = {
        "id": f"submission/{GUID}/7",
        "target": {"targetType": spell(target) if target else ""},
        "status": spell(progress) if progress else "",
        "result": spell(result) if result else "",
        "created": "2026-11-03T09:00:00.1Z",
    }
    return {"value": [draft, submission] if target else [draft]}


@pytest.fixture
def list_response(shared_emulator: Emulator, connect: Callable[..., None]) -> Iterator[Callable[[Any], None]]:
    """Return a function that makes the Product Ingestion API respond to every request for submissions with one body."""
    shared_emulator.add_offer(OFFER)
    connect(shared_emulator, conn_type="product_ingestion")

    def set_response(body: Any) -> None:
        text = body if isinstance(body, bytes) else json.dumps(body)
        shared_emulator.inject(Fault("response", "submission_list", times=1000, status=200, body=text))

    yield set_response
    shared_emulator.clear_faults()


@pytest.mark.parametrize("mode", ["poke", "reschedule", "deferred"])
@pytest.mark.parametrize("until", ["preview", "live"])
@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize(("target", "progress", "result", "preview", "live"), SUBMISSIONS)
def test_every_state_of_a_submission(
    list_response: Callable[[Any], None],
    run_sensor: Callable[..., SensorResult],
    mode: str,
    until: str,
    spelling: str,
    target: str,
    progress: str,
    result: str,
    preview: str,
    live: str,
) -> None:
    """With the Product Ingestion API a state means the same in every spelling and in every mode."""
    list_response(submission_list(target, progress, result, SPELLINGS[spelling]))
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
def test_an_invalid_list_does_not_end_the_wait(
    list_response: Callable[[Any], None], run_sensor: Callable[..., SensorResult], mode: str, body: str
) -> None:
    """A list that violates the contract is neither success nor the end of a wait."""
    list_response(BAD_LISTS[body])
    assert run_sensor(mode, offer_id=OFFER).kind == WAITS
