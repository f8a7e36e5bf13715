# SPDX-License-Identifier: Apache-2.0
"""Publish an offer in real Airflow, on the emulator: no account, no network, no trace left behind."""

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
TOLD = re.compile(r"(offer (?:contoso/)?contoso-\S+: .*|\S+ is on the market)")
APIS = {"cloud-partner-portal": "cloud_partner_portal", "product-ingestion": "product_ingestion"}
NOISE = re.compile(r"\s+\[[\w.]+\](?: loc=.*)?$|\s+loc=.*$|\x1b\[[0-9;]*m")


def main() -> int:
    """Run the example from an empty Airflow home to the offer's final status, through the API that is named."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else next(iter(APIS))
    if wanted not in APIS:
        say(f"there is no API {wanted}; there are: {', '.join(APIS)}")
        return 2
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="airflow-demo-") as home, demonstration() as portal:
        portal.add_offer(OFFER)
        environment = airflow_environment(Path(home), portal, APIS[wanted])
        say("making an Airflow home with its SQLite database")
        run_quietly(["db", "migrate"], environment)
        say(
            f"running the DAG publish_and_wait on offer {portal.publisher_id}/{OFFER}, through {wanted}; a day takes 4 s here"
        )
        code = follow(["dags", "test", "publish_and_wait"], environment)
        status = portal.status(OFFER)["status"]
        publishes = portal.orders_for(OFFER)["publish"]
    say(f"the offer's final status is {status}, after {publishes} publish, in {time.monotonic() - began:.0f} s")
    return code or int(status != "succeeded" or publishes != 1)


def demonstration() -> Emulator:
    """Return a portal on which a day takes some seconds, with a person who goes live half a day after the preview."""
    settings = Settings(
        certification=timedelta(days=2), going_live=timedelta(days=1), sign_off_after=timedelta(hours=12)
    )
    return Emulator(settings, ScaledClock(speed=24_000))


def airflow_environment(home: Path, portal: Emulator, api: str) -> dict[str, str]:
    """Return an environment in which Airflow keeps to its own home and knows one connection, to the emulator."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    return own | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "example_dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW_CONN_CLOUD_PARTNER_PORTAL_DEFAULT": json.dumps(portal.connection_for(api=api)),
        "EXAMPLE_POLL_INTERVAL": "1",
        "PYTHONUNBUFFERED": "1",
    }


def run_quietly(arguments: list[str], environment: dict[str, str]) -> None:
    """Run an Airflow command, showing what it printed only if it fails."""
    result = subprocess.run(
        [sys.executable, "-m", "airflow", *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if result.returncode:
        sys.exit(f"{result.stdout[-4000:]}{result.stderr[-4000:]}\nairflow {' '.join(arguments)} failed")


def follow(arguments: list[str], environment: dict[str, str]) -> int:
    """Run an Airflow command and show the lines of its log that tell of the offer, as they come."""
    command = [sys.executable, "-m", "airflow", *arguments]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    kept: list[str] = []
    last = ""
    for line in process.stdout or ():
        kept = [*kept, line][-200:]
        found = TOLD.search(NOISE.sub("", line.rstrip()))
        if found and found.group(1) != last:
            last = found.group(1)
            say(last)
    if process.wait():
        sys.stderr.write("".join(kept))
    return process.returncode


def say(text: str) -> None:
    """Print a line with the time of day."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
