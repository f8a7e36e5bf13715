# SPDX-License-Identifier: Apache-2.0
"""Marks for tests that run on one of the deployments only."""

from __future__ import annotations

import pytest

on_one_machine = pytest.mark.parametrize("deployment", ["one machine"], indirect=True)
"""SQLite with LocalExecutor."""

on_several_machines = pytest.mark.parametrize("deployment", ["distributed"], indirect=True)
"""PostgreSQL, Redis, Celery with two workers, two triggerers."""
