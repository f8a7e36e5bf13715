# SPDX-License-Identifier: Apache-2.0
"""The services of a distributed deployment: a private PostgreSQL and a private Redis."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deployments.processes import Process, clean_environment, free_port, wait_until

INSTALL = "apt-get install postgresql redis-server"
"""The command that installs the programs on Debian."""

USERS = ("postgres", "nobody")
"""Users that can run PostgreSQL when root runs the tests, because PostgreSQL refuses to run as root."""


def missing() -> list[str]:
    """List the programs that are not installed."""
    return [name for name in ("initdb", "postgres", "redis-server") if _program(name) is None]


@contextmanager
def postgres(log: Path) -> Iterator[tuple[Process, int]]:
    """Serve a database ``airflow`` to this machine without a password, and yield its process and port."""
    user = next((name for name in USERS if _exists(name)), None) if os.geteuid() == 0 else None
    # Not below the checkout, which another user may not be able to access.
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    try:
        if user is not None:
            shutil.chown(folder, user, _group(user))
        data, port = folder / "data", free_port()
        options = ["--auth=trust", "--username=airflow", "--encoding=UTF8", "--no-locale", "--no-sync"]
        _run([_require("initdb"), *options, f"--pgdata={data}"], user, folder)
        command = [_require("postgres"), "-D", str(data), "-p", str(port), "-k", str(folder)]
        for setting in ("listen_addresses=127.0.0.1", "max_connections=200", "fsync=off"):
            command += ["-c", setting]
        # SIGINT is its fast shutdown, which closes all connections, as when a machine restarts.
        process = Process("postgres", command, clean_environment(), log, user, stop_signal=signal.SIGINT)
        process.start()
        try:
            ready = [_require("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
            wait_until(lambda: subprocess.run(ready, check=False).returncode == 0, "PostgreSQL responds", 30)
            _run([_require("createdb"), "-h", "127.0.0.1", "-p", str(port), "-U", "airflow", "airflow"], user, folder)
            yield process, port
        finally:
            process.end()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def redis(log: Path) -> Iterator[tuple[Process, int]]:
    """Serve a broker that stores nothing on disk, and yield its process and port."""
    port = free_port()
    command = [_require("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = Process("redis", command, clean_environment(), log)
    process.start()
    try:
        wait_until(lambda: "Ready to accept connections" in process.tail(), "Redis responds", 30)
        yield process, port
    finally:
        process.end()


def _require(name: str) -> str:
    program = _program(name)
    assert program is not None, f"{name} is missing: {INSTALL}"
    return program


def _program(name: str) -> str | None:
    """Return the path of a program; Debian keeps PostgreSQL's outside of PATH, in a folder for each version."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    matches = [str(path / name) for path in debian if (path / name).exists()]
    return matches[-1] if matches else shutil.which(name)


def _run(command: list[str], user: str | None, folder: Path) -> None:
    result = subprocess.run(
        command,
        user=user,
        group=user and _group(user),
        extra_groups=[] if user else None,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, f"{command[0]} failed:\n{result.stdout[-1000:]}\n{result.stderr[-2000:]}"


def _exists(user: str) -> bool:
    import pwd

    return user in {entry.pw_name for entry in pwd.getpwall()}


def _group(user: str) -> int:
    import pwd

    return pwd.getpwnam(user).pw_gid
