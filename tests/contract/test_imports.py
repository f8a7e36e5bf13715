# SPDX-License-Identifier: Apache-2.0
"""The import cost of a DAG file, and the rules that keep it low."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, get_type_hints

import pytest

import airflow_provider_cpp
from airflow_provider_cpp.operators import draft, offer
from airflow_provider_cpp.sensors.offer_status import OfferStatusSensor

ROOT = Path(__file__).parents[2]

BASE = """
from airflow.providers.common.compat.sdk import (
    XCOM_RETURN_KEY, AirflowException, AirflowFailException, AirflowNotFoundException, AirflowSensorTimeout,
    AirflowSkipException, BaseHook, BaseOperator, BaseOperatorLink, BaseSensorOperator, XCom, conf, mask_secret,
)
from airflow.triggers.base import BaseTrigger, TriggerEvent
"""


def modules_loaded_by(code: str) -> set[str]:
    program = f"import json, sys, contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()):\n    exec({code!r})\n"
    program += "print(json.dumps(sorted(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(result.stdout.splitlines()[-1]))


def test_a_dag_file_loads_only_modules_of_this_package(airflow_home: Path) -> None:
    """Importing operator and sensor adds only this package's modules to Airflow's own base classes."""
    ours = (
        "from airflow_provider_cpp.operators.offer import PublishOfferOperator\n"
        "from airflow_provider_cpp.sensors.offer_status import OfferStatusSensor\n"
    )
    added = modules_loaded_by(BASE + ours) - modules_loaded_by(BASE)
    assert "airflow_provider_cpp.sensors.offer_status" in added
    assert {name for name in added if name.split(".")[0] != "airflow_provider_cpp"} == set()


EVERY_DAG_FILE = """
from airflow_provider_cpp.links import MarketplaceLink, PartnerCenterLink
from airflow_provider_cpp.operators.draft import AddImageVersionOperator, UpdateOfferOperator
from airflow_provider_cpp.operators.offer import CancelOfferOperator, GoLiveOfferOperator, PublishOfferOperator
from airflow_provider_cpp.sensors.offer_status import OfferStatusSensor
"""
TASKS = """
from airflow.providers.common.compat.sdk import DAG

with DAG("release", schedule=None):
    publish = PublishOfferOperator(task_id="publish", offer_id="contoso-vm", wait_for_completion=True)
    GoLiveOfferOperator(task_id="go_live", operation=publish.output)
    CancelOfferOperator(task_id="cancel", operation=publish.output)
    OfferStatusSensor(task_id="preview", operation=publish.output, until="preview", deferrable=True)
    UpdateOfferOperator(task_id="change", offer_id="contoso-vm", change=dict)
"""
SIGNED_TASKS = """
UpdateOfferOperator(task_id="patch", offer_id="contoso-vm", patch={"url": "https://a.example/b?sig=secret-secret"})
AddImageVersionOperator(
    task_id="image", offer_id="contoso-vm", plan_id="p", version="1.0.0", os_disk_url="https://a.example/b?sig=secret-secret"
)
"""
PARSED = {
    "airflow_provider_cpp",
    "airflow_provider_cpp.defaults",
    "airflow_provider_cpp.links",
    "airflow_provider_cpp.operators",
    "airflow_provider_cpp.operators.base",
    "airflow_provider_cpp.operators.draft",
    "airflow_provider_cpp.operators.offer",
    "airflow_provider_cpp.get_provider_info",
    "airflow_provider_cpp.sensors",
    "airflow_provider_cpp.sensors.offer_status",
}
"""The modules of this package that each parse of a DAG file loads."""

MASKING = {
    "airflow_provider_cpp.tasks",
    "airflow_provider_cpp.tasks.masking",
    "airflow_provider_cpp.core",
    "airflow_provider_cpp.core.redaction",
}
"""The further modules that a DAG file loads if it passes a signed URL, which is masked at once."""


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [("", PARSED), (TASKS, PARSED), (SIGNED_TASKS, PARSED | MASKING)],
    ids=["imported", "instantiated", "instantiated with signed URLs"],
)
def test_a_dag_file_loads_no_module_that_tasks_need_to_run(airflow_home: Path, tasks: str, expected: set[str]) -> None:
    """Importing and instantiating every task loads only the modules of its arguments, not those that run it."""
    loaded = modules_loaded_by(BASE + EVERY_DAG_FILE + tasks)
    assert {name for name in loaded if name.split(".")[0] == "airflow_provider_cpp"} == expected


def test_public_modules_load_only_modules_of_this_package(airflow_home: Path) -> None:
    """Each module that a DAG file may import adds only this package's modules."""
    folders = "tasks", "hooks", "links", "operators", "sensors", "triggers"
    package = Path(airflow_provider_cpp.__file__).parent
    files = [file for folder in folders for file in ([*(package / folder).glob("*.py")] or [package / f"{folder}.py"])]
    names = [
        ".".join(file.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__") for file in files
    ]
    added = modules_loaded_by(BASE + "".join(f"import {name}\n" for name in names)) - modules_loaded_by(BASE)
    assert len(names) > len(folders)
    assert set(names) <= added
    assert {name for name in added if name.split(".")[0] != "airflow_provider_cpp"} == set()


TASKS = (
    draft.AddImageVersionOperator,
    draft.UpdateOfferOperator,
    offer.CancelOfferOperator,
    offer.GoLiveOfferOperator,
    offer.PublishOfferOperator,
    OfferStatusSensor,
)


@pytest.mark.parametrize("kind", TASKS)
def test_the_type_hints_of_constructors_resolve(kind: type) -> None:
    """The type hints of each constructor resolve, although few modules are loaded."""
    hints = get_type_hints(kind.__init__)
    assert hints["kwargs"] is Any
    assert len(hints) > 2


def test_the_package_itself_imports_nothing() -> None:
    """Importing the package loads no other module."""
    added = modules_loaded_by("import airflow_provider_cpp") - modules_loaded_by("from __future__ import annotations")
    assert added == {"airflow_provider_cpp"}


def test_provider_info_needs_the_standard_library_only() -> None:
    """Reading the provider info, which every Airflow process does, loads only its own module."""
    added = modules_loaded_by("import airflow_provider_cpp.get_provider_info") - modules_loaded_by(
        "from __future__ import annotations\nimport typing"
    )
    assert added == {"airflow_provider_cpp", "airflow_provider_cpp.get_provider_info"}


def copy_with_line(tmp_path: Path, line: str, module: str = "operators/offer.py") -> Path:
    """Copy what the checks read, with a line added above a module's imports."""
    for name in ("airflow_provider_cpp", "pyproject.toml"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path / name)
    changed = tmp_path / "airflow_provider_cpp" / module
    before = changed.read_text()
    after = before.replace(
        "\nfrom __future__ import annotations\n", f"\nfrom __future__ import annotations\n{line}\n", 1
    )
    assert after != before
    changed.write_text(after)
    return tmp_path


def check(tree: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *command], cwd=tree, capture_output=True, text=True, check=False)


