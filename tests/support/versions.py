# SPDX-License-Identifier: Apache-2.0
"""What the Airflow that is tested has: the only place in the tests that knows versions."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from airflow import __version__

AIRFLOW = tuple(int(part) for part in __version__.split(".")[:2])

HAS_TASK_SDK = AIRFLOW >= (3, 0)
"""Whether there is airflow.sdk; before, the same names stand in airflow.providers.common.compat.sdk."""

A_LOUD_LINE = "urllib3.connectionpool" if AIRFLOW >= (3, 1) else "DEBUG"
"""What a run at the level DEBUG has in its log for certain; before 3.1 what the libraries say is not in it."""

SAYS_RENDERED_FIELDS = AIRFLOW == (3, 0)
"""Whether ``dags test``, talking to itself at the level DEBUG, logs rendered fields as they are: later versions mask them."""

SENSORS_ASK_THE_DATABASE = AIRFLOW < (3, 0)
"""Whether a sensor that reschedules reads its first try from the database itself."""

HAS_APPROVALS = AIRFLOW >= (3, 1)
"""Whether there is a task that waits for a person's answer."""

SHOWS_FORM = AIRFLOW != (3, 0)
"""Whether the connection form is shown where Flask AppBuilder is not installed, as it is not with Airflow 3 itself."""

READS_FORM_FROM_PROVIDER_INFO = AIRFLOW >= (3, 2)
"""Whether the connection form comes from the provider info rather than from the hook."""

DEFINES_ALL_OF_PROVIDER_INFO = AIRFLOW >= (3, 3)
"""Whether Airflow's own definition of the provider info knows every key of it."""

FORM_FROM_HOOK = "airflow.api_fastapi.core_api.services.ui.connections" if AIRFLOW == (3, 1) else ""
"""The module of the web page that asks hooks for their form, where it needs no Flask AppBuilder for that."""


def thread_for(target: Callable[..., Any], *arguments: Any, daemon: bool = False) -> threading.Thread:
    """Return a thread in which an operator may be executed: Airflow 2 keeps a list of who does in the main one only."""

    def run() -> None:
        if AIRFLOW < (3, 0):
            from airflow.models.baseoperator import ExecutorSafeguard

            ExecutorSafeguard._sentinel.callers = {}
        target(*arguments)

    return threading.Thread(target=run, daemon=daemon)
