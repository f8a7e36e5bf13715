# SPDX-License-Identifier: Apache-2.0
"""Check the submit of a publish in random marketplaces with crashes and other people: ``check.py --runs 60000 --seed 1``.

Each run has its own seed, which is printed with the run's trace if it fails; ``--run SEED`` repeats it.
"""

# ruff: noqa: T201 - a command that prints

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from model.airflow_task import FAULT_NAMES, AirflowTask, Setup
from model.apis import CloudPartnerPortal, ProductIngestion
from model.conditions import Conditions
from model.invariants import VIOLATION_KINDS, EndlessLoopError, InvariantChecker

MAX_TRACES = 3
"""The number of traces printed for each kind of violation."""
SEEDS = 1_000_000_007
"""The distance between the first seeds of two values of ``--seed``."""


def play(seed: int, injected_fault: str = "", trace: Callable[[str], None] | None = None) -> InvariantChecker:
    """Play one run of the model and return its checker."""
    rng = Random(seed)  # noqa: S311 - repeatable random numbers
    market_class = rng.choice((CloudPartnerPortal, ProductIngestion))
    market = market_class(rng, Conditions.draw(rng))
    checker = InvariantChecker(market)
    task = AirflowTask(rng, market, checker, Setup.draw(rng), injected_fault, trace)
    if trace is not None:
        trace(f"{market_class.__name__}, {market.conditions}, {task.setup}")
    with suppress(EndlessLoopError):
        task.play()
    return checker


def play_many(seeds: range, injected_fault: str = "") -> tuple[Counter[str], list[tuple[int, str]]]:
    """Play runs; return the counts, and the seeds of failed runs with the kind of their first violation."""
    counts: Counter[str] = Counter()
    failed = []
    for seed in seeds:
        checker = play(seed, injected_fault)
        counts += checker.counts
        counts["runs"] += 1
        kinds = {kind for kind, _ in checker.violations}
        counts.update(kinds)
        if kinds:
            failed.append((seed, checker.violations[0][0]))
    return counts, failed


def print_trace(seed: int, injected_fault: str) -> bool:
    """Print the trace of a run; return whether it has no violation."""
    print(f"--- run {seed}")
    checker = play(seed, injected_fault, print)
    for kind, text in checker.violations:
        print(f"  !! {kind}: {text}")
    return not checker.violations


def main() -> int:
    """Parse the command line, play, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument(
        "--inject", choices=("", *FAULT_NAMES), default="", help="a fault to inject, which must be detected"
    )
    parser.add_argument("--run", type=int, help="the seed of one run to repeat")
    options = parser.parse_args()
    if options.run is not None:
        return 0 if print_trace(options.run, options.inject) else 1
    first, step = options.seed * SEEDS, 100
    parts = [range(at, min(at + step, first + options.runs)) for at in range(first, first + options.runs, step)]
    counts: Counter[str] = Counter()
    failed: list[tuple[int, str]] = []
    with ProcessPoolExecutor(options.jobs) as pool:
        for part, part_failed in pool.map(play_many, parts, [options.inject] * len(parts)):
            counts += part
            failed += part_failed
    for kind in VIOLATION_KINDS:
        for seed in [seed for seed, first_kind in failed if first_kind == kind][:MAX_TRACES]:
            print_trace(seed, options.inject)
    print(f"runs: {counts.pop('runs')}", *(f"{kind}: {counts.pop(kind, 0)}" for kind in VIOLATION_KINDS), sep="; ")
    print("; ".join(f"{name} {number}" for name, number in counts.most_common()))
    if failed:
        print("failed:", *(seed for seed, _ in failed[:50]))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
