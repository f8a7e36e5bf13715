# SPDX-License-Identifier: Apache-2.0
"""Airflow as it is deployed: real processes in their own folder, controlled through the REST API."""

from __future__ import annotations

import contextlib
import os
import re
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
from deployments.processes import Process, clean_environment, free_port, wait_until

HEARTBEAT_TIMEOUT = 10
"""Seconds without a heartbeat after which a part of Airflow counts as dead; Airflow's defaults are minutes."""


TASK_PROCESS = re.compile("airflow worker -- (?!LocalExecutor)")
"""The title of a process that executes a task."""


class Deployment:
    """One deployment; a context manager that starts it and stops it.

    :param home: a folder for all files that it writes; emptied first.
    :param dags: the folder of DAG files; Airflow reads a copy, ``home/dags``, which tests may change.
    :param parallelism: how many tasks execute in parallel.
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
        """Return the SQLAlchemy URL of Airflow's database."""
        raise NotImplementedError

    def settings(self) -> dict[str, str]:
        """Return this deployment's own settings."""
        raise NotImplementedError

    def roles(self) -> dict[str, list[str]]:
        """Return Airflow's arguments of each process by name, in the order in which they start."""
        raise NotImplementedError

    @contextlib.contextmanager
    def services(self) -> Iterator[None]:
        """Serve the services that Airflow needs."""
        yield

    def __enter__(self) -> Self:
        """Start all processes, and wait until they are ready."""
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
        """End all processes."""
        self._stack.close()

    def _start(self) -> None:
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.copytree(self.source, self.home / "dags", ignore=shutil.ignore_patterns("__pycache__"))
        self._stack.enter_context(self.services())
        self.environment = clean_environment(**(_common(self) | self.settings()))
        migration = Process("migration", _airflow("db", "migrate"), self.environment, self.log("migration"))
        migration.start()
        wait_until(lambda: not migration.is_running, "airflow db migrate ends", timeout=180)
        self._stack.callback(self._end)
        for name, arguments in self.roles().items():
            own = {  # each serves its logs on its own port, as on its own machine
                "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
                "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
            }
            process = Process(name, _airflow(*arguments), self.environment | own, self.log(name))
            self.processes[name] = process
            process.start()
        self._stack.callback(self._keep_running())
        self.api.sign_in()
        wait_until(self._is_ready, "the DAG files are parsed and all parts are healthy", timeout=180)

    def _keep_running(self) -> Callable[[], None]:
        """Restart processes that end by themselves, until the returned function is called."""
        stopped = threading.Event()

        def monitor() -> None:
            while not stopped.wait(0.5):
                for process in self.processes.values():
                    process.restart_if_ended()

        thread = threading.Thread(target=monitor, name="restart", daemon=True)
        thread.start()

        def stop() -> None:
            stopped.set()
            thread.join()

        return stop

    def _end(self) -> None:
        """End all processes in parallel, because some take long."""
        with ThreadPoolExecutor(len(self.processes) or 1) as pool:
            list(pool.map(Process.end, self.processes.values()))
        self.processes.clear()

    def log(self, name: str) -> Path:
        """Return the log file of a process."""
        return self.home / "processes" / f"{name}.log"

    def process(self, name: str) -> Process:
        """Return a process by its name."""
        return self.processes[name]

    def processes_of(self, role: str) -> list[Process]:
        """List the processes of a role, ``triggerer`` for example."""
        return [one for name, one in self.processes.items() if name.rpartition("-")[0] == role or name == role]

    def task_processes(self) -> list[psutil.Process]:
        """List the processes that execute a task now, without their supervisors.

        The workers of a LocalExecutor have a similar title, and are not listed: one of them holds the lock of the queue of
        tasks while it is idle, and when it is killed no other worker ever receives a task.
        """
        processes = []
        for one in self._executing():
            for child in one.process_tree():
                with contextlib.suppress(psutil.NoSuchProcess):
                    if TASK_PROCESS.match(" ".join(child.cmdline())):
                        processes.append(child)
        return processes

    def _executing(self) -> list[Process]:
        return self.processes_of("worker") or self.processes_of("scheduler")

    def _is_ready(self) -> bool:
        for process in self.processes.values():
            assert not process.restarts, f"{process.name} has ended:\n{process.tail()}"
        health = self.api.session.get(f"{self.api.url}/api/v2/monitor/health", timeout=30).json()
        parts = ("metadatabase", "scheduler", "triggerer", "dag_processor")
        files = {path.stem for path in (self.home / "dags").glob("*.py")}
        known = {
            dag["fileloc"].rpartition("/")[2].removesuffix(".py") for dag in self.api.request("GET", "dags")["dags"]
        }
        return all(health[part]["status"] == "healthy" for part in parts) and files <= known


class OneMachine(Deployment):
    """SQLite and LocalExecutor, one of each process."""

    name = "one machine"

    def database(self) -> str:
        """Return the SQLAlchemy URL of Airflow's database."""
        return f"sqlite:///{self.home / 'airflow.db'}"

    def settings(self) -> dict[str, str]:
        """Return this deployment's own settings."""
        return {"AIRFLOW__CORE__EXECUTOR": "LocalExecutor"}

    def roles(self) -> dict[str, list[str]]:
        """Return Airflow's arguments of each process, by name."""
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
        "SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": str(HEARTBEAT_TIMEOUT),
        "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "3",
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "1",
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(HEARTBEAT_TIMEOUT),
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
        "SCHEDULER__TASK_QUEUED_TIMEOUT": "30",
        "SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "5",
        "TRIGGERER__JOB_HEARTBEAT_SEC": "1",
        "TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": str(HEARTBEAT_TIMEOUT),
        "WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    }
    return {f"AIRFLOW__{name}": value for name, value in settings.items()} | {
        "AIRFLOW_HOME": str(deployment.home),
        "PYTHONUNBUFFERED": "1",
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
    }
