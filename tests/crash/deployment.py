# SPDX-License-Identifier: Apache-2.0
"""Airflow as it is deployed: its processes, on SQLite, in its own folder."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests

TIMEOUT = 90.0


class Deployment:
    """One deployment; a context manager that starts it and stops it.

    :param python: the interpreter of the environment that Airflow is installed in.
    :param home: a folder for everything that it writes.
    :param dags: the folder of DAG files.
    :param environment: environment variables in addition to Airflow's own.
    :param database: an existing database to start with a copy of; if None, the deployment creates its own.
    """

    def __init__(
        self, python: Path, home: Path, dags: Path, environment: Mapping[str, str], database: Path | None = None
    ) -> None:
        self.python = python
        self.home = home
        self.initial_database = database
        self.port = _free_port()
        own = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
        url = f"http://127.0.0.1:{self.port}"
        self.environment = own | {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.database}",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
            "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
            "AIRFLOW__API__SECRET_KEY": secrets.token_hex(16),
            "AIRFLOW__API__BASE_URL": url,
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "PATH": os.pathsep.join(
                (str(python.parent), os.environ["PATH"])
            ),  # SequentialExecutor runs airflow by name
            "PYTHONUNBUFFERED": "1",
            **environment,
        }
        self._processes: list[subprocess.Popen[bytes]] = []

    commands: tuple[tuple[str, ...], ...] = ()

    def __enter__(self) -> Self:
        """Create the database and start the processes."""
        if self.initial_database is None:
            self.create_database()
        else:
            self.home.mkdir(parents=True, exist_ok=True)
            shutil.copy(self.initial_database, self.database)
        for command in self.commands:
            log = (self.home / f"{command[0]}.log").open("wb")
            filled = [part.format(port=self.port) for part in command]
            process = subprocess.Popen(
                [str(self.python), "-m", "airflow", *filled],
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._processes.append(process)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the processes and all that they started."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            for process in self._processes:
                try:
                    os.killpg(process.pid, number)
                    process.wait(10)
                except (ProcessLookupError, subprocess.TimeoutExpired):
                    continue

    @property
    def database(self) -> Path:
        """Airflow's database."""
        return self.home / "airflow.db"

    def create_database(self) -> Path:
        """Let Airflow create its database, and return it."""
        self.home.mkdir(parents=True, exist_ok=True)
        self.airflow("db", "migrate")
        return self.database

    def airflow(self, *arguments: str) -> str:
        """Run a command to its end and return its output.

        :raises RuntimeError: if it failed.
        """
        command = [str(self.python), "-m", "airflow", *arguments]
        result = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        if result.returncode:
            msg = f"airflow {' '.join(arguments)} failed:\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
            raise RuntimeError(msg)
        return result.stdout

    def trigger(self, dag_id: str, run_id: str) -> None:
        """Start a run."""
        raise NotImplementedError

    def clear(self, dag_id: str, run_id: str) -> None:
        """Clear the run's tasks."""
        raise NotImplementedError

    def task(self, dag_id: str, run_id: str) -> tuple[str | None, int]:
        """Return the state and the try number of the run's task, from the database."""
        row = self._row("select state, try_number from task_instance where dag_id = ? and run_id = ?", dag_id, run_id)
        return (row[0], row[1]) if row else (None, 0)

    def log(self, dag_id: str, run_id: str) -> str:
        """Return the log of all tries of the run's task, from Airflow's files."""
        folder = self.home / "logs" / f"dag_id={dag_id}" / f"run_id={run_id}"
        return "".join(file.read_text(errors="replace") for file in folder.rglob("attempt=*.log"))

    def has_ended(self, dag_id: str, run_id: str) -> bool:
        """Return whether a run has ended."""
        row = self._row("select state from dag_run where dag_id = ? and run_id = ?", dag_id, run_id)
        return row is not None and row[0] in ("success", "failed")

    def has_dag(self, dag_id: str) -> bool:
        """Return whether a DAG has been parsed."""
        return self._row("select 1 from serialized_dag where dag_id = ?", dag_id) is not None

    def _row(self, query: str, *values: str) -> Any:
        with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=60) as database:
            return database.execute(query, values).fetchone()

    def wait_until_ended(self, dag_id: str, run_id: str, after_try: int) -> str:
        """Wait until a later try than the given one has ended, and return its state.

        :raises TimeoutError: if none has in time.
        """
        until = time.monotonic() + TIMEOUT
        while time.monotonic() < until:
            state, number = self.task(dag_id, run_id)
            if number > after_try and state in ("success", "failed"):
                return state
            time.sleep(0.2)
        msg = f"{dag_id}/{run_id} has not ended: {self.task(dag_id, run_id)}"
        raise TimeoutError(msg)


