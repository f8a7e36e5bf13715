# SPDX-License-Identifier: Apache-2.0
"""Run the suite in an environment of each supported Airflow version, and print a table of the results."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = {
    "2.11": ".venv-2.11",
    "lowest": ".venv-lowest",
    "3.0": ".venv-3.0",
    "3.1": ".venv-3.1",
    "3.2": ".venv-3.2",
    "3.3": ".venv",
}
"""The rows, each with the folder of its environment; ``lowest`` has the lowest versions that the package allows."""

WHOLE = "lowest"
"""The row that runs all tests, also with the lowest versions of the emulator's libraries."""

KNOWS_NO_AIRFLOW = ("emulator/tests", "tests/apis", "tests/benchmarks", "tests/core", "tests/model")
"""Tests that the other rows leave out, because they do not depend on Airflow; ``make test`` runs them with the newest versions."""

OF_THE_TRANSPORT = (
    *("tests/faults", "tests/transport"),
    *(f"tests/contract/test_{name}.py" for name in ("bounds", "generated", "hosts")),
)
"""Tests that they leave out too: the code that these test imports no Airflow, which import-linter enforces, and runs with the lowest
and the newest versions of its libraries in the rows that include the tests."""

BETWEEN = ("3.0", "3.1", "3.2")
"""The rows that leave out the tests marked ``again``, which repeat tests of the CPP API through the Product Ingestion API: what
differs between the APIs does not depend on Airflow, and ``dags test`` takes minutes for it."""

APPROVING = ("3.1", "3.2", "3.3")
"""The rows whose Airflow has approvals by a person: they run ``full_release``, which waits for one, in a deployment."""

APPROVAL = "test_a_person_approves_between_preview_and_going_live"

PARALLEL_ROWS = 2
"""How many rows run in parallel: each waits at times, so that two need less than twice the time."""

RESULTS = ROOT / ".matrix"
EXAMPLES = "tests.example_dags.test_examples"
WARNINGS = (
    # Deprecations of other packages are no errors here; unclosed resources and unhandled exceptions are.
    "default",
    "error::ResourceWarning",
    "error::pytest.PytestUnraisableExceptionWarning",
    "error::pytest.PytestUnhandledThreadExceptionWarning",
    "error:::airflow_provider_cpp.*",
)


@dataclass(frozen=True)
class Row:
    """The results of one environment."""

    name: str
    airflow: str
    passed: int
    failed: int
    skipped: int
    examples: tuple[str, ...]
    skipped_examples: tuple[str, ...]
    seconds: float

    @property
    def is_good(self) -> bool:
        """Whether all tests passed, and each example ran or was skipped because of the version."""
        all_examples = {path.stem for path in (ROOT / "example_dags").glob("*.py")}
        reported = {*self.examples, *(text.partition(":")[0] for text in self.skipped_examples)}
        return not self.failed and self.passed > 0 and all_examples <= reported

    def cells(self) -> tuple[str, ...]:
        """Return the row's cells."""
        failed = f", {self.failed} failed" if self.failed else ""
        skipped_examples = "; ".join(self.skipped_examples) or "none"
        version = f"{self.airflow} ({self.name})" if self.name == "lowest" else self.airflow
        examples = f"{len(self.examples)}: {', '.join(self.examples)}"
        return version, f"{self.passed}{failed}", str(self.skipped), examples, skipped_examples


