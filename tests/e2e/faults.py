# SPDX-License-Identifier: Apache-2.0
"""The faults of a deployment, each injected for real, and each with proof that it affected something."""

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
"""Seconds; the tasks poll every two seconds."""


def kill_triggerer(scenario: Scenario) -> None:
    """Kill the triggerer with the most triggers, and restart it; the waits continue on another one, or on this one."""
    before, victim = _holders_and_busiest(scenario)
    victim.kill()
    victim.start()
    _record_moved(scenario, before, f"{victim.name} killed")


def restart_triggerers_without_connections(scenario: Scenario) -> None:
    """Restart all triggerers while the connections are missing, and restore the connections after some polls."""
    waiting = len(scenario.tasks("deferred"))
    scenario.disconnect()
    try:
        for triggerer in scenario.deployment.processes_of("triggerer"):
            triggerer.kill()
            triggerer.start()
        wait_until(lambda: _without_connection(scenario) == waiting, "every trigger has tried to read its connection")
        polls = scenario.polls()
        time.sleep(LONGER_THAN_A_POLL)
        assert len(scenario.tasks("deferred")) == waiting, "some tasks no longer wait"
        assert scenario.polls() == polls, "some polls were sent"
    finally:
        scenario.connect()
    scenario.record(f"{waiting} triggers restarted, and polled without a connection", affected=waiting)


def stall_triggerer(scenario: Scenario) -> None:
    """Pause the triggerer with the most triggers until another one has taken over, then resume it."""
    before, victim = _holders_and_busiest(scenario)
    victim.pause()
    try:
        _record_moved(scenario, before, f"{victim.name} paused")
    finally:
        victim.resume()


def kill_worker_while_publishing(scenario: Scenario) -> None:
    """Kill the workers of two publishes: one that the API has not processed yet, and one that it has accepted."""
    for gate in scenario.gates:
        gate.wait_until_reached(90)
    killed = _kill_workers(scenario)
    for gate in scenario.gates:
        gate.open()
    scenario.record(f"{killed} killed, with one publish not processed yet and one accepted", affected=killed)


def kill_worker_while_polling(scenario: Scenario) -> None:
    """Kill the workers of tasks that poll in their own process.

    A task that is killed before it executes leaves no trace: its retry asks for a manual check, because the offer's previous
    publication ended a moment before the DAG run.
    """

    def every_task_polls() -> bool:
        counts = [scenario.emulator.counts_for(offer) for offer in scenario.offers]
        polled = sum(any(count[poll] for poll in POLLS) for count in counts)
        return 0 < len(scenario.tasks("running")) <= polled

    wait_until(every_task_polls, "every running task polls")
    killed = _kill_workers(scenario)
    scenario.record(f"{killed} killed between two polls", affected=killed)


def kill_scheduler(scenario: Scenario) -> None:
    """Kill the scheduler, with the tasks that it executes itself, and restart it."""
    gate, _ = scenario.gates
    gate.wait_until_reached(90)
    (scheduler,) = scenario.deployment.processes_of("scheduler")
    waiting = len(scenario.tasks("deferred", "running"))
    scheduler.kill()
    scheduler.start()
    for one in scenario.gates:
        one.open()
    scenario.record(f"killed while {waiting} tasks ran or waited", affected=waiting)


def restart_postgres(scenario: Scenario) -> None:
    """Restart the database."""
    deployment = scenario.deployment
    assert isinstance(deployment, Distributed)
    waiting = len(scenario.tasks("deferred", "running"))
    deployment.postgres.end()
    time.sleep(2)
    deployment.postgres.start()
    scenario.record(f"restarted while {waiting} tasks ran or waited", affected=waiting)


def stop_emulator(scenario: Scenario) -> None:
    """Stop the emulator for longer than a poll interval, and start it again with the same state."""
    waiting = len(scenario.tasks("deferred"))
    scenario.emulator.stop()
    time.sleep(LONGER_THAN_A_POLL)
    scenario.emulator.start()
    scenario.record(f"stopped for {LONGER_THAN_A_POLL:g} s while {waiting} tasks waited", affected=waiting)


def revoke_tokens(scenario: Scenario) -> None:
    """Revoke every token."""
    before = scenario.responses(401)
    scenario.emulator.revoke_tokens()
    wait_until(lambda: scenario.responses(401) > before, "a revoked token is used")
    scenario.record(f"{scenario.responses(401) - before} requests refused", affected=scenario.responses(401) - before)


