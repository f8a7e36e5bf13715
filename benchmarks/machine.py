# SPDX-License-Identifier: Apache-2.0
"""The machine: which core does what, how fast it is right now, and what a process has taken of it."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import time
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
STEPS = 7500
"""Steps of the fixed work that takes about a millisecond."""


ALLOWED = frozenset(os.sched_getaffinity(0))
"""The cores that this process may use."""


def cores() -> tuple[int | None, int | None]:
    """Return the core for what is measured and the one for all else; both are None where there is but one."""
    allowed = sorted(ALLOWED)
    return (allowed[0], allowed[1]) if len(allowed) > 1 else (None, None)


def pin(core: int | None) -> None:
    """Keep this process on one core."""
    if core is not None:
        with contextlib.suppress(OSError):  # a container may forbid it; the numbers are noisier then
            os.sched_setaffinity(0, {core})


def pin_to_all() -> None:
    """Let this process, and what it starts, run wherever there is room."""
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, ALLOWED)


def probe() -> float:
    """Do a fixed piece of work and return its seconds of CPU: how fast this core is at this moment."""
    began = time.thread_time()
    value, table = 0, {}
    for step in range(STEPS):
        value = (value * 31 + step) & 0xFFFF
        table[value & 1023] = step
    return time.thread_time() - began


def cpu_of(pid: int) -> float:
    """Return the seconds of CPU that a process has taken, all its threads together, to the nanosecond.

    The kernel keeps a clock for each process, whose number is made of its id: clock_getcpuclockid(3).
    """
    return time.clock_gettime((~pid << 3) | 2)


def resident(pid: int | str = "self") -> int:
    """Return the bytes of memory that a process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE


def description() -> dict[str, str]:
    """Say what this machine is, for whoever reads the results."""
    names = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.machine(),
        "cores": str(len(ALLOWED)),
        "system": f"{platform.system()} {platform.release()}",
        "python": sys.version.split()[0],
    }


def _lines(path: str) -> list[str]:
    with contextlib.suppress(OSError):
        return Path(path).read_text().splitlines()
    return []
