# SPDX-License-Identifier: Apache-2.0
"""The tables, for the terminal and the documentation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from benchmarks.measured import SUBJECTS
from benchmarks.summary import Summary, pick

KIB = 1024
PROTOCOL = {"http": "plain", "https": "TLS"}
ORDER = {name: index for index, name in enumerate(["floor", *SUBJECTS])}


def text(results: dict[str, Any]) -> str:
    """Return all tables, each below its heading."""
    return "\n".join(f"{heading}\n\n{table}" for heading, table in tables(results).items())


def tables(results: dict[str, Any]) -> dict[str, str]:
    """Return each table as Markdown, by its heading."""
    rows: list[Summary] = sorted(results["summaries"], key=lambda row: ORDER[row["subject"]])
    by_heading = {"Goals": _goals(results["goals"])}
    for scheme, number in sorted({(row["scheme"], row["number"]) for row in _of(rows, "poll")}):
        chosen = [row for row in _of(rows, "poll") if (row["scheme"], row["number"]) == (scheme, number)]
        by_heading[f"A poll: {number:,} triggers, {PROTOCOL[scheme]}"] = _polls(chosen)
    if restarts := _of(rows, "restart"):
        by_heading["A restart"] = _restarts(restarts)
    by_heading["Memory"] = _memory(_of(rows, "memory"))
    by_heading["Event loop lag"] = _lag(_of(rows, "lag"))
    by_heading["Parsing a DAG file"] = _imports(_of(rows, "imports"))
    if deployed := _of(rows, "deployed"):
        by_heading["The whole wait in real Airflow"] = _deployed(deployed)
    by_heading["Polling intervals"] = results["simulated"]["tables"]
    return by_heading


def label(row: Summary) -> str:
    """Return a subject's name for people."""
    return "floor" if row["subject"] == "floor" else SUBJECTS[row["subject"]].label


def _of(rows: Iterable[Summary], benchmark: str) -> list[Summary]:
    return [row for row in rows if row["benchmark"] == benchmark]


def _goals(goals: list[dict[str, Any]]) -> str:
    headings = ("measure", "best peer", "limit", "ours", "goal", "reached")
    cells = [
        (row["measure"], row["peer"], row["limit"], row["ours"], row["goal"], "yes" if row["reached"] else "**no**")
        for row in goals
    ]
    return table(headings, cells)


def _polls(rows: list[Summary]) -> str:
    columns: dict[str, Callable[[Summary], str]] = {
        "": label,
        "x limit": lambda row: f"**{row['ratio']['median']:.2f}**" if "ratio" in row else "",
        "range": lambda row: "{least:.2f} .. {most:.2f}".format(**row["ratio"]) if "ratio" in row else "",
        "CPU s per 1,000": lambda row: f"{row['cpu_per_1000_normalised']:.2f}",
        "connections per poll": lambda row: f"{row['connections_per_poll']:.2f}",
        "log lines per poll": lambda row: f"{row['lines_per_poll']:.2f}",
        "lookups per poll": lambda row: f"{row['lookups_per_poll']:.2f}",
        "worst lag, ms": lambda row: f"{row['lag_worst']:.0f}",
        "runs": lambda row: f"{row['repetitions']}",
    }
    return _table(columns, rows)


def _restarts(rows: list[Summary]) -> str:
    columns: dict[str, Callable[[Summary], str]] = {
        "": label,
        "triggers": lambda row: f"{row['number']:,}",
        "protocol": lambda row: PROTOCOL[row["scheme"]],
        "seconds until all have polled": lambda row: f"{row['seconds']:.1f}",
        "CPU s": lambda row: f"{row['cpu']:.1f}",
        "connections opened": lambda row: f"{row['connections']:,.0f}",
        "tokens": lambda row: f"{row['tokens']:,.0f}",
        "connection lookups": lambda row: f"{row['lookups']:,.0f}",
        "runs": lambda row: f"{row['repetitions']}",
    }
    return _table(columns, rows)


