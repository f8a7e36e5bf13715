# SPDX-License-Identifier: Apache-2.0
"""Features of the tested Airflow version: the only place in the tests that compares versions."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from airflow import __version__

AIRFLOW = tuple(int(part) for part in __version__.split(".")[:2])

HAS_TASK_SDK = AIRFLOW >= (3, 0)
"""Whether ``airflow.sdk`` exists; older versions have its names in ``airflow.providers.common.compat.sdk``."""

DEBUG_LINE = "urllib3.connectionpool" if AIRFLOW >= (3, 1) else "DEBUG"
"""A text that every log of a run at level DEBUG has; before 3.1 the libraries' own lines are missing."""

LOGS_RENDERED_FIELDS = AIRFLOW == (3, 0)
"""Whether ``dags test`` logs unmasked rendered fields at level DEBUG, in its own messages."""

SENSORS_READ_THE_DATABASE = AIRFLOW < (3, 0)
"""Whether a sensor in reschedule mode reads its first start from the database itself."""

HAS_APPROVALS = AIRFLOW >= (3, 1)
"""Whether there is an operator that waits for a person's decision."""

SHOWS_FORM = AIRFLOW != (3, 0)
"""Whether Airflow shows the connection form without Flask AppBuilder, which Airflow 3 does not install."""

READS_FORM_FROM_PROVIDER_INFO = AIRFLOW >= (3, 2)
"""Whether the connection form comes from the provider info rather than from the hook."""

DEFINES_ALL_OF_PROVIDER_INFO = AIRFLOW >= (3, 3)
"""Whether Airflow's own schema of the provider info has all keys."""

FORM_FROM_HOOK = "airflow.api_fastapi.core_api.services.ui.connections" if AIRFLOW == (3, 1) else ""
"""The module that reads the form from hooks without Flask AppBuilder, if there is one."""


def thread_for(target: Callable[..., Any], *arguments: Any, daemon: bool = False) -> threading.Thread:
    """Return a thread that may execute an operator, which Airflow 2 allows only in the main thread."""

    def run() -> None:
        if AIRFLOW < (3, 0):
            from airflow.models.baseoperator import ExecutorSafeguard

            ExecutorSafeguard._sentinel.callers = {}
        target(*arguments)

    return threading.Thread(target=run, daemon=daemon)
