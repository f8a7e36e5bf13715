# SPDX-License-Identifier: Apache-2.0
"""Runs one measurement: the stub in one process, what is measured in another, and what both say put together."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Self

from benchmarks import machine, measured, stub
from benchmarks.measured import SUBJECTS, Order, Pulse

PATIENCE = 240.0
"""Seconds after which a measurement that has said nothing is given up."""

SETTLING = 0.3
"""Seconds for what was answered last to be read."""

PRELOADED = ["airflow.jobs.triggerer_job_runner", "airflow.sdk.log", "benchmarks.measured"]
"""What a triggerer's process has imported when it begins: it is forked from one that has."""


class MeasurementError(Exception):
    """A measurement went wrong: what was measured did not do what it should, or said nothing."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was known at one moment.

    :param at: the moment, on the monotonic clock.
    :param cpu: seconds of CPU that the measured process has taken.
    :param counts: what the stub has counted.
    :param lines: lines that were logged.
    """

    at: float
    cpu: float
    counts: dict[str, Any]
    lines: int


class Log:
    """Reads the log as the triggerer's supervisor does, and counts its lines."""

    def __init__(self, pipe: Connection) -> None:
        self.lines = 0
        self.tail = b""
        self._pipe = pipe
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while data := os.read(self._pipe.fileno(), 1 << 16):
                self.lines += data.count(b"\n")
                self.tail = (self.tail + data)[-4000:]


class Stub:
    """The stub's process, as seen from here."""

    def __init__(self, process: BaseProcess, control: Connection) -> None:
        self.process = process
        self._control = control
        self.ports: dict[str, int] = self._hear()

    def counts(self) -> dict[str, Any]:
        """Ask for the counts."""
        self._control.send("counts")
        counts: dict[str, Any] = self._hear()
        return counts

    def _hear(self) -> Any:
        if not self._control.poll(PATIENCE):
            msg = "the stub does not answer"
            raise MeasurementError(msg)
        return self._control.recv()


@contextlib.contextmanager
def serving(certificate: Path, core: int | None) -> Iterator[Stub]:
    """Run the stub."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=stub.main, args=(theirs, str(certificate), core), daemon=True)
    process.start()
    theirs.close()
    try:
        yield Stub(process, ours)
    finally:
        ours.close()
        _end(process)


def context_for(subject: str) -> SpawnContext | ForkServerContext:
    """Return how a subject's process begins: as a triggerer's does, or as bare as it can be."""
    if not SUBJECTS[subject].in_triggerer:
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


class Run:
    """One measurement that is going on; a context manager.

    :param order: what is measured.
    :param server: the stub.
    :param core: the core that it may use.
    """

    def __init__(self, order: Order, server: Stub, core: int | None) -> None:
        self.order = order
        self._server = server
        self._core = core

    def __enter__(self) -> Self:
        """Start the process, and wait until it is ready; warm, if that was asked for."""
        context = context_for(self.order.subject)
        self._control, control = context.Pipe()
        pipe, log = context.Pipe(duplex=False)
        arguments = (self.order, control, log, self._core)
        self._process: BaseProcess = context.Process(target=measured.main, args=arguments, daemon=True)
        self._process.start()
        control.close()
        log.close()
        self._log = Log(pipe)
        try:
            self.hear()
            if self.order.warm:
                self.ask("warm")
                self.wait_for(self.order.warm)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self._control.close()
        _end(self._process)

    def hear(self) -> Any:
        """Hear what the process says."""
        if not self._control.poll(PATIENCE):
            raise self._error("it says nothing")
        try:
            said = self._control.recv()
        except EOFError as error:
            raise self._error("it has ended") from error
        if "error" in said:
            raise self._error(said["error"])
        return said

    def _error(self, text: str) -> MeasurementError:
        log = self._log.tail.decode(errors="replace")
        return MeasurementError(f"{self.order.subject}: {text}\n{log[-1500:]}")

    def ask(self, wanted: str) -> Any:
        """Ask the process for something."""
        self._control.send(wanted)
        return self.hear()

    def read(self) -> Reading:
        """Look at everything at once."""
        counts = self._server.counts()
        pid = self._process.pid
        if pid is None or not self._process.is_alive():
            self.hear()
        return Reading(time.monotonic(), machine.cpu_of(pid or 0), counts, self._log.lines)

    def wait_for(self, seen: int) -> None:
        """Wait until so many triggers have been answered once, and have gone to sleep."""
        if SUBJECTS[self.order.subject].asks:
            self.wait_until(lambda: bool(self._server.counts()["seen"] >= seen), f"{seen} triggers have asked")
        else:
            time.sleep(self.order.spread)
        time.sleep(SETTLING)

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until something is so.

        :raises MeasurementError: if it is not so in time, or a trigger has ended.
        """
        until = time.monotonic() + PATIENCE
        while not condition():
            if self._control.poll():  # nothing was asked, so it is bad news
                self.hear()
            if time.monotonic() > until:
                raise self._error(f"not in time: {what}")
            time.sleep(0.02)

    def end(self) -> tuple[Pulse, int]:
        """End it; returns what its loop felt, and how many connections it looked up.

        :raises MeasurementError: if somebody asked for what the stub does not have.
        """
        said = self.ask("end")
        unknown = self._server.counts()["unknown"]
        if unknown:
            raise self._error(f"the stub was asked for {unknown[:2]}")
        return said["pulse"], said["lookups"]


def _end(process: BaseProcess) -> None:
    process.join(2)
    if process.is_alive():
        process.kill()
        process.join()


def environment(folder: Path, bundle: Path) -> None:
    """Make this process's environment, which the others inherit, the same on every machine.

    :param folder: the home of Airflow.
    :param bundle: the certificates that are trusted, the stub's among them.
    """
    for name in list(os.environ):
        if name.startswith(("AIRFLOW", "SSL_CERT")) or name.lower().endswith(("_proxy", "_ca_bundle")):
            del os.environ[name]
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # imports would be compiled again by every process
    sys.dont_write_bytecode = False
    os.environ |= {
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PYTHONHASHSEED": "0",
        "SSL_CERT_FILE": str(bundle),
        "REQUESTS_CA_BUNDLE": str(bundle),
    }
