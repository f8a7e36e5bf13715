# SPDX-License-Identifier: Apache-2.0
"""Faults of responses and of clears, and what must come of each."""

from __future__ import annotations

from dataclasses import dataclass

from partner_center_emulator import Settings

PREVIEW_IN_SECONDS = 5 * 86400 / 10
"""The speed of a clock by which a publish needs some seconds to its preview."""

PROMPT = Settings()
"""A publish shows at once."""

SILENT = Settings(lag_status=10**6, refusal_shown_as="400")
"""The offer's status never shows a publish."""


@dataclass(frozen=True)
class Case:
    """A fault, and what must come of it.

    :param name: names the run, the offer and the connection.
    :param words: for the table.
    :param dag_id: the DAG that runs.
    :param act: names what is done, from the start of the run to the end of its last try; see ``faults.py``.
    :param submitted: how many publishes are sent.
    :param accepted: how many of them the API accepts.
    :param ending: the state of the task.
    :param says: what its log says.
    :param settings: how the portal behaves; if None, what it shows of a publish lags for less than the settle time.
    :param speed: seconds of the portal in one of the world.
    :param through_relay: whether requests to the API go through a :class:`~relay.Relay`.
    :param needs_checkpoints: whether it is about what tries save for later ones, so that it needs Airflow 3.3.
    """

    name: str
    words: str
    dag_id: str
    act: str
    submitted: int
    accepted: int
    ending: str
    says: str
    settings: Settings | None = None
    speed: float = 1.0
    through_relay: bool = False
    needs_checkpoints: bool = False


CASES = (
    Case(
        "fault_interim_response",
        "a proxy sends `103 Early Hints` before the response to the publish",
        dag_id="publish_and_wait",
        act="interim_response",
        submitted=1,
        accepted=1,
        ending="success",
        says="HTTP 103",
        speed=PREVIEW_IN_SECONDS,
        through_relay=True,
    ),
    Case(
        "fault_interim_response_in_turn",
        'the same, with `if_running="wait"`',
        dag_id="publish_in_turn",
        act="interim_response",
        submitted=1,
        accepted=1,
        ending="success",
        says="HTTP 103",
        settings=PROMPT,  # so that a try which takes the publish for refused waits for it, and then publishes again
        speed=PREVIEW_IN_SECONDS,
        through_relay=True,
    ),
    Case(
        "fault_no_changes",
        'the API refuses every publish with 409, with `if_running="wait"`',
        dag_id="publish_in_turn",
        act="no_changes",
        submitted=2,
        accepted=0,
        ending="failed",
        says="The draft has no changes",
    ),
    Case(
        "fault_silent_list",
        "killed once its publish was accepted; the list stays empty, and the retry's publish is refused",
        dag_id="publish",
        act="silent_list",
        submitted=2,
        accepted=1,
        ending="failed",
        says="it is not known whether",
        settings=SILENT,
        needs_checkpoints=True,
    ),
    Case(
        "fault_fewer_retries",
        "cleared after its operation ended, with fewer `retries` than before",
        dag_id="publish_with_retries",
        act="fewer_retries",
        submitted=1,
        accepted=1,
        ending="failed",
        says="start a new DAG run",
        needs_checkpoints=True,
    ),
    Case(
        "fault_emptied_store",
        "cleared after its operation ended, with Airflow's store of its state emptied",
        dag_id="publish",
        act="emptied_store",
        submitted=2,
        accepted=2,
        ending="success",
        says="Airflow kept no checkpoint",
        needs_checkpoints=True,
    ),
)


def cases(*, with_checkpoints: bool) -> list[Case]:
    """List the faults that an Airflow with checkpoints, or without, can meet."""
    return [case for case in CASES if with_checkpoints or not case.needs_checkpoints]
