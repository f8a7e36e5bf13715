# SPDX-License-Identifier: Apache-2.0
"""Runs many cases at once, in threads of several processes, so that a case that hangs does not stop the run."""

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

HANG_TIMEOUT = 9.0
"""Seconds: ten times the limit of one exchange, which is three times the read timeout."""

CUT_TIMEOUT = 10.0
"""Seconds within which a case that was cut must end; otherwise its thread is abandoned."""

COLLECT_INTERVAL = 2.0
"""Seconds between garbage collections, in one thread only, so that no case is blamed for another one's garbage."""

MAX_UNCLOSED_SOCKETS = 20
"""TLS sockets that may be left to the garbage collector in a whole run. Two libraries cause it: urllib3 does not close a response
with two lengths in one header, and Python's ssl module does not close a socket that is reset before TLS begins. If the package
itself left sockets open, there would be one in every case."""


def countable(texts: list[str]) -> list[str]:
    """Return the captured texts without the few sockets that libraries leave to the garbage collector."""
    sockets = [text for text in texts if re.search(r"unclosed <[\w.]*(TLS|SSL)Socket", text)]
    return [text for text in texts if text not in sockets] if len(sockets) <= MAX_UNCLOSED_SOCKETS else texts


class Pool:
    """Runs cases in threads.

    :ivar running: the runs that have not ended, each with the time at which it was cut; 0 if it was not.
    :ivar current_runs: the run of each thread.
    :ivar unassigned: captured warnings and errors that belong to no run.
    """

    def __init__(self, cases: list[Case], injected_fault: str, threads: int) -> None:
        self.injected_fault = injected_fault
        self.threads = threads
        self.remaining = len(cases)
        self.queued: SimpleQueue[Case] = SimpleQueue()
        for case in cases:
            self.queued.put(case)
        self.running: dict[Run, float] = {}
        self.current_runs: dict[threading.Thread, Run] = {}
        self.done: SimpleQueue[Run] = SimpleQueue()
        self.verdicts: list[tuple[Case, Verdict]] = []
        self.unassigned: list[str] = []
        self.collected_at = 0.0

    def run(self) -> list[tuple[Case, Verdict]]:
        """Run all cases; return each with its verdict."""
        with self._capture_warnings():
            for _ in range(self.threads):
                self._start()
            while self.remaining:
                with suppress(Empty):
                    self._end(self.done.get(timeout=0.2))
                self._check_runs()
        return self.verdicts

    def _start(self) -> None:
        thread_for(self._run_cases, daemon=True).start()

    def _run_cases(self) -> None:
        thread = threading.current_thread()
        with suppress(Empty):
            while True:
                run = self.current_runs[thread] = Run(self.queued.get_nowait(), self.injected_fault)
                self.running[run] = 0.0
                run.run()
                self.done.put(run)

    def _end(self, run: Run) -> None:
        if self.running.pop(run, None) is not None:  # otherwise it was abandoned
            self.remaining -= 1
            self.verdicts.append((run.case, run.verdict))

    def _check_runs(self) -> None:
        now = time.monotonic()
        if now - self.collected_at > COLLECT_INTERVAL:
            gc.collect()
            self.collected_at = time.monotonic()
        for run, cut_at in self.running.copy().items():
            since = run.interceptor.in_flight_since if run.interceptor is not None else None
            if cut_at and now - cut_at > CUT_TIMEOUT:
                run.verdict.hang = "an exchange did not end, even when it was cut"
                self._end(run)
                self._start()  # replaces the abandoned thread
            elif not cut_at and since is not None and now - since > HANG_TIMEOUT:
                run.verdict.hang = f"an exchange did not end within {HANG_TIMEOUT:g} s"
                self.running[run] = now
                run.cut()

    @contextmanager
    def _capture_warnings(self) -> Iterator[None]:
        """Capture warnings of unclosed sockets, and errors that nothing handled."""
        unraisable, uncaught = sys.unraisablehook, threading.excepthook
        gc.disable()
        sys.unraisablehook = lambda args: self._record(f"{args.err_msg}: {args.exc_value!r} in {args.object!r}")
        threading.excepthook = lambda args: self._record(f"in a thread: {args.exc_value!r}")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("always", ResourceWarning)
                warnings.showwarning = lambda message, kind, *_: self._record(f"{kind.__name__}: {message}")
                yield
                gc.collect()
        finally:
            gc.enable()
            sys.unraisablehook, threading.excepthook = unraisable, uncaught

    def _record(self, text: str) -> None:
        run = self.current_runs.get(threading.current_thread())
        (run.verdict.stray if run is not None else self.unassigned).append(text)


def run_here(
    cases: list[Case], injected_fault: str = "", threads: int = 24
) -> tuple[list[tuple[Case, Verdict]], list[str]]:
    """Run cases in this process; return their verdicts, and captured texts that belong to no case."""
    pool = Pool(cases, injected_fault, threads)
    verdicts = pool.run()
    return verdicts, pool.unassigned


def _share(only: str, sample: int, injected_fault: str, threads: int, part: int, parts: int) -> Any:
    gc.collect()
    gc.freeze()
    cases = choose(only, sample)
    verdicts, unassigned = run_here(cases[part::parts], injected_fault, threads)
    return [(case.name, verdict) for case, verdict in verdicts], unassigned


def run_in_processes(
    only: str, sample: int, injected_fault: str, processes: int, threads: int
) -> tuple[list[tuple[Case, Verdict]], list[str]]:
    """Run cases in several processes, each with several threads."""
    cases = {case.name: case for case in choose(only, sample)}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as executor:
        parts = range(processes)
        futures = [executor.submit(_share, only, sample, injected_fault, threads, part, processes) for part in parts]
        results: Iterable[Any] = [future.result() for future in futures]
    verdicts, unassigned = [], []
    for part_verdicts, part_unassigned in results:
        verdicts += [(cases[name], verdict) for name, verdict in part_verdicts]
        unassigned += part_unassigned
    return verdicts, countable(unassigned)
