# SPDX-License-Identifier: Apache-2.0
"""Run the suite in an environment of each Airflow that is supported, and say what came of it in a table."""

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
"""The rows, and the folder of each one's environment; ``lowest`` has the lowest versions that the package allows."""

WHOLE = "lowest"
"""The row that runs all there is, with the lowest versions that the emulator's libraries may have too."""

KNOWS_NO_AIRFLOW = ("emulator/tests", "tests/apis", "tests/benchmarks", "tests/core", "tests/model")
"""What the other rows leave out, since no Airflow can change what it says; the newest versions run it in ``make test``."""

OF_THE_TRANSPORT = (
    *("tests/faults", "tests/transport"),
    *(f"tests/contract/test_{name}.py" for name in ("bounds", "generated", "hosts")),
)
"""What they leave out too: its subject imports no Airflow, which import-linter enforces, and the lowest and the newest versions of
the libraries that it does import are in the rows that run it."""

BETWEEN = ("3.0", "3.1", "3.2")
"""The rows that run what is marked ``again`` through the portal only: what is new in the successor knows no Airflow, and
``dags test``, which takes these minutes for it, is the same command in the versions on either side."""

APPROVING = ("3.1", "3.2", "3.3")
"""The rows whose Airflow knows a person's approval: they run ``full_release``, which waits for one, in a deployment."""

APPROVAL = "test_a_person_approves_between_preview_and_going_live"

AT_ONCE = 2
"""How many rows run side by side: each waits at times, for the successor or for a person, and two need less than twice the time."""

RESULTS = ROOT / ".matrix"
EXAMPLES = "tests.example_dags.test_examples"
WARNINGS = (
    # What others deprecated since is not ours to mend; what is left open, or raised where nobody looks, is.
    "default",
    "error::ResourceWarning",
    "error::pytest.PytestUnraisableExceptionWarning",
    "error::pytest.PytestUnhandledThreadExceptionWarning",
    "error:::airflow_provider_cpp.*",
)


@dataclass(frozen=True)
class Row:
    """What came of one environment."""

    name: str
    airflow: str
    passed: int
    failed: int
    skipped: int
    examples: tuple[str, ...]
    lacking: tuple[str, ...]
    seconds: float

    @property
    def is_good(self) -> bool:
        """Whether all that ran passed, and each example ran or is said to be beyond this version."""
        known = {path.stem for path in (ROOT / "example_dags").glob("*.py")}
        told = {*self.examples, *(text.partition(":")[0] for text in self.lacking)}
        return not self.failed and self.passed > 0 and known <= told

    def cells(self) -> tuple[str, ...]:
        """Write the row."""
        failed = f", {self.failed} failed" if self.failed else ""
        lacking = "; ".join(self.lacking) or "none"
        shown = f"{self.airflow} ({self.name})" if self.name == "lowest" else self.airflow
        examples = f"{len(self.examples)}: {', '.join(self.examples)}"
        return shown, f"{self.passed}{failed}", str(self.skipped), examples, lacking


def main() -> int:
    """Run the rows asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", help="all of them by default")
    parser.add_argument(
        "--ran",
        choices=ENVIRONMENTS,
        metavar="ROW",
        help="one that pytest was run for just now, its report in .matrix/ROW.xml",
    )
    given = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    names = given.rows or [*ENVIRONMENTS]
    rows = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for row in pool.map(lambda name: run(name, ran=name == given.ran), names):
            print(f"{row.name}: {row.passed} passed, {row.failed} failed in {row.seconds:.0f} s", flush=True)
            rows.append(row)
    written = table(rows)
    (RESULTS / "table.md").write_text(written)
    print(f"\n{written}", end="")
    bad = [row.name for row in rows if not row.is_good]
    for name in bad:
        log = RESULTS / f"{name}.log"
        failures = [line for line in log.read_text().splitlines() if line.startswith(("FAILED", "ERROR"))]
        print("\n".join([f"{name} failed: see {log.relative_to(ROOT)}", *failures]), file=sys.stderr)
    return int(bool(bad))


def run(name: str, *, ran: bool) -> Row:
    """Run one environment's row; if its suite was run just now, take its report, once, so that none is old."""
    began = time.monotonic()
    python = ROOT / ENVIRONMENTS[name] / "bin/python"
    reports = [RESULTS / f"{name}.xml"]
    if not ran:
        run_suite(name, python, reports[0])
    if name in APPROVING:
        reports.append(RESULTS / f"{name}-approval.xml")
        home = {"E2E_HOME": str(RESULTS / name)}
        run_pytest(python, reports[1], f"tests/e2e/test_people.py -k '{APPROVAL} and machine'", home)
    row = read(name, version_in(python), reports, time.monotonic() - began)
    for report in reports:
        report.unlink(missing_ok=True)
    return row


