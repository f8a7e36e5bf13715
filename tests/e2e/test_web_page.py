# SPDX-License-Identifier: Apache-2.0
"""``make airflow``, as somebody new runs it."""

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
from deployments.processes import free_port, wait_until, whole_environment

ROOT = Path(__file__).parents[2]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the command, and return it with the address that it prints."""
    output = tmp_path / "output"
    command = ["make", "airflow", f"AIRFLOW_ARGS=--port {free_port()}"]
    with output.open("w") as written:
        process = subprocess.Popen(
            command, cwd=ROOT, env=whole_environment(), stdout=written, text=True, start_new_session=True
        )
    try:
        wait_until(lambda: "http://" in output.read_text() or process.poll() is not None, "an address is printed", 400)
        yield process, next(line for line in output.read_text().splitlines() if line.startswith("http://"))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """List what was begun; not by environments, which a server that renames itself writes over."""
    return psutil.Process(process.pid).children(recursive=True)


def alive(family: list[psutil.Process]) -> list[str]:
    """List what still runs of it."""
    found = []
    for one in family:
        with contextlib.suppress(psutil.Error):
            if one.is_running() and one.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(one.cmdline())[:120])
    return found


def threads_of(family: list[psutil.Process], script: str) -> list[int]:
    """List the threads of a script, but for its first one, by the numbers that a signal can be sent to."""
    found = []
    for one in family:
        with contextlib.suppress(psutil.Error):  # tasks that ended are no processes any more
            if any(part.endswith(script) for part in one.cmdline()):
                found += [thread.id for thread in one.threads() if thread.id != one.pid]
    return found


def test_one_command_serves_airflow_until_ctrl_c(started: tuple[subprocess.Popen[str], str]) -> None:
    """The page answers, its Test button works, the example that is triggered succeeds, and Ctrl-C leaves no process."""
    process, address = started
    api = Airflow(address)
    api.token()
    assert "<html" in api.session.get(f"{address}/", timeout=30).text.lower()
    connection = api.ask("GET", "connections/cloud_partner_portal_default")
    assert connection["conn_type"] == "cloud_partner_portal"
    del connection["team_name"]
    # As the page sends it: 0 for a port that is not there.
    tested = api.ask("POST", "connections/test", connection | {"port": connection["port"] or 0})
    assert (tested["status"], "publisher contoso has 2 offers" in tested["message"]) == (True, True), tested
    wait_until(lambda: api.ask("GET", "dags")["total_entries"] >= 6, "the examples are read", 120)
    api.trigger("publish_and_wait", "first")
    wait_until(lambda: api.run("publish_and_wait", "first")["state"] in ("success", "failed"), "the run ends", 240)
    assert api.run("publish_and_wait", "first")["state"] == "success"
    begun = family(process)
    assert any("api_server" in line for line in alive(begun)), alive(begun)
    # Of signals that come close together the kernel may hand all to a thread that is not the first one, which sleeps on.
    os.kill(threads_of(begun, "web_page.py")[0], signal.SIGINT)
    wait_until(lambda: not any("api_server" in line for line in alive(begun)), "the end begins", 30)
    # As from somebody impatient, and as make passes a signal on that all of its group got.
    with contextlib.suppress(ProcessLookupError):
        for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM):
            os.killpg(process.pid, number)
    process.wait(60)
    wait_until(lambda: not alive(begun), "all that was begun has ended", 60)
