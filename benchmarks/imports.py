# SPDX-License-Identifier: Apache-2.0
"""What a DAG file pays for importing a provider: CPU and modules, in a process forked as Airflow's DAG processor forks.

The DAG processor imports Airflow once and forks for every file that it parses, so what a provider imports is paid for
by every file, each time it is parsed.
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
"""What every provider's operators, sensors, hooks, triggers and links are made of."""

PARSER = ("airflow.dag_processing.manager", "airflow.dag_processing.processor", "airflow.sdk")
"""What the DAG processor has imported when it forks."""

DAG_FILES: dict[str, tuple[str, ...]] = {
    "floor": (),
    "ours": (f"{PACKAGE}.operators.offer", f"{PACKAGE}.sensors.offer_status", f"{PACKAGE}.links"),
    "http": ("airflow.providers.http.operators.http", "airflow.providers.http.sensors.http"),
    "dbt": ("airflow.providers.dbt.cloud.operators.dbt", "airflow.providers.dbt.cloud.sensors.dbt"),
    "data-factory": (f"{AZURE}.operators.data_factory", f"{AZURE}.sensors.data_factory"),
    "power-bi": (f"{AZURE}.operators.powerbi",),
    "airbyte": ("airflow.providers.airbyte.operators.airbyte", "airflow.providers.airbyte.sensors.airbyte"),
}
"""What a DAG file with operator and sensor of a provider imports, beside the floor."""


def measure(repetitions: int, core: int | None, names: tuple[str, ...] = tuple(DAG_FILES)) -> list[Row]:
    """Import what these DAG files import so many times, in another order each time.

    :raises MeasurementError: if one cannot be imported.
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
        msg = "what imports has ended"
        raise MeasurementError(msg) from error
    finally:
        process.join(10)
    return rows


def parse(control: Connection, repetitions: int, core: int | None, chosen: tuple[str, ...]) -> None:
    """Be the DAG processor: fork for every file, and send what came of it."""
    pin(core)
    sys.dont_write_bytecode = False  # what is compiled is kept, as wherever Airflow runs, whatever the environment says
    for name in PARSER:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    chance = random.Random(5)  # noqa: S311 - an order, no secret
    for repetition in range(repetitions + 1):  # the first one writes what Python compiles
        names = list(chosen)
        chance.shuffle(names)
        for name in names:
            row = _in_a_fork(name)
            if repetition or "error" in row:
                control.send(row | {"repetition": repetition - 1})
    control.send(None)


def _in_a_fork(name: str) -> Row:
    """Read one DAG file in a process of its own."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    child = os.fork()
    if child == 0:
        try:
            theirs.send(_read(name))
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever asked
            theirs.send({"subject": name, "error": repr(error)})
        os._exit(0)
    theirs.close()
    row: Row = ours.recv()
    os.waitpid(child, 0)
    return row


def _read(name: str) -> Row:
    """Import what a DAG file imports."""
    before = set(sys.modules)
    speed = 1 / (REFERENCE * min(probe() for _ in range(3)))
    began = time.process_time()
    _import(FLOOR)
    floor = set(sys.modules)
    _import(DAG_FILES[name])
    took = time.process_time() - began
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
    """Import modules; names after a colon make a lazy one give what it promises."""
    for name in names:
        module, _, wanted = name.partition(":")
        found = importlib.import_module(module)
        for one in filter(None, wanted.split(",")):
            getattr(found, one)
