# SPDX-License-Identifier: Apache-2.0
"""Summarize the rows of all repetitions to one row for each measurement: medians, and ratios to the limit."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import Any

from benchmarks.measurements import Row

Summary = dict[str, Any]
KEYS = ("benchmark", "subject", "scheme", "number")
LIMIT = "limit"
CPU = "cpu_per_1000_normalised"


class MissingRow(Exception):  # noqa: N818 - the name describes the problem
    """Raised when a measurement is missing."""


def summarize(rows: Iterable[Row]) -> list[Summary]:
    """Combine the repetitions of each measurement.

    A ratio to the limit is formed within a repetition, and the result is the median of the ratios. So when the machine is
    slow for a while, both sides of a ratio are slow.
    """
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in KEYS), []).append(row)
    limits = {
        (row["scheme"], row["number"], row["repetition"]): float(row[CPU])
        for row in (row for rows in groups.values() for row in rows)
        if row["subject"] == LIMIT and CPU in row
    }
    summaries = []
    for repetitions in groups.values():
        ratios = [
            float(row[CPU]) / limits[key]
            for row in repetitions
            if CPU in row and (key := (row["scheme"], row["number"], row["repetition"])) in limits
        ]
        summaries.append(_medians(repetitions) | ({"ratio": _spread(ratios)} if ratios else {}))
    return sorted(summaries, key=lambda row: tuple(str(row[key]) for key in KEYS))


def pick(summaries: Iterable[Summary], benchmark: str, subject: str, scheme: str = "", number: int = 0) -> Summary:
    """Return the row of a measurement.

    :param scheme: ``http`` or ``https``; any if empty.
    :param number: of triggers; if 0, the row with the most.
    :raises MissingRow: if there is none.
    """
    matching = [
        row
        for row in summaries
        if (row["benchmark"], row["subject"]) == (benchmark, subject)
        and scheme in ("", row["scheme"])
        and number in (0, row["number"])
    ]
    if not matching:
        raise MissingRow(f"there is no row of {benchmark} {subject} {scheme} {number or ''}".strip())
    return max(matching, key=lambda row: float(row["number"]))


def _medians(rows: list[Row]) -> Summary:
    names = {name: rows[0][name] for name in KEYS}
    numbers = [name for name in rows[0] if name not in (*KEYS, "repetition")]
    values = {name: statistics.median(float(row[name]) for row in rows) for name in numbers}
    return {**names, "repetitions": len(rows), **values}


def _spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}
