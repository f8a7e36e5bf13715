# SPDX-License-Identifier: Apache-2.0
"""The machine: the use of its cores, their current speed, and the CPU and memory of a process."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import time
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
STEPS = 7500
"""Steps of the fixed work of a probe, which takes about a millisecond."""


ALLOWED = frozenset(os.sched_getaffinity(0))
"""The cores that this process may use."""


def cores() -> tuple[int | None, int | None]:
    """Return the core of the measured process and that of all others; both are None if there is only one core."""
    allowed = sorted(ALLOWED)
    return (allowed[0], allowed[1]) if len(allowed) > 1 else (None, None)


def pin(core: int | None) -> None:
    """Restrict this process to one core."""
    if core is not None:
        with contextlib.suppress(OSError):  # a container may forbid it; the results are noisier then
            os.sched_setaffinity(0, {core})


def pin_to_all() -> None:
    """Let this process, and those that it starts, use all cores."""
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, ALLOWED)


def probe() -> float:
    """Do a fixed amount of work and return its seconds of CPU, which shows the current speed of the core."""
    started = time.thread_time()
    value, table = 0, {}
    for step in range(STEPS):
        value = (value * 31 + step) & 0xFFFF
        table[value & 1023] = step
    return time.thread_time() - started


def cpu_of(pid: int) -> float:
    """Return the seconds of CPU that all threads of a process have used, to the nanosecond.

    The kernel has a clock for each process, with an id made from the process id: see clock_getcpuclockid(3).
    """
    return time.clock_gettime((~pid << 3) | 2)


def resident(pid: int | str = "self") -> int:
    """Return the resident memory of a process in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE


def description() -> dict[str, str]:
    """Describe this machine for the results."""
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