def run_suite(name: str, python: Path, report: Path) -> None:
    """Run the suite: all but what looks at the tree itself, with few generated examples."""
    left_out = ["tests/docs", *((*KNOWS_NO_AIRFLOW, *OF_THE_TRANSPORT) if name != WHOLE else ())]
    options = "-n 4 --dist worksteal " + " ".join(f"--ignore={folder}" for folder in left_out)
    marked = "not tree and not again" if name in BETWEEN else "not tree"
    run_pytest(python, report, f"{options} -m '{marked}'", {"HYPOTHESIS_PROFILE": "matrix"})


def run_pytest(python: Path, report: Path, options: str, variables: dict[str, str]) -> None:
    """Run pytest; what came of it stands in its report, and what it said in a log beside that."""
    report.unlink(missing_ok=True)
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
    command += [*shlex.split(options), "-o", "filterwarnings=" + "\n".join(WARNINGS)]
    with report.with_suffix(".log").open("wb") as log:
        subprocess.run(command, cwd=ROOT, env=os.environ | variables, stdout=log, stderr=subprocess.STDOUT, check=False)


def version_in(python: Path) -> str:
    """Ask an environment for its Airflow."""
    program = "from importlib.metadata import version; print(version('apache-airflow'))"
    return subprocess.run([python, "-c", program], capture_output=True, text=True, check=True).stdout.strip()


def read(name: str, airflow: str, reports: list[Path], seconds: float) -> Row:
    """Read what pytest wrote; where it ended before it wrote anything, the row has failed."""
    if not all(report.exists() for report in reports):
        return Row(name, airflow, 0, 1, 0, (), (), seconds)
    cases = [case for report in reports for case in ET.parse(report).iter("testcase")]  # noqa: S314 - pytest's, of just now
    failed = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    skipped = [case for case in cases if case.find("skipped") is not None]
    passed = [case for case in cases if case not in failed and case not in skipped]
    lacking = tuple(sorted({_reason(case) for case in skipped if case.get("classname") == EXAMPLES}))
    return Row(
        name, airflow, len(passed), len(failed), len(skipped), tuple(sorted(set(_examples(passed)))), lacking, seconds
    )


def _reason(case: ET.Element) -> str:
    skipped = case.find("skipped")
    return skipped.get("message", "") if skipped is not None else ""


def _examples(passed: list[ET.Element]) -> Iterator[str]:
    """Name the examples that ran, once for each API that they ran on."""
    for case in passed:
        if case.get("name", "").startswith(APPROVAL):
            yield "full_release"
        found = re.fullmatch(r"test_the_example_does_what_it_is_for\[(\w+)-\w+\]", case.get("name", ""))
        if found and case.get("classname") == EXAMPLES:
            yield found.group(1)


def table(rows: list[Row]) -> str:
    """Write the rows; the documentation has what they say of examples."""
    titles = ("Airflow", "tests passed", "skipped", "examples run", "examples it cannot run")
    lines = [titles, tuple("---" for _ in titles), *(row.cells() for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
