# SPDX-License-Identifier: Apache-2.0
"""What goes wrong in a deployment, each caused for real, and each with the proof that something was struck."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import psutil
from deployments.distributed import Distributed
from deployments.processes import Process, wait_until
from e2e.scenario import POLLS, Scenario
from partner_center_emulator import Fault

LONGER_THAN_A_POLL = 6.0
"""Seconds: tasks here poll every two."""


def kill_triggerer(scenario: Scenario) -> None:
    """Kill the triggerer that waits, and start it again; what waited goes on elsewhere, or there anew."""
    before, victim = _waiting(scenario)
    victim.kill()
    victim.start()
    _note_moved(scenario, before, f"{victim.name} killed")


def restart_triggerers_without_connections(scenario: Scenario) -> None:
    """Kill all triggerers and start them while the connections cannot be read; these are back after some polls."""
    waiting = len(scenario.tasks("deferred"))
    scenario.disconnect()
    try:
        for triggerer in scenario.deployment.named("triggerer"):
            triggerer.kill()
            triggerer.start()
        wait_until(lambda: _without_connection(scenario) == waiting, "every trigger has looked for its connection")
        polls = scenario.polls()
        time.sleep(LONGER_THAN_A_POLL)
        still, polled = len(scenario.tasks("deferred")), scenario.polls() - polls
        assert (still, polled) == (waiting, 0), f"{still} of {waiting} tasks still wait, {polled} polls were sent"
    finally:
        scenario.connect()
    scenario.note(f"{waiting} triggers started again, and polled without a connection", strikes=waiting)


def stall_triggerer(scenario: Scenario) -> None:
    """Let the triggerer that waits stand still until another one took over, and then go on as if nothing had been."""
    before, victim = _waiting(scenario)
    victim.stop()
    try:
        _note_moved(scenario, before, f"{victim.name} stood still")
    finally:
        victim.go_on()


def kill_worker_while_publishing(scenario: Scenario) -> None:
    """Kill the workers of two publishes: one that the portal has not seen yet, and one that it took."""
    unseen, taken = scenario.gates
    for gate in (unseen, taken):
        gate.wait_until_reached(90)
    struck = _kill_workers(scenario)
    for gate in (unseen, taken):
        gate.open()
    scenario.note(f"{struck} killed, a publish held before and one after it was taken", strikes=struck)


def kill_worker_while_polling(scenario: Scenario) -> None:
    """Kill the workers of tasks that poll in their own process.

    A task that is killed before it executes can leave no mark: its retry asks for a manual check, since the offer's previous
    publication ended a moment before the DAG run.
    """

    def every_task_polls() -> bool:
        counts = [scenario.portal.counts_for(offer) for offer in scenario.offers]
        polled = sum(any(count[poll] for poll in POLLS) for count in counts)
        return 0 < len(scenario.tasks("running")) <= polled

    wait_until(every_task_polls, "every task that runs polls")
    struck = _kill_workers(scenario)
    scenario.note(f"{struck} killed between two polls", strikes=struck)


def kill_scheduler(scenario: Scenario) -> None:
    """Kill the scheduler, with the tasks that it runs itself, and start it again."""
    gate, _ = scenario.gates
    gate.wait_until_reached(90)
    (scheduler,) = scenario.deployment.named("scheduler")
    waiting = len(scenario.tasks("deferred", "running"))
    scheduler.kill()
    scheduler.start()
    for one in scenario.gates:
        one.open()
    scenario.note(f"killed while {waiting} tasks ran or waited", strikes=waiting)


def restart_postgres(scenario: Scenario) -> None:
    """Restart the database below everybody."""
    deployment = scenario.deployment
    assert isinstance(deployment, Distributed)
    waiting = len(scenario.tasks("deferred", "running"))
    deployment.postgres.end()
    time.sleep(2)
    deployment.postgres.start()
    scenario.note(f"restarted while {waiting} tasks ran or waited", strikes=waiting)


def stop_portal(scenario: Scenario) -> None:
    """Stop the portal for longer than a poll, and start it again where it was."""
    waiting = len(scenario.tasks("deferred"))
    scenario.portal.stop()
    time.sleep(LONGER_THAN_A_POLL)
    scenario.portal.start()
    scenario.note(f"away for {LONGER_THAN_A_POLL:g} s while {waiting} tasks waited", strikes=waiting)


def revoke_tokens(scenario: Scenario) -> None:
    """Revoke every token."""
    before = scenario.answered(401)
    scenario.portal.revoke_tokens()
    wait_until(lambda: scenario.answered(401) > before, "a revoked token is used")
    scenario.note(f"{scenario.answered(401) - before} requests refused", strikes=scenario.answered(401) - before)


def rotate_secret(scenario: Scenario) -> None:
    """Replace the client secret, so that renewal fails, and correct the connection some polls later."""
    before = scenario.answered(401, ["token"])
    scenario.portal.rotate_secret()
    scenario.portal.revoke_tokens()
    try:
        wait_until(lambda: scenario.answered(401, ["token"]) > before, "the old secret is refused")
        time.sleep(LONGER_THAN_A_POLL)
        refused = scenario.answered(401, ["token"]) - before
    finally:
        scenario.connect()
    scenario.note(f"{refused} sign-ins refused", strikes=refused)


def throttle(scenario: Scenario) -> None:
    """Answer 429 to everything for a while."""
    before = scenario.answered(429)
    scenario.portal.inject(Fault("answer", times=100_000, status=429, headers={"Retry-After": "1"}))
    try:
        time.sleep(LONGER_THAN_A_POLL)
        wait_until(lambda: scenario.answered(429) > before, "a request is throttled")
    finally:
        scenario.portal.clear_faults()
    throttled = scenario.answered(429) - before
    scenario.note(f"{throttled} requests throttled", strikes=throttled)


def kill_any_worker(scenario: Scenario) -> None:
    """Kill whatever executes a task just now; in a mixture there may be nothing at that moment."""
    struck = _kill_workers(scenario)
    scenario.struck.append(f"{struck} task processes killed")


def kill_any_scheduler(scenario: Scenario) -> None:
    """Kill the scheduler at any moment, and start it again."""
    (scheduler,) = scenario.deployment.named("scheduler")
    alive = len(scenario.tasks("scheduled", "queued", "running", "deferred"))
    scheduler.kill()
    scheduler.start()
    scenario.note(f"killed with {alive} tasks on their way", strikes=alive)


MIXED: tuple[Callable[[Scenario], None], ...] = (
    kill_triggerer,
    stall_triggerer,
    kill_any_worker,
    kill_any_scheduler,
    restart_postgres,
    stop_portal,
    revoke_tokens,
    throttle,
)
"""What a mixture is made of. A rotated secret is not: who begins to publish with a wrong one fails for good, rightly."""


def _kill_workers(scenario: Scenario) -> int:
    """Kill everything that executes a task: the tasks' processes, and where there are Celery workers one of those too."""
    tasks = scenario.deployment.task_processes()
    workers = scenario.deployment.named("worker")
    if workers:
        workers[0].kill()
        workers[0].start()
    for process in tasks:
        if process.is_running():
            process.kill()
    return len(tasks)


