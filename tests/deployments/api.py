# SPDX-License-Identifier: Apache-2.0
"""A client of the parts of Airflow 3's REST API that the tests use."""

from __future__ import annotations

import json
import time
from typing import Any

import requests

TIMEOUT = 90.0


class ApiError(Exception):
    """Raised when the API responds with an error.

    :param status: the HTTP status.
    """

    def __init__(self, path: str, status: int, text: str) -> None:
        self.status = status
        super().__init__(f"{path}: {status} {text[:500]}")


class Airflow:
    """A client of one deployment's API.

    :param url: scheme, host and port.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False

    def sign_in(self, timeout: float = TIMEOUT) -> None:
        """Wait until the API responds, and sign in."""
        until = time.monotonic() + timeout
        while True:
            try:
                token = self.session.get(f"{self.url}/auth/token", timeout=30).json()["access_token"]
                break
            except (requests.RequestException, ValueError, KeyError):
                if time.monotonic() > until:
                    raise
                time.sleep(0.5)
        self.session.headers["Authorization"] = f"Bearer {token}"

    def request(self, method: str, path: str, body: dict[str, Any] | None = None, **query: Any) -> Any:
        """Send a request, and retry while the server or its database is unavailable.

        :raises ApiError: for any other error.
        """
        until = time.monotonic() + TIMEOUT
        while True:
            try:
                response = self.session.request(
                    method, f"{self.url}/api/v2/{path}", json=body, params=query, timeout=60
                )
            except requests.ConnectionError:
                if time.monotonic() > until:
                    raise
            else:
                if response.ok:
                    return response.json() if response.content else None
                unavailable = response.status_code >= 500 or "Database error" in response.text
                if not unavailable or time.monotonic() > until:
                    raise ApiError(path, response.status_code, response.text)
            time.sleep(0.5)

    def trigger(self, dag_id: str, run_id: str, conf: dict[str, Any] | None = None) -> None:
        """Start a run."""
        self.request("POST", f"dags/{dag_id}/dagRuns", {"dag_run_id": run_id, "logical_date": None, "conf": conf or {}})

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Return a run."""
        return dict(self.request("GET", f"dags/{dag_id}/dagRuns/{run_id}"))

    def fail_run(self, dag_id: str, run_id: str) -> None:
        """Mark a run as failed, and so the tasks that wait in it."""
        self.request("PATCH", f"dags/{dag_id}/dagRuns/{run_id}", {"state": "failed"})

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return all task instances of a run."""
        path, instances = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances", []
        while True:
            page = self.request("GET", path, limit=100, offset=len(instances))
            instances += page["task_instances"]
            if len(instances) >= page["total_entries"] or not page["task_instances"]:
                return instances

    def set_connection(self, connection: dict[str, Any], conn_id: str = "cloud_partner_portal_default") -> None:
        """Create or update a connection.

        :param connection: Airflow's JSON form of it, with its extra as a dictionary.
        """
        body = connection | {"connection_id": conn_id, "extra": json.dumps(connection.get("extra", {}))}
        try:
            self.request("PATCH", f"connections/{conn_id}", body)
        except ApiError as error:
            if error.status != 404:
                raise
            self.request("POST", "connections", body)

    def delete_connection(self, conn_id: str = "cloud_partner_portal_default") -> None:
        """Delete a connection."""
        self.request("DELETE", f"connections/{conn_id}")

    def set_state(self, dag_id: str, run_id: str, task_id: str, state: str) -> None:
        """Mark a task."""
        self.request("PATCH", f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}", {"new_state": state})

    def clear(self, dag_id: str, run_id: str, task_id: str) -> None:
        """Clear a task."""
        body = {"dry_run": False, "dag_run_id": run_id, "task_ids": [task_id], "only_failed": False}
        self.request("POST", f"dags/{dag_id}/clearTaskInstances", body | {"reset_dag_runs": True})

    def pause(self, dag_id: str, *, paused: bool) -> None:
        """Pause or unpause a DAG."""
        self.request("PATCH", f"dags/{dag_id}", {"is_paused": paused})

    def log(self, dag_id: str, run_id: str, task_id: str, number: int) -> str:
        """Return the log of a try, as the UI shows it."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{number}"
        return str(self.request("GET", path, full_content=True))