def _memory(rows: list[Summary]) -> str:
    airflow = pick(rows, "memory", "idle")["bytes_per_trigger"] - pick(rows, "memory", "sleep")["bytes_per_trigger"]

    def own(row: Summary) -> str:
        in_triggerer = SUBJECTS[row["subject"]].in_triggerer
        return f"**{(row['bytes_per_trigger'] - (airflow if in_triggerer else 0)) / KIB:.1f}**"

    columns: dict[str, Callable[[Summary], str]] = {
        "": label,
        "KiB per trigger, without Airflow's own": own,
        "KiB per trigger": lambda row: f"{row['bytes_per_trigger'] / KIB:.1f}",
        "triggers": lambda row: f"{row['number']:,}",
        "runs": lambda row: f"{row['repetitions']}",
    }
    return _table(columns, rows)


def _lag(rows: list[Summary]) -> str:
    idle, least = (pick(rows, "lag", "idle")[name] for name in ("lag_worst", "utilisation"))

    def cpu(row: Summary) -> str:
        return f"{3600 * (row['utilisation'] - least) / row['number']:.3f}" if row["number"] else ""

    columns: dict[str, Callable[[Summary], str]] = {
        "": lambda row: label(row) if row["number"] else "an idle loop",
        "worst lag, x idle": lambda row: f"**{row['lag_worst'] / idle:.2f}**",
        "worst lag, ms": lambda row: f"{row['lag_worst']:.1f}",
        "99th percentile, ms": lambda row: f"{row['lag_p99']:.1f}",
        "waits": lambda row: f"{row['number']:,}",
        "a poll every, s": lambda row: f"{row['interval']:.0f}" if row["number"] else "",
        "CPU s per wait and hour": cpu,
        "CPU of one core": lambda row: f"{100 * row['utilisation']:.0f} %",
        "KiB per wait": lambda row: f"{row['bytes_per_trigger'] / KIB:.1f}" if row["number"] else "",
        "runs": lambda row: f"{row['repetitions']}",
    }
    return _table(columns, rows)


def _imports(rows: list[Summary]) -> str:
    floor = pick(rows, "imports", "floor")["milliseconds"]
    columns: dict[str, Callable[[Summary], str]] = {
        "": label,
        "x floor": lambda row: f"**{row['milliseconds'] / floor:.1f}**",
        "CPU ms": lambda row: f"{row['milliseconds']:.1f}",
        "modules": lambda row: f"{row['modules']:.0f}",
        "third-party, beyond the floor": lambda row: (
            f"{row['foreign_modules']:.0f}" if row["subject"] == "ours" else ""
        ),
        "runs": lambda row: f"{row['repetitions']}",
    }
    return _table(columns, rows)


def _deployed(rows: list[Summary]) -> str:
    ours = pick(rows, "deployed", "ours")["cpu_per_1000"]
    columns: dict[str, Callable[[Summary], str]] = {
        "": label,
        "x ours": lambda row: f"**{row['cpu_per_1000'] / ours:.1f}**",
        "CPU s per 1,000 polls": lambda row: f"{row['cpu_per_1000']:.2f}",
        "CPU s per task": lambda row: f"{row['cpu_per_task']:.3f}",
        "polls": lambda row: f"{row['polls']:,.0f}",
        "tasks": lambda row: f"{row['number']}",
        "measured, s": lambda row: f"{row['seconds']:.0f}",
        "CPU s of a triggerer with nothing to do": lambda row: f"{row['idle_cpu']:.1f}",
    }
    return _table(columns, rows)


def _table(columns: dict[str, Callable[[Summary], str]], rows: Iterable[Summary]) -> str:
    return table(list(columns), [[cell(row) for cell in columns.values()] for row in rows])


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table as Markdown, with aligned columns."""
    lines = [list(headings), *(list(row) for row in rows)]
    widths = [max(3, *(len(line[index]) for line in lines)) for index in range(len(headings))]
    text = [" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    text.insert(1, " | ".join("-" * width for width in widths))
    return "".join(f"| {line} |\n" for line in text)
