# SPDX-License-Identifier: Apache-2.0
"""Measure a few triggers and print the rows, in a process with its own environment."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks import certificates, imports
from benchmarks.harness import MeasurementError, environment
from benchmarks.measurements import Bench


def main() -> None:
    """Measure the limit and this package, and a subject that cannot be imported."""
    folder = Path(sys.argv[1])
    certificate, bundle = certificates.create(folder)
    environment(folder / "airflow", bundle)
    bench = Bench(certificate, None, None)
    rows = [bench.poll(subject, "https", 3, 12) for subject in ("limit", "ours")]
    rows += [
        bench.poll("ours", "http", 2, 4),
        bench.memory("limit", 2),
        bench.restart("limit", "https", 3),
        bench.lag("idle", 0, 1.0, 0.5),
    ]
    rows += [bench.lag("ours", 2, 0.5, 1.2), *imports.measure(1, None, ("floor", "ours"))]
    try:
        bench.poll("http", "https", 1, 1)  # its package is not in this environment
    except MeasurementError as error:
        rows.append({"error": str(error)})
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
