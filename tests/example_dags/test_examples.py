# SPDX-License-Identifier: Apache-2.0
"""Every example runs, in real Airflow, against the emulator."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from airflow_provider_cpp.emulator import Emulator, ScaledClock, Settings

OFFER = "contoso-vm"
EXAMPLES = sorted(path.stem for path in (Path(__file__).parents[2] / "example_dags").glob("*.py"))


DAGS = Path(__file__).parents[1] / "dags"


def run(dag_id: str, portal: Emulator, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "AIRFLOW_CONN_CLOUD_PARTNER_PORTAL_DEFAULT": json.dumps(portal.connection),
        "EXAMPLE_POLL_INTERVAL": "0.2",
    }
    if folder is not None:
        environment["AIRFLOW__CORE__DAGS_FOLDER"] = str(folder)
    command = [sys.executable, "-m", "airflow", "dags", "test", dag_id]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("dag_id", EXAMPLES)
def test_the_example_brings_the_offer_to_the_market(airflow_home: Path, dag_id: str) -> None:
    """The example publishes once, waits for preview and market, and ends well; nothing is canceled."""
    settings = Settings(sign_off_after=timedelta(hours=6), lag_status=2, lag_list=2, lag_operation=2)
    with Emulator(settings, ScaledClock(speed=200_000)) as portal:
        portal.add_offer(OFFER, history="succeeded")
        result = run(dag_id, portal)
        assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-2000:]
        ended = (portal.status(OFFER)["status"], portal.counts["publish"], portal.counts["cancel"])
    assert ended == ("succeeded", 1, 0)
    assert "its preview is ready; not live yet" in result.stdout + result.stderr


def test_a_rejected_certification_fails_the_run_with_its_reason(airflow_home: Path) -> None:
    """A rejected offer fails the run, says the certification team's words, and shows no secret anywhere."""
    with Emulator(Settings(), ScaledClock(speed=400_000)) as portal:
        portal.add_offer(OFFER, "blocked-then-rejected")
        result = run("publish_and_wait", portal)
        shown = result.stdout + result.stderr
        secret = portal.client_secret
    assert result.returncode != 0
    assert "publication failed at step Certification: Plan gold : CVE-2026-0001 is not patched" in shown
    assert (secret in shown, "eyJ" in shown) == (False, False)


def test_every_way_of_waiting_in_real_airflow(airflow_home: Path) -> None:
    """The operator's own wait and the sensor's three all end well on one publication, each in Airflow's own runner."""
    settings = Settings(sign_off_after=timedelta(hours=1))
    with Emulator(settings, ScaledClock(speed=60_000)) as portal:
        portal.add_offer(OFFER, history="failed")
        result = run("every_way_of_waiting", portal, DAGS)
        assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-2000:]
        ended = (portal.status(OFFER)["status"], portal.counts["publish"], portal.counts["cancel"])
    assert ended == ("succeeded", 1, 0)
    assert (result.stdout + result.stderr).count("contoso/contoso-vm: it is live") == 3
