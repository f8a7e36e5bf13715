# SPDX-License-Identifier: Apache-2.0
"""Processes that are started, killed, stopped and started again, each with all that it began itself."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

ENDING = 15.0
"""Seconds that a process has to end by itself before it is killed."""


class Process:
    """A process of a deployment, by its role; what it writes is kept.

    :param name: its role, ``triggerer-1`` for example.
    :param command: what is run.
    :param environment: its whole environment.
    :param log: the file that its output is appended to, over all its starts.
    :param user: who runs it; whoever runs the tests if None.
    :param ends_by: the signal that asks it to end.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        user: str | None = None,
        ends_by: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name = name
        self.command = list(command)
        self.environment = dict(environment)
        self.log = log
        self.user = user
        self.ends_by = ends_by
        self.is_wanted = False
        self.revivals = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._family: dict[int, psutil.Process] = {}
        self._lock = threading.RLock()

    @property
    def pid(self) -> int:
        """The id of the process that was started last."""
        assert self._process is not None, f"{self.name} was never started"
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it; where it ran before, it is started again."""
        with self._lock:
            self._start()

    def revive(self) -> None:
        """Start it again if it ended by itself, as whatever keeps services running does."""
        with self._lock:
            if self.is_wanted and not self.is_running:
                self.revivals += 1
                self._start()

    def _start(self) -> None:
        assert not self.is_running, f"{self.name} runs already"
        self.is_wanted = True
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            log.write(f"--- {self.name} starts at {time.strftime('%H:%M:%S')}\n".encode())
            log.flush()
            self._process = subprocess.Popen(
                self.command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=self.user,
                group=self.user and _group_of(self.user),
                extra_groups=[] if self.user else None,
            )

    def family(self) -> list[psutil.Process]:
        """List the process and all that it began and that still runs, whoever their parent is by now."""
        found = {}
        with contextlib.suppress(psutil.NoSuchProcess):
            own = psutil.Process(self.pid)
            found = {one.pid: one for one in (own, *own.children(recursive=True))}
        self._family = {pid: one for pid, one in (self._family | found).items() if one.is_running()}
        return [*self._family.values()]

    def kill(self, *, alone: bool = False) -> None:
        """End it with SIGKILL, as a machine that is switched off does, and wait until it is gone.

        :param alone: leave what it began alive, as when the kernel picks one process for want of memory.
        """
        with self._lock:
            self.is_wanted = False
            family = self.family()
            self._send(signal.SIGKILL, family[:1] if alone else family)
            self._wait(ENDING)

    def end(self) -> None:
        """Ask it to end, and see to it."""
        if self._process is None:
            return
        with self._lock:
            self.is_wanted = False
            family = self.family()
            if self.is_running:
                self._send(signal.SIGCONT, family)
                self._process.send_signal(self.ends_by)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(ENDING)
            self._send(signal.SIGKILL, self.family())
            self._wait(ENDING)

    def stop(self) -> None:
        """Let it stand still, with all that it began: SIGSTOP."""
        self._send(signal.SIGSTOP, self.family())

    def go_on(self) -> None:
        """Let it go on: SIGCONT."""
        self._send(signal.SIGCONT, self.family())

    def tail(self, characters: int = 2000) -> str:
        """Return the end of what it wrote."""
        return self.log.read_text(errors="replace")[-characters:] if self.log.exists() else ""

    def _wait(self, seconds: float) -> None:
        assert self._process is not None
        self._process.wait(seconds)

    def _send(self, number: int, family: Sequence[psutil.Process]) -> None:
        for one in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.send_signal(number)


def wait_until(condition: Callable[[], object], what: str, patience: float = 90.0, pause: float = 0.2) -> None:
    """Wait until something is so.

    :param what: what is waited for, for the error.
    :raises TimeoutError: if it is not so in time.
    """
    until = time.monotonic() + patience
    while not condition():
        if time.monotonic() > until:
            msg = f"not within {patience:g} s: {what}"
            raise TimeoutError(msg)
        time.sleep(pause)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def whole_environment(**changes: str) -> dict[str, str]:
    """Return this process's environment without what is Airflow's in it, and with changes."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")} | changes


def _group_of(user: str) -> int:
    import pwd

    return pwd.getpwnam(user).pw_gid
