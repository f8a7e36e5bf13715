# SPDX-License-Identifier: Apache-2.0
"""Run one measurement: the stub in one process, the subject in another, and the numbers of both together."""

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
from benchmarks.measured import SUBJECTS, Heartbeat, MeasurementSpec

TIMEOUT = 240.0
"""Seconds without a message after which a measurement fails."""

SETTLE_TIME = 0.3
"""Seconds for the last response to be read."""

PRELOADED = ["airflow.jobs.triggerer_job_runner", "airflow.sdk.log", "benchmarks.measured"]
"""Modules that a triggerer's process inherits when it is forked."""


class MeasurementError(Exception):
    """Raised when the subject of a measurement fails, or sends no message in time."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The numbers at one moment.

    :param at: the moment, on the monotonic clock.
    :param cpu: seconds of CPU that the measured process has used.
    :param counts: the stub's counts.
    :param lines: the number of log lines.
    """

    at: float
    cpu: float
    counts: dict[str, Any]
    lines: int


class LogReader:
    """Read the log as the triggerer's supervisor does, and count its lines."""

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
    """A client of the stub's process."""

    def __init__(self, process: BaseProcess, control: Connection) -> None:
        self.process = process
        self._control = control
        self.ports: dict[str, int] = self._receive()

    def counts(self) -> dict[str, Any]:
        """Return the stub's counts."""
        self._control.send("counts")
        counts: dict[str, Any] = self._receive()
        return counts

    def _receive(self) -> Any:
        if not self._control.poll(TIMEOUT):
            msg = "the stub does not respond"
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
    """Return how a subject's process starts: forked, as a triggerer's, or spawned without Airflow."""
    if not SUBJECTS[subject].in_triggerer:
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


class Run:
    """One measurement in progress; a context manager.

    :param spec: what to measure.
    :param server: the stub.
    :param core: the core of the measured process.
    """

    def __init__(self, spec: MeasurementSpec, server: Stub, core: int | None) -> None:
        self.spec = spec
        self._server = server
        self._core = core

    def __enter__(self) -> Self:
        """Start the process, and wait until it is ready and, if requested, warm."""
        context = context_for(self.spec.subject)
        self._control, control = context.Pipe()
        pipe, log = context.Pipe(duplex=False)
        arguments = (self.spec, control, log, self._core)
        self._process: BaseProcess = context.Process(target=measured.main, args=arguments, daemon=True)
        self._process.start()
        control.close()
        log.close()
        self._log = LogReader(pipe)
        try:
            self.receive()
            if self.spec.warm:
                self.send("warm")
                self.wait_for(self.spec.warm)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self._control.close()
        _end(self._process)

    def receive(self) -> Any:
        """Return the next message of the process."""
        if not self._control.poll(TIMEOUT):
            raise self._error("no message in time")
        try:
            message = self._control.recv()
        except EOFError as error:
            raise self._error("the process has ended") from error
        if "error" in message:
            raise self._error(message["error"])
        return message

    def _error(self, text: str) -> MeasurementError:
        log = self._log.tail.decode(errors="replace")
        return MeasurementError(f"{self.spec.subject}: {text}\n{log[-1500:]}")

    def send(self, command: str) -> Any:
        """Send a command to the process, and return its response."""
        self._control.send(command)
        return self.receive()

    def read(self) -> Reading:
        """Read all numbers."""
        counts = self._server.counts()
        pid = self._process.pid
        if pid is None or not self._process.is_alive():
            self.receive()
        return Reading(time.monotonic(), machine.cpu_of(pid or 0), counts, self._log.lines)

    def wait_for(self, jobs: int) -> None:
        """Wait until so many triggers have received a response, and sleep."""
        if SUBJECTS[self.spec.subject].polls_stub:
            self.wait_until(lambda: bool(self._server.counts()["jobs"] >= jobs), f"{jobs} triggers have polled")
        else:
            time.sleep(self.spec.spread)
        time.sleep(SETTLE_TIME)

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until a condition holds.

        :raises MeasurementError: if it does not hold in time, or a trigger has ended.
        """
        deadline = time.monotonic() + TIMEOUT
        while not condition():
            if self._control.poll():  # no command was sent, so it is an error
                self.receive()
            if time.monotonic() > deadline:
                raise self._error(f"timed out waiting for: {what}")
            time.sleep(0.02)

    def end(self) -> tuple[Heartbeat, int]:
        """End the process, and return its heartbeat and the number of connections that it looked up.

        :raises MeasurementError: if the stub received an unknown request.
        """
        message = self.send("end")
        unknown = self._server.counts()["unknown"]
        if unknown:
            raise self._error(f"the stub received unknown requests: {unknown[:2]}")
        return message["heartbeat"], message["lookups"]


def _end(process: BaseProcess) -> None:
    process.join(2)
    if process.is_alive():
        process.kill()
        process.join()


def environment(folder: Path, bundle: Path) -> None:
    """Make this process's environment, which the other processes inherit, the same on every machine.

    :param folder: Airflow's home.
    :param bundle: the CA bundle, which includes the stub's CA.
    """
    for name in list(os.environ):
        if name.startswith(("AIRFLOW", "SSL_CERT")) or name.lower().endswith(("_proxy", "_ca_bundle")):
            del os.environ[name]
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else every process would compile its imports again
    sys.dont_write_bytecode = False
    os.environ |= {
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PYTHONHASHSEED": "0",
        "SSL_CERT_FILE": str(bundle),
        "REQUESTS_CA_BUNDLE": str(bundle),
    }
