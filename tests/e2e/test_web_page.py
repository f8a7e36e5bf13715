# SPDX-License-Identifier: Apache-2.0
"""``make airflow``, as a new user runs it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from deployments.api import Airflow
from deployments.processes import clean_environment, free_port, wait_until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the command, and yield its process and the address that it prints."""
    output = tmp_path / "output"
    command = ["make", "airflow", f"AIRFLOW_ARGS=--port {free_port()}"]
    with output.open("w") as written:
        process = subprocess.Popen(
            command, cwd=ROOT, env=clean_environment(), stdout=written, text=True, start_new_session=True
        )
    try:
        wait_until(lambda: "http://" in output.read_text() or process.poll() is not None, "an address is printed", 400)
        yield process, next(line for line in output.read_text().splitlines() if line.startswith("http://"))
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


def test_one_command_serves_airflow_until_ctrl_c(started: tuple[subprocess.Popen[str], str]) -> None:
    """The UI responds, its Test button works, a triggered example succeeds, and Ctrl-C leaves no process."""
    process, address = started
    api = Airflow(address)
    api.sign_in()
    assert "<html" in api.session.get(f"{address}/", timeout=30).text.lower()
    connection = api.request("GET", "connections/cloud_partner_portal_default")
    assert connection["conn_type"] == "cloud_partner_portal"
    del connection["team_name"]
    # As the UI sends it: 0 for no port.
    tested = api.request("POST", "connections/test", connection | {"port": connection["port"] or 0})
    assert tested["status"] is True, tested
    assert "publisher contoso has 2 offers" in tested["message"]
    wait_until(lambda: api.request("GET", "dags")["total_entries"] >= 6, "the examples are parsed", 120)
    api.trigger("publish_and_wait", "first")
    wait_until(lambda: api.run("publish_and_wait", "first")["state"] in ("success", "failed"), "the run ends", 240)
    assert api.run("publish_and_wait", "first")["state"] == "success"
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
