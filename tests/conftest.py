# SPDX-License-Identifier: Apache-2.0
"""What the whole suite shares: an Airflow home of its own, made before anything imports Airflow."""

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
from support.player import START, Player, reply

from airflow_provider_cpp.core.http import Response
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
"""Where Airflow keeps what it masks, from one version to the next."""


@pytest.hookimpl(trylast=True)  # when what is not asked for is out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each of pytest's workers begin with its share of what is long and waits: no suite should end with that.

    A worker is given one stretch of the list, as long as every other one's, and takes from the others when it is done.
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
    """Return a home whose database is ready, made when the first test wants it, once for all of pytest's workers."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    own, made = HOME / "airflow.db", folder / "airflow.db"
    with (folder / "airflow.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if made.exists():
            shutil.copy(made, own)
        else:
            command = [sys.executable, "-m", "airflow", "db", "migrate"]
            subprocess.run(command, check=True, capture_output=True, text=True)
            shutil.copy(own, made)
    return HOME


@pytest.fixture(autouse=True)
def _no_masks_of_the_test_before() -> Iterator[None]:
    """Let Airflow forget the secrets that it masks: every emulator has new ones, and each slows every line of a log."""
    yield
    for name in MASKERS:
        if name in sys.modules:
            masker = sys.modules[name]._secrets_masker()
            masker.patterns.clear()
            masker.replacer = None


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that makes an emulator's connection Airflow's default one, with fields changed.

    Of which type it is, ``conn_type`` among the changes says; the portal's if it does not.
    """

    def set_connection(portal: Emulator, **changes: object) -> None:
        successor = changes.get("conn_type") == "product_ingestion"
        connection = portal.ingestion_connection if successor else portal.connection
        extra = connection["extra"] | changes.pop("extra", {})
        value = json.dumps(
            connection | changes | {"extra": {key: entry for key, entry in extra.items() if entry is not None}}
        )
        monkeypatch.setenv("AIRFLOW_CONN_CLOUD_PARTNER_PORTAL_DEFAULT", value)

    return set_connection


@pytest.fixture
def serve(connect: Callable[..., None]) -> Iterator[Callable[..., Emulator]]:
    """Return a function that starts an emulator with these settings, its clock standing still, and connects to it."""
    with contextlib.ExitStack() as stack:

        def start(**settings: object) -> Emulator:
            portal = stack.enter_context(Emulator(Settings(**settings), ManualClock()))
            connect(portal)
            return portal

        yield start


@pytest.fixture
def warnings(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Return a function that returns the warnings since it was last called, however this Airflow writes its log."""

    def told() -> list[str]:
        printed = [
            line
            for line in capsys.readouterr().out.splitlines()
            if "airflow_provider_cpp" in line and WARNING.search(line)
        ]
        own = [record for record in caplog.records if "airflow_provider_cpp" in record.name]
        logged = [record.getMessage() for record in own if record.levelname == "WARNING"]
        caplog.clear()
        return logged or printed

    return told


@pytest.fixture(scope="module")
def shared_portal() -> Iterator[Emulator]:
    """Serve one emulator for all tests of a file."""
    with Emulator(Settings(), ManualClock()) as portal:
        yield portal


@pytest.fixture
def player() -> Player:
    return Player()


@pytest.fixture(scope="session")
def make_player() -> type[Player]:
    """Return what makes a player, for tests that need one for each of many examples."""
    return Player


@pytest.fixture
def make_reply() -> Callable[..., Response]:
    return reply


@pytest.fixture
def offer() -> OfferRef:
    return OfferRef("contoso", "contoso-vm")


@pytest.fixture
def operation(offer: OfferRef) -> Operation:
    return Operation(offer, "publish", START, "new-id", None)


@pytest.fixture(scope="session")
def start() -> datetime:
    return START
