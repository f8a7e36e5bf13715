# SPDX-License-Identifier: Apache-2.0
"""Build sdist and wheel, check their contents, install the wheel alone, and run the suite against it."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

from packaging.requirements import Requirement
from readme_renderer import markdown

ROOT = Path(__file__).resolve().parent.parent
NAME = "airflow_provider_cpp"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
UV = Path(sys.executable).with_name("uv")
ENVIRONMENT = ROOT / ".venv-dist"
IMPORTED = (
    "import importlib, pkgutil, airflow_provider_cpp as package\n"
    "assert 'site-packages' in package.__file__, package.__file__\n"
    "for one in pkgutil.walk_packages(package.__path__, 'airflow_provider_cpp.'):\n"
    "    importlib.import_module(one.name)\n"
)
FORM = (
    "from airflow.providers_manager import ProvidersManager\n"
    "widgets = ProvidersManager().connection_form_widgets\n"
    "assert any('cloud_partner_portal' in name for name in widgets), sorted(widgets)\n"
)


def main() -> int:
    """Run all steps; the first failure ends the command with a message."""
    with tempfile.TemporaryDirectory(prefix="distribution-") as directory:
        folder = Path(directory)
        wheel, source = build(folder / "built")
        check_contents(wheel, source)
        say(f"{wheel.name} and {source.name} have the expected contents")
        python = install(wheel, folder)
        check_registration(python, folder)
        say("installed alone: every module can be imported; the provider, its hook and its form are registered")
        tree = unpack_without_package(source, folder / "tree")
        check_types(python, tree)
        say("mypy types a user's code with the installed package")
        say(f"the suite against the wheel: {run_suite(python, tree)}")
    return 0


def build(folder: Path) -> tuple[Path, Path]:
    """Build the sdist, and the wheel from it, which shows that the sdist is complete."""
    run([UV, "build", "--quiet", "--out-dir", folder, ROOT], ROOT)
    return next(folder.glob("*.whl")), next(folder.glob("*.tar.gz"))


def check_contents(wheel: Path, source: Path) -> None:
    """Check contents and metadata."""
    names = zipfile.ZipFile(wheel).namelist()
    package = {path.relative_to(ROOT).as_posix() for path in (ROOT / NAME).rglob("*") if path.is_file()}
    package = {name for name in package if "__pycache__" not in name}
    own = {name for name in names if ".dist-info/" not in name}
    check(own == package, f"the wheel differs from the package: {sorted(own ^ package)}")
    check(f"{NAME}/py.typed" in own, "the wheel has no py.typed")
    check(any(name.endswith("licenses/LICENSE") for name in names), "the wheel has no licence")
    with tarfile.open(source) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()} - {"PKG-INFO"}
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    differing = inside ^ set(listed.split())
    check(not differing, f"the sdist differs from the files under version control: {sorted(differing)}")
    metadata = next(name for name in names if name.endswith(".dist-info/METADATA"))
    points = next(name for name in names if name.endswith("entry_points.txt"))
    check_metadata(Parser().parsestr(zipfile.ZipFile(wheel).read(metadata).decode()))
    ((group, entries),) = PROJECT["entry-points"].items()
    expected = [f"[{group}]", *(f"{name} = {target}" for name, target in entries.items())]
    lines = zipfile.ZipFile(wheel).read(points).decode().split("\n")
    check([line for line in lines if line] == expected, f"the entry points are {lines}, expected {expected}")


def check_metadata(metadata: Message) -> None:
    """Check the metadata that an index shows against pyproject.toml."""
    version = subprocess.run(
        [sys.executable, "-c", f"import {NAME}; print({NAME}.__version__)"], capture_output=True, text=True, check=True
    ).stdout.strip()
    expected = {
        "Name": PROJECT["name"],
        "Version": version,
        "Summary": PROJECT["description"],
        "License-Expression": PROJECT["license"],
        "Requires-Python": PROJECT["requires-python"],
        "Description-Content-Type": "text/markdown",
    }
    actual = {field: metadata[field] for field in expected}
    check(actual == expected, f"the metadata is {actual}, expected {expected}")
    # An extra for the emulator would install any package that is registered under its name.
    check(metadata.get_all("Provides-Extra") is None, "the metadata declares extras")
    needed = [Requirement(one) for one in PROJECT["dependencies"]]
    requirements = {str(Requirement(one)) for one in metadata.get_all("Requires-Dist") or []}
    check(requirements == {str(one) for one in needed}, f"the requirements are {sorted(requirements)}")
    page = markdown.render(str(metadata.get_payload()))
    check(page is not None and "<h1" in page, "the README does not render")
    dead = [
        link for link in re.findall(r'(?:href|src)="([^"]+)"', page or "") if not link.startswith(("https://", "#"))
    ]
    check(not dead, f"these links of the README do not work on an index: {dead}")


def install(wheel: Path, folder: Path) -> Path:
    """Install the wheel with only its declared dependencies."""
    run([sys.executable, "-m", "venv", "--clear", ENVIRONMENT], folder)
    python = ENVIRONMENT / "bin/python"
    run([UV, "pip", "install", "--quiet", "--python", python, "-c", ROOT / "constraints.txt", wheel], folder)
    return python


def check_registration(python: Path, folder: Path) -> None:
    """Import the package, and check that Airflow's own commands list it."""
    airflow, home = python.with_name("airflow"), str(folder / "home")
    run([python, "-c", IMPORTED], folder, AIRFLOW_HOME=home)
    listed = run([airflow, "providers", "list", "--output", "json"], folder, AIRFLOW_HOME=home)
    versions = {one["package_name"]: one["version"] for one in json.loads(listed.splitlines()[-1])}
    check(versions.get(PROJECT["name"]) == PROJECT["version"], f"the providers are {versions}")
    shown = run([airflow, "providers", "get", PROJECT["name"], "--output", "json"], folder, AIRFLOW_HOME=home)
    check(PROJECT["name"] in shown, f"airflow providers get shows {shown}")
    hooks = run([airflow, "providers", "hooks", "--output", "json"], folder, AIRFLOW_HOME=home)
    check("CloudPartnerPortalHook" in hooks, f"the hooks are {hooks}")
    run([python, "-c", FORM], folder, AIRFLOW_HOME=home)


