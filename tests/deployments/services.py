# SPDX-License-Identifier: Apache-2.0
"""What a deployment on several machines needs beside Airflow: a PostgreSQL and a Redis, both private."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deployments.processes import Process, free_port, wait_until, whole_environment

INSTALL = "apt-get install postgresql redis-server"
"""What installs the programs on Debian."""

USERS = ("postgres", "nobody")
"""Who runs PostgreSQL where root runs the tests: it refuses to be root's."""


def missing() -> list[str]:
    """List the programs that are not there."""
    return [name for name in ("initdb", "postgres", "redis-server") if _program(name) is None]


@contextmanager
def postgres(log: Path) -> Iterator[tuple[Process, int]]:
    """Serve a database ``airflow`` to whoever comes from this machine; gives its process and port."""
    user = next((name for name in USERS if _exists(name)), None) if os.geteuid() == 0 else None
    # Not below the checkout, which another user may not enter.
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    try:
        if user is not None:
            shutil.chown(folder, user, _group(user))
        data, port = folder / "data", free_port()
        options = ["--auth=trust", "--username=airflow", "--encoding=UTF8", "--no-locale", "--no-sync"]
        _run([_found("initdb"), *options, f"--pgdata={data}"], user, folder)
        command = [_found("postgres"), "-D", str(data), "-p", str(port), "-k", str(folder)]
        for setting in ("listen_addresses=127.0.0.1", "max_connections=200", "fsync=off"):
            command += ["-c", setting]
        # SIGINT is its fast shutdown: whoever is connected is cut off, as when a machine restarts it.
        process = Process("postgres", command, whole_environment(), log, user, ends_by=signal.SIGINT)
        process.start()
        try:
            ready = [_found("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
            wait_until(lambda: subprocess.run(ready, check=False).returncode == 0, "PostgreSQL answers", 30)
            _run([_found("createdb"), "-h", "127.0.0.1", "-p", str(port), "-U", "airflow", "airflow"], user, folder)
            yield process, port
        finally:
            process.end()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def redis(log: Path) -> Iterator[tuple[Process, int]]:
    """Serve a broker that keeps nothing on the disk; gives its process and port."""
    port = free_port()
    command = [_found("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = Process("redis", command, whole_environment(), log)
    process.start()
    try:
        wait_until(lambda: "Ready to accept connections" in process.tail(), "Redis answers", 30)
        yield process, port
    finally:
        process.end()


def _found(name: str) -> str:
    program = _program(name)
    assert program is not None, f"{name} is missing: {INSTALL}"
    return program


def _program(name: str) -> str | None:
    """Find a program; Debian keeps PostgreSQL's out of the path, a folder for each version."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    found = [str(path / name) for path in debian if (path / name).exists()]
    return found[-1] if found else shutil.which(name)


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
