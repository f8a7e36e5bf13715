# SPDX-License-Identifier: Apache-2.0
"""``make airflow``, as a new user runs it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from deployments.api import Airflow
from deployments.processes import clean_environment, free_port, wait_until

ROOT = Path(__file__).parents[2]
Started = tuple[subprocess.Popen[str], dict[str, str]]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    """Run the command, and yield its process and the addresses that it prints, by their names."""
    output = tmp_path / "output"
    command = ["make", "airflow", f"AIRFLOW_ARGS=--port {free_port()}"]
    with output.open("w") as written:
        process = subprocess.Popen(
            command, cwd=ROOT, env=clean_environment(), stdout=written, text=True, start_new_session=True
        )
    try:
        wait_until(lambda: "Ctrl-C" in output.read_text() or process.poll() is not None, "addresses are printed", 400)
        lines = [line.partition(": ") for line in output.read_text().splitlines()]
        yield process, {name: rest.split()[0].rstrip(",") for name, _, rest in lines if "http://" in rest}
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def descendants(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """List the descendants; not by their environments, which a server that changes its title overwrites."""
    return psutil.Process(process.pid).children(recursive=True)


def alive(processes: list[psutil.Process]) -> list[str]:
    """Return the command lines of the processes that are still running."""
    commands = []
    for one in processes:
        with contextlib.suppress(psutil.Error):
            if one.is_running() and one.status() != psutil.STATUS_ZOMBIE:
                commands.append(" ".join(one.cmdline())[:120])
    return commands


def threads_of(processes: list[psutil.Process], script: str) -> list[int]:
    """Return the thread ids of a script, without its main thread; a signal can be sent to each."""
    threads = []
    for one in processes:
        with contextlib.suppress(psutil.Error):  # tasks may have ended
            if any(part.endswith(script) for part in one.cmdline()):
                threads += [thread.id for thread in one.threads() if thread.id != one.pid]
    return threads


def wait_and_approve(api: Airflow, run_ids: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Wait until the runs end, and approve what waits for a person; return the runs by DAG."""
    paused = {}  # when each approval was seen first

    def ended() -> bool:
        for approval in api.request("GET", "dags/~/dagRuns/~/hitlDetails", response_received=False)["hitl_details"]:
            task = approval["task_instance"]
            # Airflow fails a task that is approved before its executor has reported that it paused.
            if time.monotonic() - paused.setdefault(task["id"], time.monotonic()) > 3:
                path = (
                    f"dags/{task['dag_id']}/dagRuns/{task['dag_run_id']}/taskInstances/{task['task_id']}/-1/hitlDetails"
                )
                api.request("PATCH", path, {"chosen_options": ["Approve"], "params_input": {}})
        return all(api.run(*run)["state"] in ("success", "failed") for run in run_ids.items())

    wait_until(ended, "the runs end", 400, 1.0)
    return {dag_id: api.run(dag_id, run_id) for dag_id, run_id in run_ids.items()}


def open_links(api: Airflow, run_ids: dict[str, str], dashboard: str) -> int:
    """Open the links to Partner Center of all tasks in the runs, and return their number."""
    opened = 0
    for dag_id, run_id in run_ids.items():
        for task in api.task_instances(dag_id, run_id):
            path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task['task_id']}/links"
            links = api.request("GET", path, map_index=task["map_index"])["extra_links"]
            if address := links.get("Partner Center"):
                assert address.startswith(dashboard), address
                assert "Partner Center emulator" in requests.get(address, timeout=30).text
                opened += 1
    return opened


def test_one_command_serves_airflow_until_ctrl_c(started: Started, record_property: Callable[..., None]) -> None:
    """The UI responds, its Test button works, all examples succeed as shipped, links open; Ctrl-C leaves no process."""
    process, addresses = started
    address = addresses["Airflow"]
    api = Airflow(address)
    api.sign_in()
    assert "<html" in api.session.get(f"{address}/", timeout=30).text.lower()
    connection = api.request("GET", "connections/cloud_partner_portal_default")
    assert connection["conn_type"] == "cloud_partner_portal"
    del connection["team_name"]
    # As the UI sends it: 0 for no port.
    tested = api.request("POST", "connections/test", connection | {"port": connection["port"] or 0})
    assert tested["status"] is True, tested
    assert "publisher contoso has 6 offers" in tested["message"]
    run_ids = {path.stem: "first" for path in (ROOT / "example_dags").glob("*.py")}
    wait_until(lambda: api.request("GET", "dags")["total_entries"] >= len(run_ids), "the examples are parsed", 120)
    for run in run_ids.items():
        api.trigger(*run)
    runs = wait_and_approve(api, run_ids)
    record_property("examples", {dag_id: [run["state"], run["duration"]] for dag_id, run in runs.items()})
    assert {run["state"] for run in runs.values()} == {"success"}, runs
    assert open_links(api, run_ids, addresses["emulator"]) >= 7  # of each publish, and of each change of a draft
    started_processes = descendants(process)
    assert any("api_server" in line for line in alive(started_processes)), alive(started_processes)
    # The kernel may deliver signals to another thread than the main one, which continues to sleep.
    os.kill(threads_of(started_processes, "web_page.py")[0], signal.SIGINT)
    wait_until(lambda: not any("api_server" in line for line in alive(started_processes)), "the API server ends", 30)
    # As from repeated Ctrl-C, and as make passes a signal on that its whole group received.
    with contextlib.suppress(ProcessLookupError):
        for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM):
            os.killpg(process.pid, number)
    process.wait(60)
    wait_until(lambda: not alive(started_processes), "all processes have ended", 60)
