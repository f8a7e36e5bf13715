# SPDX-License-Identifier: Apache-2.0
"""Tries of a task with three retries, as Airflow counts them."""

from __future__ import annotations

from airflow_provider_cpp.core.checkpoint import TryCounts

FIRST = TryCounts(1, 3, 3, 0)
RETRY = TryCounts(2, 3, 3, 0)
"""The try after the first one."""

CLEARED = TryCounts(3, 5, 3, 1)
"""The first try after a clear of the task, which had ended with its second try."""

CLEARED_OR_RETRIED = TryCounts(3, 3, 1, 0)
"""A third try, with ``retries`` lowered to one in between: a clear leaves the same numbers behind."""
