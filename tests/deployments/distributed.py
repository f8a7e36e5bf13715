# SPDX-License-Identifier: Apache-2.0
"""Airflow as on several machines: PostgreSQL, Redis, two Celery workers, two triggerers."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from deployments.airflow import Deployment
from deployments.processes import Process
from deployments.services import postgres, redis

VISIBILITY_TIMEOUT = 40
"""Seconds after which a message that a dead worker received goes to another one; longer than any task executes."""


class Distributed(Deployment):
    """PostgreSQL, Redis, CeleryExecutor; two workers and two triggerers."""

    name = "distributed"
    postgres: Process
    _postgres_port = _redis_port = 0

    @contextlib.contextmanager
    def services(self) -> Iterator[None]:
        """Serve PostgreSQL and Redis."""
        with (
            postgres(self.log("postgres")) as (self.postgres, self._postgres_port),
            redis(self.log("redis")) as (_, self._redis_port),
        ):
            yield

    def database(self) -> str:
        """Return the SQLAlchemy URL of Airflow's database."""
        return f"postgresql+psycopg2://airflow@127.0.0.1:{self._postgres_port}/airflow"

    def settings(self) -> dict[str, str]:
        """Return this deployment's own settings."""
        return {
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": self.database().replace("psycopg2", "asyncpg"),
            "AIRFLOW__CELERY__BROKER_URL": f"redis://127.0.0.1:{self._redis_port}/0",
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{self.database()}",
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(self.parallelism // 2),
            "AIRFLOW__CELERY__SYNC_PARALLELISM": "1",
            "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": str(VISIBILITY_TIMEOUT),
            # Celery refuses to run as root by default; here it runs only the tests' own code.
            "C_FORCE_ROOT": "true" if os.geteuid() == 0 else "",
        }

    def roles(self) -> dict[str, list[str]]:
        """Return Airflow's arguments of each process, by name."""
        roles = {
            "api-server": ["api-server", "--port", str(self.port), "--workers", "1"],
            "scheduler": ["scheduler"],
            "dag-processor": ["dag-processor"],
        }
        for number in (1, 2):
            pid_file = str(self.home / f"worker-{number}.pid")
            worker = ["celery", "worker", "--celery-hostname", f"worker-{number}@%h", "--pid", pid_file]
            roles |= {f"worker-{number}": worker, f"triggerer-{number}": ["triggerer"]}
        return roles