IMPORT_RULES = (
    "-c",
    "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command as c; c()",
)


@pytest.mark.tree
def test_an_import_of_requests_fails_the_rules(tmp_path: Path) -> None:
    """The lint rule and the import contracts of `make check` both refuse `import requests` in an operator."""
    tree = copy_with_line(tmp_path, "import requests")
    lint = check(tree, "-m", "ruff", "check", "--no-cache", "--select", "TID253", "airflow_provider_cpp")
    contracts = check(tree, *IMPORT_RULES, "--no-cache")
    assert lint.returncode == 1
    assert "TID253" in lint.stdout
    assert contracts.returncode == 1
    assert "airflow_provider_cpp.operators.offer -> requests" in contracts.stdout


@pytest.mark.tree
def test_the_rules_pass_on_an_unchanged_copy(tmp_path: Path) -> None:
    """The lint rule and the import contracts pass on an unchanged copy, so a failure means something."""
    tree = copy_with_line(tmp_path, "# nothing")
    lint = check(tree, "-m", "ruff", "check", "--no-cache", "--select", "TID253", "airflow_provider_cpp")
    contracts = check(tree, *IMPORT_RULES, "--no-cache")
    assert (lint.returncode, contracts.returncode) == (0, 0), lint.stdout + contracts.stdout


CYCLE = "from airflow_provider_cpp.core.wait import wait"


@pytest.mark.tree
@pytest.mark.parametrize(
    "line",
    [CYCLE, f"def later():\n    {CYCLE}", f"from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    {CYCLE}"],
    ids=["import", "in a function", "for type checking"],
)
def test_an_import_cycle_fails_the_rules(tmp_path: Path, line: str) -> None:
    """An import cycle in the core is refused, also in a function or for type checking."""
    contracts = check(copy_with_line(tmp_path, line, "core/status.py"), *IMPORT_RULES, "--no-cache")
    assert contracts.returncode == 1
    assert "No cycles are allowed in airflow_provider_cpp.core" in contracts.stdout


@pytest.mark.tree
def test_an_import_of_a_higher_layer_fails_the_rules(tmp_path: Path) -> None:
    """An import of a higher layer is refused, also for type checking only."""
    line = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from airflow_provider_cpp.operators.base import OfferOperator"
    contracts = check(copy_with_line(tmp_path, line, "tasks/runtime.py"), *IMPORT_RULES, "--no-cache")
    assert contracts.returncode == 1
    assert "airflow_provider_cpp.tasks is not allowed to import" in contracts.stdout


@pytest.mark.tree
def test_mocks_stay_out_of_tests(tmp_path: Path) -> None:
    """The linter refuses `unittest.mock` in a test."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_planted.py").write_text("from unittest.mock import Mock\n\nMock()\n")
    lint = check(tmp_path, "-m", "ruff", "check", "--no-cache", "--select", "TID251", "tests")
    assert lint.returncode == 1
    assert "TID251" in lint.stdout
