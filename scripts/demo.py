# SPDX-License-Identifier: Apache-2.0
"""Publish an offer in real Airflow, on the emulator: without an account or a network, in a temporary folder."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from partner_center_emulator import Emulator, ScaledClock, Settings

ROOT = Path(__file__).resolve().parent.parent
OFFER = "contoso-vm"
SHOWN = re.compile(r"(offer (?:contoso/)?contoso-\S+: .*|\S+ is on the market)")
APIS = {"cloud-partner-portal": "cloud_partner_portal", "product-ingestion": "product_ingestion"}
NOISE = re.compile(r"\s+\[[\w.]+\](?: loc=.*)?$|\s+loc=.*$|\x1b\[[0-9;]*m")


def main() -> int:
    """Run the example from an empty Airflow home to the offer's final status, through the given API."""
    api = sys.argv[1] if len(sys.argv) > 1 else next(iter(APIS))
    if api not in APIS:
        say(f"unknown API {api}; use one of: {', '.join(APIS)}")
        return 2
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="airflow-demo-") as home, demo_emulator() as emulator:
        emulator.add_offer(OFFER)
        environment = airflow_environment(Path(home), emulator, APIS[api])
        say("creating an Airflow home with its SQLite database")
        run_quietly(["db", "migrate"], environment)
        say(f"running the DAG publish_and_wait on offer {emulator.publisher_id}/{OFFER} through {api}; a day takes 4 s")
        code = follow(["dags", "test", "publish_and_wait"], environment)
        status = emulator.status(OFFER)["status"]
        publishes = emulator.submits_for(OFFER)["publish"]
    say(f"the offer's final status is {status}, after {publishes} publish, in {time.monotonic() - started:.0f} s")
    return code or int(status != "succeeded" or publishes != 1)


def demo_emulator() -> Emulator:
    """Return an emulator on which a day takes some seconds, and a person goes live half a day after the preview."""
    settings = Settings(
        certification=timedelta(days=2), going_live=timedelta(days=1), sign_off_after=timedelta(hours=12)
    )
    return Emulator(settings, ScaledClock(speed=24_000))


def airflow_environment(home: Path, emulator: Emulator, api: str) -> dict[str, str]:
    """Return an environment in which Airflow uses its own home and has one connection, to the emulator."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    return own | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "example_dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW_CONN_CLOUD_PARTNER_PORTAL_DEFAULT": json.dumps(emulator.connection_for(api=api)),
        "PYTHONUNBUFFERED": "1",
    }


def run_quietly(arguments: list[str], environment: dict[str, str]) -> None:
    """Run an Airflow command, and show its output only if it fails."""
    result = subprocess.run(
        [sys.executable, "-m", "airflow", *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if result.returncode:
        sys.exit(f"{result.stdout[-4000:]}{result.stderr[-4000:]}\nairflow {' '.join(arguments)} failed")


def follow(arguments: list[str], environment: dict[str, str]) -> int:
    """Run an Airflow command, and show the log lines about the offer as they come."""
    command = [sys.executable, "-m", "airflow", *arguments]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines: list[str] = []
    last = ""
    for line in process.stdout or ():
        lines = [*lines, line][-200:]
        match = SHOWN.search(NOISE.sub("", line.rstrip()))
        if match and match.group(1) != last:
            last = match.group(1)
            say(last)
    if process.wait():
        sys.stderr.write("".join(lines))
    return process.returncode


def say(text: str) -> None:
    """Print a line with the time of day."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
