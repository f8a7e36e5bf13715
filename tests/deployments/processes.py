# SPDX-License-Identifier: Apache-2.0
"""Processes that tests start, kill, pause and restart, each with its child processes."""

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

STOP_TIMEOUT = 15.0
"""Seconds to wait for a process to end before it is killed."""


class Process:
    """A process of a deployment, with its output in a log.

    :param name: its role, ``triggerer-1`` for example.
    :param command: the command to run.
    :param environment: its whole environment.
    :param log: the file to append its output to, over all its starts.
    :param user: the user that runs it; the current user if None.
    :param stop_signal: the signal that asks it to end.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        user: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name = name
        self.command = list(command)
        self.environment = dict(environment)
        self.log = log
        self.user = user
        self.stop_signal = stop_signal
        self.should_run = False
        self.restarts = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._tree: dict[int, psutil.Process] = {}
        self._lock = threading.RLock()

    @property
    def pid(self) -> int:
        """The id of the last process that was started."""
        assert self._process is not None, f"{self.name} was never started"
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it, or start it again."""
        with self._lock:
            self._start()

    def restart_if_ended(self) -> None:
        """Start it again if it ended by itself, as a service manager does."""
        with self._lock:
            if self.should_run and not self.is_running:
                self.restarts += 1
                self._start()

    def _start(self) -> None:
        assert not self.is_running, f"{self.name} is already running"
        self.should_run = True
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

    def process_tree(self) -> list[psutil.Process]:
        """List the process and its descendants that are still running, whatever their parent is now."""
        processes = {}
        with contextlib.suppress(psutil.NoSuchProcess):
            own = psutil.Process(self.pid)
            processes = {one.pid: one for one in (own, *own.children(recursive=True))}
        self._tree = {pid: one for pid, one in (self._tree | processes).items() if one.is_running()}
        return [*self._tree.values()]

    def kill(self) -> None:
        """Kill it and its child processes with SIGKILL, as when the machine loses power, and wait until it has ended."""
        with self._lock:
            self.should_run = False
            self._send(signal.SIGKILL, self.process_tree())
            self._wait(STOP_TIMEOUT)

    def end(self) -> None:
        """Ask it to end, and kill it if it does not."""
        if self._process is None:
            return
        with self._lock:
            self.should_run = False
            tree = self.process_tree()
            if self.is_running:
                self._send(signal.SIGCONT, tree)
                self._process.send_signal(self.stop_signal)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(STOP_TIMEOUT)
            self._send(signal.SIGKILL, self.process_tree())
            self._wait(STOP_TIMEOUT)

    def pause(self) -> None:
        """Pause it and its child processes: SIGSTOP."""
        self._send(signal.SIGSTOP, self.process_tree())

    def resume(self) -> None:
        """Resume it and its child processes: SIGCONT."""
        self._send(signal.SIGCONT, self.process_tree())

    def tail(self, characters: int = 2000) -> str:
        """Return the end of its output."""
        return self.log.read_text(errors="replace")[-characters:] if self.log.exists() else ""

    def _wait(self, seconds: float) -> None:
        assert self._process is not None
        self._process.wait(seconds)

    def _send(self, number: int, tree: Sequence[psutil.Process]) -> None:
        for one in tree:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.send_signal(number)


def wait_until(condition: Callable[[], object], description: str, timeout: float = 90.0, interval: float = 0.2) -> None:
    """Wait until a condition holds.

    :param description: the condition, for the error.
    :raises TimeoutError: if it does not hold in time.
    """
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            msg = f"not within {timeout:g} s: {description}"
            raise TimeoutError(msg)
        time.sleep(interval)


def free_port() -> int:
    """Return a free port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def clean_environment(**changes: str) -> dict[str, str]:
    """Return this process's environment without Airflow's variables, and with changes."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")} | changes


def _group_of(user: str) -> int:
    import pwd

    return pwd.getpwnam(user).pw_gid
