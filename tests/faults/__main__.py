# SPDX-License-Identifier: Apache-2.0
"""Make a server misbehave at every kind of request in every known way, and count the client's failures.

``make faults`` runs this and prints the table.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faults.cases import Case
    from faults.runs import Verdict

COLUMNS = ("inputs", "hangs", "doubles", 'false "not accepted"', "false success", "stray exceptions")


def counts(verdicts: list[tuple[Case, Verdict]]) -> list[int]:
    """Return the count of each column."""
    columns = ("hang", "double", "false_refusal", "false_success", "stray")
    return [len(verdicts), *(sum(bool(getattr(verdict, name)) for _, verdict in verdicts) for name in columns)]


def table(verdicts: list[tuple[Case, Verdict]], unassigned: list[str]) -> str:
    """Return the table: a row for each driver, API and stage, and the sums."""
    from faults.behaviours import STAGES
    from faults.cases import APIS, DRIVERS

    lines = [f"| driver | API | stage | {' | '.join(COLUMNS)} |", f"| --- | --- | --- |{' ---: |' * len(COLUMNS)}"]
    names = {"cloud_partner_portal": "CPP API", "product_ingestion": "Product Ingestion API"}
    for driver in DRIVERS:
        for api in APIS:
            for stage in STAGES:
                rows = [
                    one
                    for one in verdicts
                    if (one[0].driver, one[0].api, one[0].behaviour.stage) == (driver, api, stage)
                ]
                cells = [driver, names[api], stage, *map(str, counts(rows))]
                lines += [f"| {' | '.join(cells)} |"] * bool(rows)
    if unassigned:
        lines.append(f"| {' | '.join(['both', 'both', 'after a case', '', '', '', '', '', str(len(unassigned))])} |")
    total = counts(verdicts)
    total[-1] += len(unassigned)
    return "\n".join([*lines, f"| total | | | {' | '.join(map(str, total))} |"])


def main() -> int:
    """Run the inputs, print the table, and fail if any input failed."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--only", default="", help="run only the inputs whose name contains this text")
    parser.add_argument("--sample", type=int, default=1, help="run every n-th input")
    parser.add_argument("--inject", default="", help="inject this fault into the client, which must be detected")
    parser.add_argument("--verbose", action="store_true", help="print each input that failed")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--threads", type=int, default=24, help="in each process")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="faults-airflow-") as home:
        quiet = {"AIRFLOW__CORE__LOAD_EXAMPLES": "False", "AIRFLOW__LOGGING__LOGGING_LEVEL": "CRITICAL"}
        os.environ |= {"AIRFLOW_HOME": home, "NO_PROXY": "127.0.0.1"} | quiet
        from faults.client import SESSIONS_WITH_FAULT
        from faults.pool import run_in_processes

        if options.inject not in ("", *SESSIONS_WITH_FAULT):
            parser.error(f"--inject is one of {', '.join(SESSIONS_WITH_FAULT)}")
        verdicts, unassigned = run_in_processes(
            options.only, options.sample, options.inject, options.processes, options.threads
        )
    print(table(verdicts, unassigned))
    failed = [(case, one) for case, one in verdicts if sum(counts([(case, one)])[1:])]
    for case, one in failed if options.verbose else []:
        texts = (one.hang, one.double, one.false_refusal, one.false_success, "; ".join(one.stray))
        named = zip(COLUMNS[1:], texts, strict=True)
        print(f"{case.name}: {'; '.join(f'{name}: {text}' for name, text in named if text)}", file=sys.stderr)
    for text in unassigned if options.verbose else []:
        print(f"after a case: {text}", file=sys.stderr)
    print(f"{len(verdicts)} inputs in {time.monotonic() - began:.0f} s", file=sys.stderr)
    return int(bool(failed or unassigned or not verdicts))


if __name__ == "__main__":
    sys.exit(main())
