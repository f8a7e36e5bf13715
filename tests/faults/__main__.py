# SPDX-License-Identifier: Apache-2.0
"""Misbehave to every kind of request in every way that is known, and count what the client makes of it.

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
    """Count what is in each column."""
    found = [verdict for _, verdict in verdicts]
    columns = ("hang", "double", "false_refusal", "false_success", "stray")
    return [len(found), *(sum(bool(getattr(one, name)) for one in found) for name in columns)]


def table(verdicts: list[tuple[Case, Verdict]], heard: list[str]) -> str:
    """Write the table: a row for each kind of request and stage, and the sums."""
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
    if heard:
        lines.append(f"| {' | '.join(['both', 'both', 'after a case', '', '', '', '', '', str(len(heard))])} |")
    total = counts(verdicts)
    total[-1] += len(heard)
    return "\n".join([*lines, f"| total | | | {' | '.join(map(str, total))} |"])


def main() -> int:
    """Run, print the table, and fail if anything but the inputs was counted."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--only", default="", help="only the inputs whose name has this in it")
    parser.add_argument("--sample", type=int, default=1, help="one input of so many, always the same ones")
    parser.add_argument("--plant", default="", help="plant a fault in the client, which must be found")
    parser.add_argument("--verbose", action="store_true", help="name each input that failed")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--threads", type=int, default=24, help="in each process")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="faults-airflow-") as home:
        quiet = {"AIRFLOW__CORE__LOAD_EXAMPLES": "False", "AIRFLOW__LOGGING__LOGGING_LEVEL": "CRITICAL"}
        os.environ |= {"AIRFLOW_HOME": home, "NO_PROXY": "127.0.0.1"} | quiet
        from faults.client import PLANTS
        from faults.pool import run_in_processes

        if options.plant not in ("", *PLANTS):
            parser.error(f"--plant is one of {', '.join(PLANTS)}")
        verdicts, heard = run_in_processes(
            options.only, options.sample, options.plant, options.processes, options.threads
        )
    print(table(verdicts, heard))
    failed = [(case, one) for case, one in verdicts if sum(counts([(case, one)])[1:])]
    for case, one in failed if options.verbose else []:
        texts = (one.hang, one.double, one.false_refusal, one.false_success, "; ".join(one.stray))
        named = zip(COLUMNS[1:], texts, strict=True)
        print(f"{case.name}: {'; '.join(f'{name}: {text}' for name, text in named if text)}", file=sys.stderr)
    for text in heard if options.verbose else []:
        print(f"after a case: {text}", file=sys.stderr)
    print(f"{len(verdicts)} inputs in {time.monotonic() - began:.0f} s", file=sys.stderr)
    return int(bool(failed or heard or not verdicts))


if __name__ == "__main__":
    sys.exit(main())
