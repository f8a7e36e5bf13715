# SPDX-License-Identifier: Apache-2.0
"""Fixtures for the whole suite, and an Airflow home of its own, which must exist before anything imports Airflow."""

from __future__ import annotations

import atexit
import base64
import contextlib
import fcntl
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import hypothesis
import pytest
from partner_center_emulator import Emulator, ManualClock, Settings
from support.player import START, Player

from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import Operation

HOME = Path(tempfile.mkdtemp(prefix="airflow-home-"))
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
os.environ |= {
    "AIRFLOW_HOME": str(HOME),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
    "AIRFLOW__CORE__DAGS_FOLDER": str(Path(__file__).parent.parent / "example_dags"),
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{HOME / 'airflow.db'}",
}
for variable in [name for name in os.environ if name.startswith("AIRFLOW_CONN_")]:
    del os.environ[variable]

hypothesis.settings.register_profile("default", max_examples=300, deadline=None)
hypothesis.settings.register_profile("matrix", max_examples=30, deadline=None)
hypothesis.settings.register_profile("ci", max_examples=int(os.environ.get("EXAMPLES", "10000")), deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

WARNING = re.compile(r"\[warning|WARNING")

MASKERS = (
    "airflow.sdk._shared.secrets_masker",
    "airflow._shared.secrets_masker",
    "airflow.sdk.execution_time.secrets_masker",
    "airflow.utils.log.secrets_masker",
)
"""The modules that hold Airflow's secrets masker, in different versions."""


@pytest.hookimpl(trylast=True)  # after deselection
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each worker start with its share of the long tests, so that the suite does not end with one.

    Each worker gets one stretch of the list, all of the same length, and takes tests from the others when it is done.
    """
    long = [item for item in items if item.get_closest_marker("long")]
    rest = iter([item for item in items if not item.get_closest_marker("long")])
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    total, items[:] = len(items), []
    for number in range(workers):
        stretch = (total - len(items)) // (workers - number)
        first = long[number::workers]
        items += [*first, *itertools.islice(rest, max(stretch - len(first), 0))]
    assert len(items) == total


@pytest.fixture(scope="session")
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an Airflow home with a database, which the first test to need it creates for all workers."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    own, shared = HOME / "airflow.db", folder / "airflow.db"
    with (folder / "airflow.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if shared.exists():
            shutil.copy(shared, own)
        else:
            command = [sys.executable, "-m", "airflow", "db", "migrate"]
            subprocess.run(command, check=True, capture_output=True, text=True)
            shutil.copy(own, shared)
    return HOME


@pytest.fixture(autouse=True)
def _reset_masked_secrets() -> Iterator[None]:
    """Clear the secrets that Airflow masks: each emulator adds new ones, and each one slows down every log line."""
    yield
    for name in MASKERS:
        if name in sys.modules:
            masker = sys.modules[name]._secrets_masker()
            masker.patterns.clear()
            masker.replacer = None


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that makes an emulator's connection Airflow's default one, with fields changed.

    ``conn_type`` selects the API; the CPP API is the default.
    """

    def set_connection(emulator: Emulator, **changes: object) -> None:
        is_ingestion = changes.get("conn_type") == "product_ingestion"
        connection = emulator.product_ingestion_connection if is_ingestion else emulator.connection
        extra = connection["extra"] | changes.pop("extra", {})
        changes["extra"] = {key: value for key, value in extra.items() if value is not None}
        monkeypatch.setenv("AIRFLOW_CONN_CLOUD_PARTNER_PORTAL_DEFAULT", json.dumps(connection | changes))

    return set_connection


@pytest.fixture
def serve(connect: Callable[..., None]) -> Iterator[Callable[..., Emulator]]:
    """Return a function that starts an emulator with a manual clock, and connects to it."""
    with contextlib.ExitStack() as stack:

        def start(**settings: object) -> Emulator:
            emulator = stack.enter_context(Emulator(Settings(**settings), ManualClock()))
            connect(emulator)
            return emulator

        yield start


@pytest.fixture
def warnings(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Return a function that returns the warnings since its last call, whichever way this Airflow writes its log."""

    def new_warnings() -> list[str]:
        printed = [
            line
            for line in capsys.readouterr().out.splitlines()
            if "airflow_provider_cpp" in line and WARNING.search(line)
        ]
        own = [record for record in caplog.records if "airflow_provider_cpp" in record.name]
        logged = [record.getMessage() for record in own if record.levelname == "WARNING"]
        caplog.clear()
        return logged or printed

    return new_warnings


@pytest.fixture(scope="module")
def shared_emulator() -> Iterator[Emulator]:
    """Serve one emulator for all tests of a file."""
    with Emulator(Settings(), ManualClock()) as emulator:
        yield emulator


@pytest.fixture
def player() -> Player:
    return Player()


@pytest.fixture
def offer() -> OfferRef:
    return OfferRef("contoso", "contoso-vm")


@pytest.fixture
def operation(offer: OfferRef) -> Operation:
    return Operation(offer, "publish", START, "new-id", None)


@pytest.fixture(scope="session")
def start() -> datetime:
    return START
