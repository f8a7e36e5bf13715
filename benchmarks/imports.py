# SPDX-License-Identifier: Apache-2.0
"""The cost of importing a provider in a DAG file: CPU and modules, in a process forked as Airflow's DAG processor forks.

The DAG processor imports Airflow once and forks for every file that it parses, so every parse of a file imports the
provider again.
"""

from __future__ import annotations

import gc
import importlib
import multiprocessing
import os
import random
import sys
import time
from multiprocessing.connection import Connection

from benchmarks.harness import MeasurementError
from benchmarks.machine import pin, probe
from benchmarks.measurements import REFERENCE, Row

PACKAGE = "airflow_provider_cpp"
AZURE = "airflow.providers.microsoft.azure"
FLOOR = (
    "airflow.providers.common.compat.sdk:BaseHook,BaseOperator,BaseOperatorLink,BaseSensorOperator",
    "airflow.triggers.base",
)
"""The base classes of every provider's operators, sensors, hooks, triggers and links."""

PARSER = ("airflow.dag_processing.manager", "airflow.dag_processing.processor", "airflow.sdk")
"""The modules that the DAG processor has imported when it forks."""

DAG_FILES: dict[str, tuple[str, ...]] = {
    "floor": (),
    "ours": (f"{PACKAGE}.operators.offer", f"{PACKAGE}.sensors.offer_status", f"{PACKAGE}.links"),
    "http": ("airflow.providers.http.operators.http", "airflow.providers.http.sensors.http"),
    "dbt": ("airflow.providers.dbt.cloud.operators.dbt", "airflow.providers.dbt.cloud.sensors.dbt"),
    "data-factory": (f"{AZURE}.operators.data_factory", f"{AZURE}.sensors.data_factory"),
    "power-bi": (f"{AZURE}.operators.powerbi",),
    "airbyte": ("airflow.providers.airbyte.operators.airbyte", "airflow.providers.airbyte.sensors.airbyte"),
}
"""The imports of a DAG file with operator and sensor of a provider, in addition to the floor."""


def measure(repetitions: int, core: int | None, names: tuple[str, ...] = tuple(DAG_FILES)) -> list[Row]:
    """Import these DAG files' modules so many times, each time in a different sequence.

    :raises MeasurementError: if a module cannot be imported.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=parse, args=(theirs, repetitions, core, names), daemon=True)
    process.start()
    theirs.close()
    rows = []
    try:
        while row := ours.recv():
            if "error" in row:
                raise MeasurementError(f"{row['subject']}: {row['error']}")
            rows.append(row)
    except EOFError as error:
        msg = "the importing process has ended"
        raise MeasurementError(msg) from error
    finally:
        process.join(10)
    return rows


def parse(control: Connection, repetitions: int, core: int | None, chosen: tuple[str, ...]) -> None:
    """Fork for every file, as the DAG processor does, and send each row."""
    pin(core)
    sys.dont_write_bytecode = False  # keep compiled files, as Airflow does, regardless of the environment
    for name in PARSER:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    rng = random.Random(5)  # noqa: S311 - a sequence, not a secret
    for repetition in range(repetitions + 1):  # the first repetition writes compiled files
        names = list(chosen)
        rng.shuffle(names)
        for name in names:
            row = _in_a_fork(name)
            if repetition or "error" in row:
                control.send(row | {"repetition": repetition - 1})
    control.send(None)


def _in_a_fork(name: str) -> Row:
    """Import one DAG file's modules in a process of its own."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    child = os.fork()
    if child == 0:
        try:
            theirs.send(_measure(name))
        except BaseException as error:  # noqa: BLE001 - the parent process reports it
            theirs.send({"subject": name, "error": repr(error)})
        os._exit(0)
    theirs.close()
    row: Row = ours.recv()
    os.waitpid(child, 0)
    return row


def _measure(name: str) -> Row:
    """Import a DAG file's modules, and return the row."""
    before = set(sys.modules)
    speed = 1 / (REFERENCE * min(probe() for _ in range(3)))
    started = time.process_time()
    _import(FLOOR)
    floor = set(sys.modules)
    _import(DAG_FILES[name])
    took = time.process_time() - started
    own = {module for module in set(sys.modules) - floor if module.partition(".")[0] == PACKAGE}
    return {
        "benchmark": "imports",
        "subject": name,
        "scheme": "",
        "number": 1,
        "milliseconds": 1000 * took * speed,
        "modules": len(set(sys.modules) - before),
        "foreign_modules": len(set(sys.modules) - floor - own),
    }


def _import(names: tuple[str, ...]) -> None:
    """Import modules; names after a colon are attributes to load from a lazy module."""
    for name in names:
        module_name, _, attributes = name.partition(":")
        module = importlib.import_module(module_name)
        for attribute in filter(None, attributes.split(",")):
            getattr(module, attribute)