class Airflow3(Deployment):
    """API server, scheduler with LocalExecutor and DAG processor; controlled through the REST API."""

    commands = (("api-server", "--port", "{port}", "--workers", "1"), ("scheduler",), ("dag-processor",))

    def __enter__(self) -> Self:
        """Start, and wait until the API responds."""
        super().__enter__()
        self.session = requests.Session()
        self.session.trust_env = False
        until = time.monotonic() + TIMEOUT
        while True:
            try:
                token = self.session.get(f"http://127.0.0.1:{self.port}/auth/token", timeout=30).json()["access_token"]
                break
            except (requests.RequestException, ValueError, KeyError):
                if time.monotonic() > until:
                    raise
                time.sleep(0.5)
        self.session.headers["Authorization"] = f"Bearer {token}"
        return self

    def trigger(self, dag_id: str, run_id: str) -> None:
        """Start a run."""
        self._request("POST", f"dags/{dag_id}/dagRuns", {"dag_run_id": run_id, "logical_date": None})

    def clear(self, dag_id: str, run_id: str) -> None:
        """Clear the run's tasks."""
        body = {"dry_run": False, "dag_run_id": run_id, "only_failed": False, "reset_dag_runs": True}
        self._request("POST", f"dags/{dag_id}/clearTaskInstances", body)

    def reparse(self, dag_id: str) -> None:
        """Let Airflow parse a DAG file again."""
        self._request("PUT", f"parseDagFile/{self._request('GET', f'dags/{dag_id}')['file_token']}")

    def retries(self, dag_id: str) -> float:
        """Return the ``retries`` of a DAG's only task, as Airflow has parsed them."""
        (task,) = self._request("GET", f"dags/{dag_id}/tasks")["tasks"]
        return float(task["retries"])

    def empty_store(self, dag_id: str, run_id: str) -> int:
        """Delete the state of the run's task from Airflow's task state store, and return the number of entries."""
        query = "delete from task_state_store where dag_id = ? and run_id = ?"
        with closing(sqlite3.connect(self.database, timeout=60)) as database, database:
            return database.execute(query, (dag_id, run_id)).rowcount

    def _request(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Send a request to the API; retry while SQLite is locked."""
        until = time.monotonic() + TIMEOUT
        while True:
            url = f"http://127.0.0.1:{self.port}/api/v2/{path}"
            response = self.session.request(method, url, json=body, timeout=60)
            if response.ok:
                return response.json() if response.content else None
            if "Database error" not in response.text or time.monotonic() > until:
                msg = f"{path}: {response.status_code} {response.text[:500]}"
                raise RuntimeError(msg)
            time.sleep(1)


class Airflow2(Deployment):
    """A scheduler with SequentialExecutor, the only one that SQLite allows; controlled through its commands."""

    commands = (("scheduler",),)

    def trigger(self, dag_id: str, run_id: str) -> None:
        """Start a run."""
        self.airflow("dags", "trigger", dag_id, "--run-id", run_id)

    def clear(self, dag_id: str, run_id: str) -> None:
        """Clear the run's tasks by its logical date, because the command takes nothing else."""
        query = "select execution_date from dag_run where dag_id = ? and run_id = ?"
        (moment,) = self._row(query, dag_id, run_id)
        self.airflow("tasks", "clear", dag_id, "--yes", "--start-date", moment, "--end-date", moment)


def connection_environment(connection: dict[str, Any]) -> dict[str, str]:
    """Return the environment variable that holds the connection to the emulator."""
    return {"AIRFLOW_CONN_CLOUD_PARTNER_PORTAL_DEFAULT": json.dumps(connection)}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
