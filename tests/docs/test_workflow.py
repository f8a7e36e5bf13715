# SPDX-License-Identifier: Apache-2.0
"""The CI workflow: it runs the Makefile's commands and has read permissions only."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
# Targets that print, only prepare, serve until stopped, change files, or take too long for each change.
NOT_RUN = {"help", "environments", "airflow", "screenshots", "format", "clean", "e2e-long", "bench", "bench-docs"}


@pytest.fixture(scope="module")
def workflow() -> dict[Any, Any]:
    return yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())


def test_the_workflow_runs_every_command_that_checks(workflow: dict[Any, Any]) -> None:
    """The workflow runs each target of the Makefile that checks something once, and nothing else."""
    targets = re.findall(r"^([a-z0-9-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    run = workflow["jobs"]["make"]["strategy"]["matrix"]["target"]
    assert sorted(run) == sorted(set(targets) - NOT_RUN)
    steps = [step["run"] for step in workflow["jobs"]["make"]["steps"] if "run" in step]
    assert "make ${{ matrix.target }}" in steps


def test_no_target_is_hidden_from_the_workflow() -> None:
    """Each phony target has a help text, so that the comparison with the workflow includes it."""
    text = (ROOT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.+)$", text, re.MULTILINE)
    assert set(phony.split()) == set(re.findall(r"^([a-z0-9-]+):.*## ", text, re.MULTILINE))


def test_the_workflow_may_only_read(workflow: dict[Any, Any]) -> None:
    """The workflow's token only reads the repository, no job has more permissions, and the checkout keeps no token."""
    assert workflow["permissions"] == {"contents": "read"}
    assert [name for name, job in workflow["jobs"].items() if "permissions" in job] == []
    (checkout,) = [step for step in workflow["jobs"]["make"]["steps"] if "checkout" in step.get("uses", "")]
    assert checkout["with"] == {"persist-credentials": False}


def test_the_workflow_uses_the_lowest_python(workflow: dict[Any, Any]) -> None:
    """The workflow uses the lowest Python version that the package allows."""
    (setup,) = [step for step in workflow["jobs"]["make"]["steps"] if "setup-python" in step.get("uses", "")]
    assert f'requires-python = ">={setup["with"]["python-version"]}"' in (ROOT / "pyproject.toml").read_text()