def main() -> int:
    """Run the given rows and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", help="rows to run; all by default")
    parser.add_argument(
        "--ran",
        choices=ENVIRONMENTS,
        metavar="ROW",
        help="a row whose tests just ran, with the report in .matrix/ROW.xml",
    )
    options = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    names = options.rows or [*ENVIRONMENTS]
    rows = []
    with ThreadPoolExecutor(PARALLEL_ROWS) as pool:
        for row in pool.map(lambda name: run(name, ran=name == options.ran), names):
            print(f"{row.name}: {row.passed} passed, {row.failed} failed in {row.seconds:.0f} s", flush=True)
            rows.append(row)
    text = table(rows)
    (RESULTS / "table.md").write_text(text)
    print(f"\n{text}", end="")
    bad = [row.name for row in rows if not row.is_good]
    for name in bad:
        log = RESULTS / f"{name}.log"
        lines = log.read_text().splitlines() if log.exists() else []  # a row whose tests ran before has no log
        failures = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
        where = f"see {log.relative_to(ROOT)}" if lines else "see the output of make test"
        print("\n".join([f"{name} failed: {where}", *failures]), file=sys.stderr)
    return int(bool(bad))


def run(name: str, *, ran: bool) -> Row:
    """Run one row; if its suite just ran, use that report and delete it, so that it is used only once."""
    started = time.monotonic()
    python = ROOT / ENVIRONMENTS[name] / "bin/python"
    reports = [RESULTS / f"{name}.xml"]
    if not ran:
        run_suite(name, python, reports[0])
    if name in APPROVING:
        reports.append(RESULTS / f"{name}-approval.xml")
        home = {"E2E_HOME": str(RESULTS / name)}
        run_pytest(python, reports[1], f"tests/e2e/test_people.py -k '{APPROVAL} and machine'", home)
    row = read_reports(name, version_in(python), reports, time.monotonic() - started)
    for report in reports:
        report.unlink(missing_ok=True)
    return row


def run_suite(name: str, python: Path, report: Path) -> None:
    """Run the suite without the tests of the source tree, and with few generated examples."""
    left_out = ["tests/docs", *((*KNOWS_NO_AIRFLOW, *OF_THE_TRANSPORT) if name != WHOLE else ())]
    options = "-n 4 --dist worksteal " + " ".join(f"--ignore={folder}" for folder in left_out)
    markers = "not tree and not again" if name in BETWEEN else "not tree"
    run_pytest(python, report, f"{options} -m '{markers}'", {"HYPOTHESIS_PROFILE": "matrix"})


def run_pytest(python: Path, report: Path, options: str, variables: dict[str, str]) -> None:
    """Run pytest, with its results in the report and its output in a log next to it."""
    report.unlink(missing_ok=True)
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
    command += [*shlex.split(options), "-o", "filterwarnings=" + "\n".join(WARNINGS)]
    with report.with_suffix(".log").open("wb") as log:
        subprocess.run(command, cwd=ROOT, env=os.environ | variables, stdout=log, stderr=subprocess.STDOUT, check=False)


def version_in(python: Path) -> str:
    """Return the version of an environment's Airflow."""
    program = "from importlib.metadata import version; print(version('apache-airflow'))"
    return subprocess.run([python, "-c", program], capture_output=True, text=True, check=True).stdout.strip()


def read_reports(name: str, airflow: str, reports: list[Path], seconds: float) -> Row:
    """Read pytest's reports; without a report, the row has failed."""
    if not all(report.exists() for report in reports):
        return Row(name, airflow, 0, 1, 0, (), (), seconds)
    cases = [case for report in reports for case in ET.parse(report).iter("testcase")]  # noqa: S314 - written by pytest just now
    failed = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    skipped = [case for case in cases if case.find("skipped") is not None]
    passed = [case for case in cases if case not in failed and case not in skipped]
    skipped_examples = tuple(sorted({_reason(case) for case in skipped if case.get("classname") == EXAMPLES}))
    return Row(
        name,
        airflow,
        len(passed),
        len(failed),
        len(skipped),
        tuple(sorted(set(_examples(passed)))),
        skipped_examples,
        seconds,
    )


def _reason(case: ET.Element) -> str:
    skipped = case.find("skipped")
    return skipped.get("message", "") if skipped is not None else ""


def _examples(passed: list[ET.Element]) -> Iterator[str]:
    """Yield the name of each example that ran, once for each API."""
    for case in passed:
        if case.get("name", "").startswith(APPROVAL):
            yield "full_release"
        match = re.fullmatch(r"test_an_example_succeeds\[(\w+)-\w+\]", case.get("name", ""))
        if match and case.get("classname") == EXAMPLES:
            yield match.group(1)


def table(rows: list[Row]) -> str:
    """Return the rows as a table; the documentation shows their columns about examples."""
    titles = ("Airflow", "tests passed", "skipped", "examples run", "examples it cannot run")
    lines = [titles, tuple("---" for _ in titles), *(row.cells() for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