def rotate_secret(scenario: Scenario) -> None:
    """Replace the client secret, so that the next sign-in fails, and correct the connection some polls later."""
    before = scenario.responses(401, ["token"])
    scenario.emulator.rotate_secret()
    scenario.emulator.revoke_tokens()
    try:
        wait_until(lambda: scenario.responses(401, ["token"]) > before, "the old secret is refused")
        time.sleep(LONGER_THAN_A_POLL)
        refused = scenario.responses(401, ["token"]) - before
    finally:
        scenario.connect()
    scenario.record(f"{refused} sign-ins refused", affected=refused)


def throttle(scenario: Scenario) -> None:
    """Respond with 429 to all requests for a while."""
    before = scenario.responses(429)
    scenario.emulator.inject(Fault("response", times=100_000, status=429, headers={"Retry-After": "1"}))
    try:
        time.sleep(LONGER_THAN_A_POLL)
        wait_until(lambda: scenario.responses(429) > before, "a request is throttled")
    finally:
        scenario.emulator.clear_faults()
    throttled = scenario.responses(429) - before
    scenario.record(f"{throttled} requests throttled", affected=throttled)


def kill_any_worker(scenario: Scenario) -> None:
    """Kill all processes that execute a task now; in a mixture there may be none at that moment."""
    scenario.events.append(f"{_kill_workers(scenario)} task processes killed")


def kill_any_scheduler(scenario: Scenario) -> None:
    """Kill the scheduler at any moment, and restart it."""
    (scheduler,) = scenario.deployment.processes_of("scheduler")
    active = len(scenario.tasks("scheduled", "queued", "running", "deferred"))
    scheduler.kill()
    scheduler.start()
    scenario.record(f"killed with {active} active tasks", affected=active)


MIXED: tuple[Callable[[Scenario], None], ...] = (
    kill_triggerer,
    stall_triggerer,
    kill_any_worker,
    kill_any_scheduler,
    restart_postgres,
    stop_emulator,
    revoke_tokens,
    throttle,
)
"""The faults of a mixture, without rotate_secret: a task that starts to publish with a wrong secret fails without a retry."""


def _kill_workers(scenario: Scenario) -> int:
    """Kill all processes that execute a task, and a Celery worker if there are any."""
    tasks = scenario.deployment.task_processes()
    workers = scenario.deployment.processes_of("worker")
    if workers:
        workers[0].kill()
        workers[0].start()
    for process in tasks:
        if process.is_running():
            process.kill()
    return len(tasks)


def _holders_and_busiest(scenario: Scenario) -> tuple[dict[int, int], Process]:
    """Return which triggerer holds which trigger, and the triggerer that holds the most of this run."""
    triggerers = scenario.deployment.processes_of("triggerer")
    waiting = len(scenario.tasks("deferred"))
    wait_until(lambda: len(_holders(scenario)) == waiting, "a triggerer holds every trigger")
    wait_until(
        lambda: sum(_held(one, scenario) for one in triggerers) >= waiting,
        "the triggerers write the log of every trigger",
    )
    return _holders(scenario), max(triggerers, key=lambda one: _held(one, scenario))


def _held(triggerer: Process, scenario: Scenario) -> int:
    """Return how many triggers of a run a triggerer holds: it keeps the log of each open."""
    part, count = f"run_id={scenario.run_id}/", 0
    for process in triggerer.process_tree():
        with contextlib.suppress(psutil.NoSuchProcess):
            count += sum(part in file.path for file in process.open_files())
    return count


def _holders(scenario: Scenario) -> dict[int, int]:
    """Return the triggerer of each deferred task, by its map index."""
    holders = {}
    for one in scenario.tasks("deferred"):
        job = one.get("triggerer_job") or {}
        if job.get("id") is not None:
            holders[one["map_index"]] = job["id"]
    return holders


def _without_connection(scenario: Scenario) -> int:
    """Return the number of tasks with a trigger log in which Airflow reports a missing connection."""
    folder = scenario.deployment.home / "logs" / f"dag_id={scenario.dag_id}" / f"run_id={scenario.run_id}"
    logs = folder.rglob("*.trigger.*")
    return len({log.parent for log in logs if "isn't defined" in log.read_text(errors="replace")})


def _record_moved(scenario: Scenario, before: dict[int, int], text: str) -> None:
    """Wait until one triggerer holds none of its triggers, and another one holds those that have not ended."""

    def moved() -> int:
        after = _holders(scenario)
        groups = [[index for index, job in before.items() if job == one] for one in set(before.values())]
        released = [group for group in groups if all(after.get(index) != before[index] for index in group)]
        return max((sum(index in after for index in group) for group in released), default=0)

    wait_until(moved, f"{scenario.run_id}: triggers move to another triggerer")
    scenario.record(f"{text}, {moved()} of {len(before)} triggers moved", affected=moved())
