# SPDX-License-Identifier: Apache-2.0
"""Airflow as it is deployed: real processes in a folder of their own, driven through the REST API."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
from cryptography.fernet import Fernet
from deployments.api import Airflow
from deployments.processes import Process, free_port, wait_until, whole_environment

MISSED_AFTER = 10
"""Seconds after which a part of Airflow that gives no sign of life is missed; minutes where nobody is in a hurry."""


class Deployment:
    """One deployment; a context manager that starts it and stops it.

    :param home: a folder for all that it writes; emptied first.
    :param dags: the folder of DAG files; what Airflow reads is a copy, ``home/dags``, which tests may change.
    :param parallelism: how many tasks run at once.
    """

    name = ""

    def __init__(self, home: Path, dags: Path, parallelism: int = 4) -> None:
        self.home = home.resolve()
        self.source = dags
        self.port = free_port()
        self.parallelism = parallelism
        self.api = Airflow(f"http://127.0.0.1:{self.port}")
        self.processes: dict[str, Process] = {}
        self.environment: dict[str, str] = {}

    def database(self) -> str:
        """Return where Airflow's database is, for SQLAlchemy."""
        raise NotImplementedError

    def settings(self) -> dict[str, str]:
        """Return the settings that are this deployment's own."""
        raise NotImplementedError

    def roles(self) -> dict[str, list[str]]:
        """Return the processes by name, in the order in which they are started, with Airflow's arguments."""
        raise NotImplementedError

    @contextlib.contextmanager
    def services(self) -> Iterator[None]:
        """Serve what Airflow itself needs."""
        yield

    def __enter__(self) -> Self:
        """Start all of it, and wait until it is ready for work."""
        self._stack = contextlib.ExitStack()
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all of it."""
        self._stack.close()

    def _start(self) -> None:
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.copytree(self.source, self.home / "dags", ignore=shutil.ignore_patterns("__pycache__"))
        self._stack.enter_context(self.services())
        self.environment = whole_environment(**(_common(self) | self.settings()))
        migration = Process("migration", _airflow("db", "migrate"), self.environment, self.log("migration"))
        migration.start()
        wait_until(lambda: not migration.is_running, "airflow db migrate ends", patience=180)
        self._stack.callback(self._end)
        for name, arguments in self.roles().items():
            own = {  # each serves its logs at a port of its own, and thinks of itself as a machine
                "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
                "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
            }
            process = Process(name, _airflow(*arguments), self.environment | own, self.log(name))
            self.processes[name] = process
            process.start()
        self._stack.callback(self._revive())
        self.api.token()
        wait_until(self._is_ready, "the DAG files are read and every part gives a sign of life", patience=180)

    def _revive(self) -> Callable[[], None]:
        """Start again what ends by itself, all the time; returns what ends that."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(0.5):
                for process in self.processes.values():
                    process.revive()

        thread = threading.Thread(target=watch, name="revive", daemon=True)
        thread.start()

        def end() -> None:
            over.set()
            thread.join()

        return end

    def _end(self) -> None:
        """End them all at once: some take their time."""
        with ThreadPoolExecutor(len(self.processes) or 1) as pool:
            list(pool.map(Process.end, self.processes.values()))
        self.processes.clear()

    def log(self, name: str) -> Path:
        """Return the file that a process writes to."""
        return self.home / "processes" / f"{name}.log"

    def process(self, name: str) -> Process:
        """Return a process by its name."""
        return self.processes[name]

    def named(self, role: str) -> list[Process]:
        """List the processes of a role, ``triggerer`` for example."""
        return [one for name, one in self.processes.items() if name.rpartition("-")[0] == role or name == role]

    def task_processes(self) -> list[psutil.Process]:
        """List the processes that execute a task right now, without those that watch over them."""
        found = []
        for one in self._executing():
            for child in one.family():
                with contextlib.suppress(psutil.NoSuchProcess):
                    if " ".join(child.cmdline()).startswith("airflow worker -- "):
                        found.append(child)
        return found

    def _executing(self) -> list[Process]:
        return self.named("worker") or self.named("scheduler")

    def _is_ready(self) -> bool:
        for process in self.processes.values():
            assert not process.revivals, f"{process.name} has ended:\n{process.tail()}"
        health = self.api.session.get(f"{self.api.url}/api/v2/monitor/health", timeout=30).json()
        parts = ("metadatabase", "scheduler", "triggerer", "dag_processor")
        files = {path.stem for path in (self.home / "dags").glob("*.py")}
        known = {dag["fileloc"].rpartition("/")[2].removesuffix(".py") for dag in self.api.ask("GET", "dags")["dags"]}
        return all(health[part]["status"] == "healthy" for part in parts) and files <= known


class OneMachine(Deployment):
    """SQLite and LocalExecutor, one of each process."""

    name = "one machine"

    def database(self) -> str:
        """Return where Airflow's database is, for SQLAlchemy."""
        return f"sqlite:///{self.home / 'airflow.db'}"

    def settings(self) -> dict[str, str]:
        """Return the settings that are this deployment's own."""
        return {"AIRFLOW__CORE__EXECUTOR": "LocalExecutor"}

    def roles(self) -> dict[str, list[str]]:
        """Return the processes by name, with Airflow's arguments."""
        return {
            "api-server": ["api-server", "--port", str(self.port), "--workers", "1"],
            "scheduler": ["scheduler"],
            "dag-processor": ["dag-processor"],
            "triggerer-1": ["triggerer"],
        }


def _airflow(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "airflow", *arguments]


def _common(deployment: Deployment) -> Mapping[str, str]:
    url = deployment.api.url
    settings = {
        "CORE__DAGS_FOLDER": str(deployment.home / "dags"),
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__PARALLELISM": str(deployment.parallelism),
        "CORE__MAX_ACTIVE_TASKS_PER_DAG": "1000",
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "OPERATORS__DEFAULT_DEFERRABLE": "True",
        "CORE__FERNET_KEY": Fernet.generate_key().decode(),
        "CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "DATABASE__SQL_ALCHEMY_CONN": deployment.database(),
        "API__BASE_URL": url,
        "API__SECRET_KEY": secrets.token_hex(16),
        "API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        "SCHEDULER__JOB_HEARTBEAT_SEC": "1",
        "SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": str(MISSED_AFTER),
        "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "3",
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "1",
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(MISSED_AFTER),
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
        "SCHEDULER__TASK_QUEUED_TIMEOUT": "30",
        "SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "5",
        "TRIGGERER__JOB_HEARTBEAT_SEC": "1",
        "TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": str(MISSED_AFTER),
        "WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    }
    return {f"AIRFLOW__{name}": value for name, value in settings.items()} | {
        "AIRFLOW_HOME": str(deployment.home),
        "PYTHONUNBUFFERED": "1",
        "EXAMPLE_POLL_INTERVAL": "1",
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
    }
