# SPDX-License-Identifier: Apache-2.0
"""Check the submit of a publish against random marketplaces, people and deaths: ``check.py --runs 60000 --seed 1``.

Each run has a seed of its own, printed with its trace if it fails; ``--run SEED`` plays it again.
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

from model.airflow_task import PLANTS, AirflowTask, Setup
from model.apis import CloudPartnerPortal, ProductIngestion
from model.habits import Habits
from model.ledger import FAULTS, Endless, Ledger

MOST_TRACES = 3
"""How many traces are printed of each kind of fault."""
SEEDS = 1_000_000_007
"""Seeds of runs are this far apart for each ``--seed``."""


def play(seed: int, plant: str = "", trace: Callable[[str], None] | None = None) -> Ledger:
    """Play one run of the model and return what it is judged by."""
    rng = Random(seed)  # noqa: S311 - chance that can be repeated
    place = rng.choice((CloudPartnerPortal, ProductIngestion))
    market = place(rng, Habits.draw(rng))
    ledger = Ledger(market)
    task = AirflowTask(rng, market, ledger, Setup.draw(rng), plant, trace)
    if trace is not None:
        trace(f"{place.__name__}, {market.habits}, {task.setup}")
    with suppress(Endless):
        task.play()
    return ledger


def play_many(seeds: range, plant: str = "") -> tuple[Counter[str], list[tuple[int, str]]]:
    """Play runs; returns what happened in them, and the seeds of those that failed with their first fault's kind."""
    counts: Counter[str] = Counter()
    failed = []
    for seed in seeds:
        ledger = play(seed, plant)
        counts += ledger.counts
        counts["runs"] += 1
        kinds = {kind for kind, _ in ledger.faults}
        counts.update(kinds)
        if kinds:
            failed.append((seed, ledger.faults[0][0]))
    return counts, failed


def tell(seed: int, plant: str) -> bool:
    """Print the trace of a run; returns whether it is clean."""
    print(f"--- run {seed}")
    ledger = play(seed, plant, print)
    for kind, text in ledger.faults:
        print(f"  !! {kind}: {text}")
    return not ledger.faults


def main() -> int:
    """Read the command line, play, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--plant", choices=("", *PLANTS), default="", help="a fault to plant, which must be found")
    parser.add_argument("--run", type=int, help="the seed of one run to play again")
    given = parser.parse_args()
    if given.run is not None:
        return 0 if tell(given.run, given.plant) else 1
    first, step = given.seed * SEEDS, 100
    parts = [range(at, min(at + step, first + given.runs)) for at in range(first, first + given.runs, step)]
    counts: Counter[str] = Counter()
    failed: list[tuple[int, str]] = []
    with ProcessPoolExecutor(given.jobs) as pool:
        for part, bad in pool.map(play_many, parts, [given.plant] * len(parts)):
            counts += part
            failed += bad
    for kind in FAULTS:
        for seed in [seed for seed, of_kind in failed if of_kind == kind][:MOST_TRACES]:
            tell(seed, given.plant)
    print(f"runs: {counts.pop('runs')}", *(f"{kind}: {counts.pop(kind, 0)}" for kind in FAULTS), sep="; ")
    print("; ".join(f"{what} {number}" for what, number in counts.most_common()))
    if failed:
        print("failed:", *(seed for seed, _ in failed[:50]))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
