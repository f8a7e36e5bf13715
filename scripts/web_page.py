# SPDX-License-Identifier: Apache-2.0
"""Serve Airflow with its UI, the emulator, a connection and the examples at one address, until Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import FrameType

import psutil
from partner_center_emulator import Emulator, ScaledClock, Settings

ROOT = Path(__file__).resolve().parent.parent
OFFERS = {
    "contoso-vm": "succeeds",
    "contoso-db": "succeeds",
    "contoso-web": "succeeds",
    # Nobody signs these off in the emulator, because their examples cancel them, or go live themselves.
    "contoso-gateway": "never-signed-off",
    "contoso-linux": "never-signed-off",
    "contoso-windows": "never-signed-off",
}
"""The offers of the examples, each with its scenario."""

IMAGE_URL = (
    "https://contosoimages.blob.core.windows.net/vhds/windows.vhd?sv=2024-11-04&sr=b&sp=r&st={}&se={}&sig=bm9ib2R5"
)
"""The SAS URL in the variable that ``full_release`` reads, without its times."""

DAY = 20
"""Seconds that a day of the emulator takes: long enough to inspect a task that waits."""

START_TIMEOUT = 300.0
STOP_TIMEOUT = 15.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def main() -> int:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port of the UI; by default 8080, or a free one")
    options = parser.parse_args()
    port = options.port or (8080 if is_free(8080) else 0) or free_port()
    for number in STOP_SIGNALS:  # a shell that runs it in the background makes it ignore the first
        signal.signal(number, stop)
    settings = Settings(certification=timedelta(days=2), going_live=timedelta(days=1), sign_off_after=timedelta(days=1))
    with (
        contextlib.suppress(KeyboardInterrupt),
        tempfile.TemporaryDirectory(prefix="airflow-", ignore_cleanup_errors=True) as home,
        Emulator(settings, ScaledClock(86_400 / DAY)) as emulator,
    ):
        for offer, scenario in OFFERS.items():
            emulator.add_offer(offer, scenario, history="succeeded")
        dashboard = emulator.serve_dashboard()
        environment = environment_for(Path(home), port)
        print("creating a temporary Airflow home with its database, the connections and the examples", flush=True)
        prepare(environment, emulator)
        print("starting Airflow; this can take a minute", flush=True)
        with running(["standalone"], environment, Path(home) / "airflow.log") as process:
            wait_until_served(port, process, Path(home) / "airflow.log")
            print(f"Airflow:  http://127.0.0.1:{port}", flush=True)
            print(f"emulator: {dashboard}, on which a day takes {DAY} s", flush=True)
            print("Press Ctrl-C to stop both", flush=True)
            while process.poll() is None:  # process.wait() would not return for a signal that another thread received
                time.sleep(0.2)
            return process.returncode
    return 0


def stop(_number: int, _frame: FrameType | None) -> None:
    """Stop once: a second Ctrl-C, or a signal that make passes on, must not interrupt the cleanup."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def environment_for(home: Path, port: int) -> dict[str, str]:
    """Return an environment in which Airflow uses its own home, and asks for no password."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    url = f"http://127.0.0.1:{port}"
    now = datetime.now(timezone.utc)
    times = [f"{now + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}" for days in (-1, 21)]
    return own | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "example_dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW_VAR_IMAGE_URL_SECRET": IMAGE_URL.format(*times),
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
        "PYTHONUNBUFFERED": "1",
    }


def prepare(environment: dict[str, str], emulator: Emulator) -> None:
    """Create the database, with the connections to both APIs in it."""
    connections = Path(environment["AIRFLOW_HOME"]) / "connections.json"
    connections.touch(mode=0o600)
    host, _, port = emulator.url.rpartition(":")
    # The port is a field of its own: the Test button of Airflow 3.3.1 and 3.3.2 refuses a connection without a port.
    values = {
        f"{one['conn_type']}_default": one | {"host": one["host"].replace(emulator.url, host), "port": int(port)}
        for one in (emulator.connection, emulator.product_ingestion_connection)
    }
    connections.write_text(json.dumps(values))
    for arguments in (["db", "migrate"], ["connections", "import", str(connections)]):
        command = [sys.executable, "-m", "airflow", *arguments]
        result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if result.returncode:
            sys.exit(f"{result.stdout[-3000:]}{result.stderr[-3000:]}\nairflow {' '.join(arguments)} failed")
    connections.unlink()


@contextlib.contextmanager
def running(arguments: list[str], environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run an Airflow command in a session of its own, and end it with all processes that it started."""
    with log.open("wb") as output:
        command = [sys.executable, "-m", "airflow", *arguments]
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield process
    finally:
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        processes = members(process.pid, environment["AIRFLOW_HOME"])
        send_signal(processes, signal.SIGTERM)
        deadline = time.monotonic() + STOP_TIMEOUT
        while time.monotonic() < deadline:
            process.poll()
            processes |= members(process.pid, environment["AIRFLOW_HOME"])
            if not any(is_alive(one) for one in processes):
                break
            time.sleep(0.2)
        send_signal(processes, signal.SIGKILL)
        process.wait()


def send_signal(processes: set[psutil.Process], number: signal.Signals) -> None:
    """Send a signal to processes that may have ended."""
    for one in processes:
        with contextlib.suppress(psutil.Error):
            one.send_signal(number)


def is_alive(one: psutil.Process) -> bool:
    """Return whether a process is alive, and not a zombie."""
    with contextlib.suppress(psutil.Error):
        return bool(one.is_running() and one.status() != psutil.STATUS_ZOMBIE)
    return False


def members(session: int, home: str) -> set[psutil.Process]:
    """Find the processes of this Airflow by three criteria, because none is sufficient.

    Tasks leave their session, processes whose parent died are no longer its children, and a process that sets a long title,
    as the API server does, overwrites the environment with the home.
    """
    processes = set()
    with contextlib.suppress(psutil.Error):
        own = psutil.Process(session)
        processes |= {own, *own.children(recursive=True)}
    for one in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if os.getsid(one.pid) == session or one.environ().get("AIRFLOW_HOME") == home:
                processes.add(one)
    return processes


def wait_until_served(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the UI responds; if the process ends before that, exit with its log."""
    deadline = time.monotonic() + START_TIMEOUT
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while True:
        with contextlib.suppress(OSError):
            if opener.open(f"http://127.0.0.1:{port}/api/v2/version", timeout=5).status == 200:  # noqa: PLR2004 - OK, from our own address
                return
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"{log.read_text(errors='replace')[-4000:]}\nAirflow did not start")
        time.sleep(0.5)


def is_free(port: int) -> bool:
    """Return whether a port is free."""
    with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
        return True
    return False


def free_port() -> int:
    """Return a free port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
