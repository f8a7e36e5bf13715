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


@pytest.mark.tree
def test_the_project_s_address_is_in_one_place() -> None:
    """Only pyproject.toml contains the project's address, which is a placeholder, so that it can be replaced in one place."""
    folders = [
        ROOT / name for name in (".github", "airflow_provider_cpp", "docs", "emulator", "example_dags", "scripts")
    ]
    files = [*ROOT.iterdir(), *(path for folder in folders for path in folder.rglob("*"))]
    texts = [path for path in files if path.suffix in (".md", ".toml", ".yml", ".yaml", ".py")]
    assert [path.name for path in texts if "airflow-provider-cpp.invalid" in path.read_text()] == ["pyproject.toml"]


@pytest.mark.tree
def test_the_form_for_bugs_asks_for_what_finds_them() -> None:
    """The form requires the versions, the registered provider and the log, each in a field of its own."""
    form = yaml.safe_load((ROOT / ".github/ISSUE_TEMPLATE/bug.yml").read_text())
    fields = {one["id"]: one for one in form["body"] if "id" in one}
    required = [name for name, field in fields.items() if field["validations"]["required"]]
    assert required == ["versions", "provider", "api", "behavior", "log"]
    assert fields["provider"]["attributes"]["label"] == "airflow providers get airflow-provider-cpp"


@pytest.mark.tree
def test_the_hosted_documentation_is_that_of_make_docs() -> None:
    """The documentation's host runs the same build as everybody, in which a warning is an error."""
    hosting = yaml.safe_load((ROOT / ".readthedocs.yaml").read_text())
    assert hosting["build"]["commands"][0] == "make docs"
