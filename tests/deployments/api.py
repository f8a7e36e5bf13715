# SPDX-License-Identifier: Apache-2.0
"""Airflow 3's REST API, as far as the tests ask it."""

from __future__ import annotations

import time
from typing import Any

import requests

PATIENCE = 90.0


class ApiRefusal(Exception):  # noqa: N818 - it says what the API did
    """The API said no.

    :param status: its HTTP status.
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

    def token(self, patience: float = PATIENCE) -> None:
        """Wait until the API answers, and sign in."""
        until = time.monotonic() + patience
        while True:
            try:
                token = self.session.get(f"{self.url}/auth/token", timeout=30).json()["access_token"]
                break
            except (requests.RequestException, ValueError, KeyError):
                if time.monotonic() > until:
                    raise
                time.sleep(0.5)
        self.session.headers["Authorization"] = f"Bearer {token}"

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None, **query: Any) -> Any:
        """Ask, and ask again while the server or its database is away: whoever sees that clicks again.

        :raises ApiRefusal: for any other answer than a good one.
        """
        until = time.monotonic() + PATIENCE
        while True:
            try:
                answer = self.session.request(method, f"{self.url}/api/v2/{path}", json=body, params=query, timeout=60)
            except requests.ConnectionError:
                if time.monotonic() > until:
                    raise
            else:
                if answer.ok:
                    return answer.json() if answer.content else None
                away = answer.status_code >= 500 or "Database error" in answer.text
                if not away or time.monotonic() > until:
                    raise ApiRefusal(path, answer.status_code, answer.text)
            time.sleep(0.5)

    def trigger(self, dag_id: str, run_id: str, conf: dict[str, Any] | None = None) -> None:
        """Begin a run."""
        self.ask("POST", f"dags/{dag_id}/dagRuns", {"dag_run_id": run_id, "logical_date": None, "conf": conf or {}})

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Return a run."""
        return dict(self.ask("GET", f"dags/{dag_id}/dagRuns/{run_id}"))

    def end(self, dag_id: str, run_id: str) -> None:
        """Mark a run as failed, and so the tasks that wait in it, as a person does."""
        self.ask("PATCH", f"dags/{dag_id}/dagRuns/{run_id}", {"state": "failed"})

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return a run's task instances, all of them."""
        path, found = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances", []
        while True:
            page = self.ask("GET", path, limit=100, offset=len(found))
            found += page["task_instances"]
            if len(found) >= page["total_entries"] or not page["task_instances"]:
                return found

    def set_connection(self, connection: dict[str, Any], conn_id: str = "cloud_partner_portal_default") -> None:
        """Make a connection what it should be, as a person does in Admin, Connections.

        :param connection: as Airflow's JSON form of it, its extra as a dictionary.
        """
        import json

        body = connection | {"connection_id": conn_id, "extra": json.dumps(connection.get("extra", {}))}
        try:
            self.ask("PATCH", f"connections/{conn_id}", body)
        except ApiRefusal as refusal:
            if refusal.status != 404:
                raise
            self.ask("POST", "connections", body)

    def delete_connection(self, conn_id: str = "cloud_partner_portal_default") -> None:
        """Delete a connection, as a person does."""
        self.ask("DELETE", f"connections/{conn_id}")

    def set_state(self, dag_id: str, run_id: str, task_id: str, state: str) -> None:
        """Mark a task, as a person does."""
        self.ask("PATCH", f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}", {"new_state": state})

    def clear(self, dag_id: str, run_id: str, task_id: str) -> None:
        """Clear a task, as a person does."""
        wanted = {"dry_run": False, "dag_run_id": run_id, "task_ids": [task_id], "only_failed": False}
        self.ask("POST", f"dags/{dag_id}/clearTaskInstances", wanted | {"reset_dag_runs": True})

    def pause(self, dag_id: str, *, paused: bool) -> None:
        """Pause a DAG, or let it go on."""
        self.ask("PATCH", f"dags/{dag_id}", {"is_paused": paused})

    def log(self, dag_id: str, run_id: str, task_id: str, number: int) -> str:
        """Return the log of a try, as the web page shows it."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{number}"
        return str(self.ask("GET", path, full_content=True))
