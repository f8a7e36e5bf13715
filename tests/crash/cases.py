# SPDX-License-Identifier: Apache-2.0
"""Faults of responses and of clears, and the expected result of each."""

from __future__ import annotations

from dataclasses import dataclass

from partner_center_emulator import Settings

PREVIEW_IN_SECONDS = 5 * 86400 / 10
"""A clock speed at which a publish takes some seconds to its preview."""

PROMPT = Settings()
"""A publish shows at once."""

SILENT = Settings(lag_status=10**6, refusal_shown_as="400")
"""The offer's status never shows a publish."""


@dataclass(frozen=True)
class Case:
    """A fault, and its expected result.

    :param name: names the run, the offer and the connection.
    :param description: for the table.
    :param dag_id: the DAG that runs.
    :param action: the function in ``faults.py`` that acts, from the start of the run to the end of its last try.
    :param submitted: how many publishes are sent.
    :param accepted: how many of them the API accepts.
    :param ending: the state of the task.
    :param log_text: what its log contains.
    :param settings: the emulator's settings; if None, its responses lag behind a publish for less than the settle time.
    :param speed: seconds of the emulator's clock in a second.
    :param through_relay: whether requests to the API go through a :class:`~relay.Relay`.
    :param needs_checkpoints: whether the case depends on checkpoints, which need Airflow 3.3.
    """

    name: str
    description: str
    dag_id: str
    action: str
    submitted: int
    accepted: int
    ending: str
    log_text: str
    settings: Settings | None = None
    speed: float = 1.0
    through_relay: bool = False
    needs_checkpoints: bool = False


CASES = (
    Case(
        "fault_interim_response",
        "a proxy sends `103 Early Hints` before the response to the publish",
        dag_id="publish_and_wait",
        action="interim_response",
        submitted=1,
        accepted=1,
        ending="success",
        log_text="HTTP 103",
        speed=PREVIEW_IN_SECONDS,
        through_relay=True,
    ),
    Case(
        "fault_interim_response_in_turn",
        'the same, with `if_running="wait"`',
        dag_id="publish_in_turn",
        action="interim_response",
        submitted=1,
        accepted=1,
        ending="success",
        log_text="HTTP 103",
        settings=PROMPT,  # so that a try that treats the publish as rejected waits for it, and then publishes again
        speed=PREVIEW_IN_SECONDS,
        through_relay=True,
    ),
    Case(
        "fault_no_changes",
        'the API refuses every publish with 409, with `if_running="wait"`',
        dag_id="publish_in_turn",
        action="no_changes",
        submitted=2,
        accepted=0,
        ending="failed",
        log_text="The draft has no changes",
    ),
    Case(
        "fault_silent_list",
        "killed once its publish was accepted; the list stays empty, and the retry's publish is refused",
        dag_id="publish",
        action="silent_list",
        submitted=2,
        accepted=1,
        ending="failed",
        log_text="it is not known whether",
        settings=SILENT,
        needs_checkpoints=True,
    ),
    Case(
        "fault_fewer_retries",
        "cleared after its operation ended, with fewer `retries` than before",
        dag_id="publish_with_retries",
        action="fewer_retries",
        submitted=1,
        accepted=1,
        ending="failed",
        log_text="start a new DAG run",
        needs_checkpoints=True,
    ),
    Case(
        "fault_emptied_store",
        "cleared after its operation ended, with Airflow's store of its state emptied",
        dag_id="publish",
        action="emptied_store",
        submitted=2,
        accepted=2,
        ending="success",
        log_text="Airflow has no checkpoint of this task",
        needs_checkpoints=True,
    ),
)


def cases(*, with_checkpoints: bool) -> list[Case]:
    """List the faults that can occur on an Airflow with checkpoints, or without."""
    return [case for case in CASES if with_checkpoints or not case.needs_checkpoints]
