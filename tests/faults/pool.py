# SPDX-License-Identifier: Apache-2.0
"""Many cases at once: threads in each of some processes, watched, so that one case that hangs does not stop the run."""

from __future__ import annotations

import gc
import multiprocessing
import re
import sys
import threading
import time
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import Any

from faults.cases import Case, choose
from faults.runs import Run, Verdict
from support.versions import thread_for

HANGS_AFTER = 9.0
"""Seconds: ten times what one exchange may take, which is three times the wait for data."""

ENDS_WITHIN = 10.0
"""Seconds after a case was cut within which it must end; else its thread is left behind."""


COLLECTS_EVERY = 2.0
"""Seconds from one garbage collection to the next: in one thread only, so that no case is blamed for another one's."""


LEFT_TO_COLLECTOR = 20
"""TLS sockets that may be left to the garbage collector in a whole run. Two behaviours cause it, in libraries: urllib3 does not
close a response with two lengths in one header, and Python's ssl module no socket that is reset before TLS begins. If the
package itself left sockets open, there would be one in every case."""


def that_count(heard: list[str]) -> list[str]:
    """Return what was heard without the few sockets that libraries leave to the garbage collector."""
    sockets = [text for text in heard if re.search(r"unclosed <[\w.]*(TLS|SSL)Socket", text)]
    return [text for text in heard if text not in sockets] if len(sockets) <= LEFT_TO_COLLECTOR else heard


class Pool:
    """Runs cases in threads.

    :ivar running: the runs that have not ended, each with the time at which it was cut; 0 for not at all.
    :ivar at_work: which run each thread is at.
    :ivar heard: what was heard that belongs to no run.
    """

    def __init__(self, cases: list[Case], plant: str, threads: int) -> None:
        self.plant = plant
        self.threads = threads
        self.left = len(cases)
        self.waiting: SimpleQueue[Case] = SimpleQueue()
        for case in cases:
            self.waiting.put(case)
        self.running: dict[Run, float] = {}
        self.at_work: dict[threading.Thread, Run] = {}
        self.done: SimpleQueue[Run] = SimpleQueue()
        self.verdicts: list[tuple[Case, Verdict]] = []
        self.heard: list[str] = []
        self.collected_at = 0.0

    def run(self) -> list[tuple[Case, Verdict]]:
        """Run all; returns each case with its verdict."""
        with self._listening():
            for _ in range(self.threads):
                self._start()
            while self.left:
                with suppress(Empty):
                    self._end(self.done.get(timeout=0.2))
                self._watch()
        return self.verdicts

    def _start(self) -> None:
        thread_for(self._work, daemon=True).start()

    def _work(self) -> None:
        thread = threading.current_thread()
        with suppress(Empty):
            while True:
                run = self.at_work[thread] = Run(self.waiting.get_nowait(), self.plant)
                self.running[run] = 0.0
                run.run()
                self.done.put(run)

    def _end(self, run: Run) -> None:
        if self.running.pop(run, None) is not None:  # else it was given up
            self.left -= 1
            self.verdicts.append((run.case, run.verdict))

    def _watch(self) -> None:
        now = time.monotonic()
        if now - self.collected_at > COLLECTS_EVERY:
            gc.collect()
            self.collected_at = time.monotonic()
        for run, cut_at in self.running.copy().items():
            since = run.exchanges.in_flight_since if run.exchanges is not None else None
            if cut_at and now - cut_at > ENDS_WITHIN:
                run.verdict.hang = "an exchange did not end, nor when it was cut"
                self._end(run)
                self._start()  # in place of the thread that is lost
            elif not cut_at and since is not None and now - since > HANGS_AFTER:
                run.verdict.hang = f"an exchange did not end within {HANGS_AFTER:g} s"
                self.running[run] = now
                run.cut()

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Take what is said of sockets that were left open, and of what nobody waited for."""
        unraisable, uncaught = sys.unraisablehook, threading.excepthook
        gc.disable()
        sys.unraisablehook = lambda told: self._hear(f"{told.err_msg}: {told.exc_value!r} in {told.object!r}")
        threading.excepthook = lambda told: self._hear(f"in a thread: {told.exc_value!r}")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("always", ResourceWarning)
                warnings.showwarning = lambda message, kind, *_: self._hear(f"{kind.__name__}: {message}")
                yield
                gc.collect()
        finally:
            gc.enable()
            sys.unraisablehook, threading.excepthook = unraisable, uncaught

    def _hear(self, text: str) -> None:
        run = self.at_work.get(threading.current_thread())
        (run.verdict.stray if run is not None else self.heard).append(text)


def run_here(cases: list[Case], plant: str = "", threads: int = 24) -> tuple[list[tuple[Case, Verdict]], list[str]]:
    """Run cases in this process; returns their verdicts, and what was heard that belongs to none of them."""
    pool = Pool(cases, plant, threads)
    verdicts = pool.run()
    return verdicts, pool.heard


def _share(only: str, sample: int, plant: str, threads: int, part: int, parts: int) -> Any:
    gc.collect()
    gc.freeze()
    cases = choose(only, sample)
    found, heard = run_here(cases[part::parts], plant, threads)
    return [(case.name, verdict) for case, verdict in found], heard


def run_in_processes(
    only: str, sample: int, plant: str, processes: int, threads: int
) -> tuple[list[tuple[Case, Verdict]], list[str]]:
    """Run cases in some processes, each with some threads."""
    cases = {case.name: case for case in choose(only, sample)}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as executor:
        parts = range(processes)
        begun = [executor.submit(_share, only, sample, plant, threads, part, processes) for part in parts]
        results: Iterable[Any] = [one.result() for one in begun]
    verdicts, heard = [], []
    for found, more in results:
        verdicts += [(cases[name], verdict) for name, verdict in found]
        heard += more
    return verdicts, that_count(heard)