def _waiting(scenario: Scenario) -> tuple[dict[int, int], Process]:
    """Return who holds which trigger, and the triggerer that holds the most of this run."""
    triggerers = scenario.deployment.named("triggerer")
    wait_until(lambda: _holders(scenario), "a triggerer holds triggers")
    wait_until(lambda: any(_held(one, scenario) for one in triggerers), "a triggerer writes to what it holds")
    return _holders(scenario), max(triggerers, key=lambda one: _held(one, scenario))


def _held(triggerer: Process, scenario: Scenario) -> int:
    """Count the triggers of a run that a triggerer holds: it keeps the log of each open for as long."""
    part, found = f"run_id={scenario.run_id}/", 0
    for process in triggerer.family():
        with contextlib.suppress(psutil.NoSuchProcess):
            found += sum(part in file.path for file in process.open_files())
    return found


def _holders(scenario: Scenario) -> dict[int, int]:
    """Return the triggerer of each task that waits, by its map index."""
    found = {}
    for one in scenario.tasks("deferred"):
        job = one.get("triggerer_job") or {}
        if job.get("id") is not None:
            found[one["map_index"]] = job["id"]
    return found


def _without_connection(scenario: Scenario) -> int:
    """Count the tasks in whose trigger's log Airflow says that there is no such connection."""
    folder = scenario.deployment.home / "logs" / f"dag_id={scenario.dag_id}" / f"run_id={scenario.run_id}"
    logs = folder.rglob("*.trigger.*")
    return len({log.parent for log in logs if "isn't defined" in log.read_text(errors="replace")})


def _note_moved(scenario: Scenario, before: dict[int, int], text: str) -> None:
    """Wait until one triggerer holds nothing of what it held, and another one holds what has not ended since."""

    def moved() -> int:
        after = _holders(scenario)
        groups = [[index for index, job in before.items() if job == one] for one in set(before.values())]
        left = [group for group in groups if all(after.get(index) != before[index] for index in group)]
        return max((sum(index in after for index in group) for group in left), default=0)

    wait_until(moved, f"{scenario.run_id}: triggers move to another triggerer")
    scenario.note(f"{text}, {moved()} of {len(before)} triggers moved", strikes=moved())
