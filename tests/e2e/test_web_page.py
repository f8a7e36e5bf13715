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
        wait_until(lambda: "http://" in output.read_text() or process.poll() is not None, "an address is printed", 200)
        yield process, next(line for line in output.read_text().splitlines() if line.startswith("http://"))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def of_port(port: str) -> list[str]:
    """List what runs of the Airflow that serves there."""
    found = []
    for one in psutil.process_iter(["pid"]):
        with contextlib.suppress(psutil.Error):
            alive = one.status() != psutil.STATUS_ZOMBIE
            if alive and one.environ().get("AIRFLOW__API__PORT") == port:
                found.append(" ".join(one.cmdline())[:120])
    return found


def test_one_command_serves_airflow_until_ctrl_c(started: tuple[subprocess.Popen[str], str]) -> None:
    """The page answers, its Test button works, the example that is triggered succeeds, and Ctrl-C leaves no process."""
    process, address = started
    port = address.rpartition(":")[2]
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
    assert of_port(port)
    os.killpg(process.pid, signal.SIGINT)
    process.wait(60)
    assert of_port(port) == []