def unpack_without_package(source: Path, folder: Path) -> Path:
    """Unpack the sdist and remove the package from it, so that only the installed one can be imported."""
    with tarfile.open(source) as archive:
        archive.extractall(folder)  # noqa: S202 - built by this command; Python has filters only from 3.11.4 on
    (tree,) = folder.iterdir()
    shutil.rmtree(tree / NAME)
    return tree


def check_types(python: Path, tree: Path) -> None:
    """Type-check a user's code against the installed package, which needs its py.typed for that."""
    options: list[str | Path] = ["--strict", "--config-file="]
    options += ["--cache-dir", tree.parent / "mypy", "--python-executable", python]
    run([sys.executable, "-m", "mypy", *options, "a_dag.py"], tree / "tests/typing")


def run_suite(python: Path, tree: Path) -> str:
    """Run the suite without the package's source and without the tests of that source; nothing may be skipped.

    It uses few generated examples, because their results do not depend on where the package is installed.
    """
    tools: list[str | Path] = ["--group", f"{tree / 'pyproject.toml'}:test", tree / "emulator"]
    run([UV, "pip", "install", "--quiet", "--python", python, "-c", ROOT / "constraints.txt", *tools], tree)
    run([python, "-c", IMPORTED], tree)
    options = shlex.split("-q -n 6 --dist worksteal -m 'not tree'")
    # The results of these do not depend on where the package is installed.
    options += [
        f"--ignore={folder}"
        for folder in (
            "emulator/tests",
            *(f"tests/{name}" for name in ("apis", "benchmarks", "core", "faults", "model")),
        )
    ]
    options += shlex.split(os.environ.get("PYTEST_ARGS", ""))
    environment = os.environ | {"HYPOTHESIS_PROFILE": "matrix"}
    command = [str(python), "-m", "pytest", *options]
    result = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    check(result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:])
    last = result.stdout.strip().splitlines()[-1]
    check("skipped" not in last, f"tests were skipped: {result.stdout[-3000:]}")
    return last


def run(command: list[str | Path], folder: Path, **variables: str) -> str:
    """Run a command and return its output; if it fails, exit with the output."""
    words = [str(word) for word in command]
    environment = os.environ | variables
    result = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    check(result.returncode == 0, f"{result.stdout[-3000:]}{result.stderr[-3000:]}\n{shlex.join(words)} failed")
    return result.stdout


def check(good: bool, error: str) -> None:  # noqa: FBT001 - the condition itself
    """Exit with an error if a condition does not hold."""
    if not good:
        sys.exit(error)


def say(text: str) -> None:
    """Print a line."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
