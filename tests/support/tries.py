# SPDX-License-Identifier: Apache-2.0
"""Airflow's try counts of a task with three retries."""

from __future__ import annotations

from airflow_provider_cpp.core.checkpoint import TryCounts

FIRST = TryCounts(1, 3, 3, 0)
RETRY = TryCounts(2, 3, 3, 0)
"""The second try."""

CLEARED = TryCounts(3, 5, 3, 1)
"""The first try after a clear; the task had ended with its second try."""

CLEARED_OR_RETRIED = TryCounts(3, 3, 1, 0)
"""A third try, after ``retries`` was lowered to one: a clear results in the same counts."""
