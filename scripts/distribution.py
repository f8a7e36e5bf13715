# SPDX-License-Identifier: Apache-2.0
"""Build what is shipped, look into it, install it where nothing else is, and run the suite against it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAME = "airflow_provider_cpp"
UV = Path(sys.executable).with_name("uv")
NEEDED_BY_TESTS = (
    *("tests", "docs", "example_dags", "scripts", ".ci"),
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile", "pyproject.toml", ".gitignore"),
)
REGISTERED = (
    "from airflow.providers_manager import ProvidersManager as Manager\n"
    "manager = Manager()\n"
    "assert 'airflow-provider-cpp' in manager.providers, sorted(manager.providers)\n"
    "assert manager.hooks['cloud_partner_portal'].hook_name, manager.hooks\n"
    "assert any('cloud_partner_portal' in name for name in manager.connection_form_widgets)\n"
    "import airflow_provider_cpp.operators.offer, airflow_provider_cpp.sensors.offer_status\n"
    "import airflow_provider_cpp.triggers.offer_status, airflow_provider_cpp.transport.aio, airflow_provider_cpp.links\n"
)


def main() -> int:
    """Do all of it; whatever fails ends it with a word."""
    with tempfile.TemporaryDirectory(prefix="distribution-") as directory:
        folder = Path(directory)
        wheel, source = build(folder / "built")
        look_into(wheel, source)
        say(f"{wheel.name} and {source.name} hold what they should")
        python = install(wheel, folder)
        run([python, "-c", REGISTERED], folder, AIRFLOW_HOME=str(folder / "home"))
        say("installed by itself: imported, registered with Airflow, its form is there")
        run_suite(python, folder)
    return 0


def build(folder: Path) -> tuple[Path, Path]:
    """Build the sdist, and the wheel from it, so that the sdist is known to be whole."""
    run([UV, "build", "--quiet", "--out-dir", folder, ROOT], ROOT)
    return next(folder.glob("*.whl")), next(folder.glob("*.tar.gz"))


def look_into(wheel: Path, source: Path) -> None:
    """Check contents and metadata."""
    names = zipfile.ZipFile(wheel).namelist()
    package = {path.relative_to(ROOT).as_posix() for path in (ROOT / NAME).rglob("*") if path.is_file()}
    package = {name for name in package if "__pycache__" not in name}
    own = {name for name in names if ".dist-info/" not in name}
    check(own == package, f"the wheel differs from the package: {sorted(own ^ package)}")
    check(f"{NAME}/py.typed" in own, "the wheel has no py.typed")
    check(any(name.endswith("licenses/LICENSE") for name in names), "the wheel has no licence")
    with tarfile.open(source) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {"tests/conftest.py", "docs/index.md", "example_dags/publish_and_wait.py", "README.md", "CHANGELOG.md"}
    check(wanted <= inside, f"the sdist lacks {sorted(wanted - inside)}")
    metadata = next(name for name in names if name.endswith(".dist-info/METADATA"))
    points = next(name for name in names if name.endswith("entry_points.txt"))
    check_metadata(Parser().parsestr(zipfile.ZipFile(wheel).read(metadata).decode()))
    check("apache_airflow_provider" in zipfile.ZipFile(wheel).read(points).decode(), "the entry point is missing")


def check_metadata(metadata: Message) -> None:
    """Check what an index shows."""
    version = subprocess.run(
        [sys.executable, "-c", f"import {NAME}; print({NAME}.__version__)"], capture_output=True, text=True, check=True
    ).stdout.strip()
    check(metadata["Version"] == version, f"version {metadata['Version']} in the metadata, {version} in the package")
    check(metadata["Name"] == "airflow-provider-cpp", "the name is another one")
    check(metadata["License-Expression"] == "Apache-2.0", "the licence is not said")
    check(metadata["Requires-Python"] == ">=3.11", "the Python is not said")
    check(metadata["Description-Content-Type"] == "text/markdown", "the README is not said to be Markdown")
    requirements = metadata.get_all("Requires-Dist") or []
    for needed in ("apache-airflow>=", "aiohttp>=", "msal>=", "requests>="):
        check(any(one.startswith(needed) for one in requirements), f"{needed} is not required")


def install(wheel: Path, folder: Path) -> Path:
    """Install the wheel with its declared dependencies and nothing else."""
    environment = folder / "environment"
    run([sys.executable, "-m", "venv", environment], folder)
    python = environment / "bin/python"
    run([UV, "pip", "install", "--quiet", "--python", python, "-c", ROOT / "constraints.txt", wheel], folder)
    return python


def run_suite(python: Path, folder: Path) -> None:
    """Run the suite where the package's source is not, without what looks at the source or its documentation."""
    tree = folder / "tree"
    tree.mkdir()
    for name in NEEDED_BY_TESTS:
        place = ROOT / name
        if place.is_dir():
            shutil.copytree(place, tree / name, ignore=shutil.ignore_patterns("__pycache__", "_build"))
        else:
            shutil.copy(place, tree / name)
    tools = ["--group", f"{tree / 'pyproject.toml'}:test", "starlette", "uvicorn", "trustme"]
    run([UV, "pip", "install", "--quiet", "--python", python, "-c", ROOT / "constraints.txt", *tools], tree)
    proof = f"import {NAME}; assert 'site-packages' in {NAME}.__file__, {NAME}.__file__"
    run([python, "-c", proof], tree)
    options = ["-q", "-n", "4", "--dist", "worksteal", "-m", "not tree", "--ignore=tests/docs"]
    options += shlex.split(os.environ.get("PYTEST_ARGS", ""))
    result = subprocess.run([python, "-m", "pytest", *options], cwd=tree, capture_output=True, text=True, check=False)
    last = result.stdout.strip().splitlines()[-1:]
    check(result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:])
    say(f"the suite against the wheel: {''.join(last)}")


def run(command: list[str | Path], folder: Path, **variables: str) -> None:
    """Run a command, and show what it printed only if it fails."""
    words = [str(word) for word in command]
    environment = os.environ | variables
    result = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    check(result.returncode == 0, f"{result.stdout[-3000:]}{result.stderr[-3000:]}\n{shlex.join(words)} failed")


def check(good: bool, otherwise: str) -> None:  # noqa: FBT001 - it is what is checked
    """End with a word if something is not as it should be."""
    if not good:
        sys.exit(otherwise)


def say(text: str) -> None:
    """Print a line."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
