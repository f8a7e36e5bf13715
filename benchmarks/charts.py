# SPDX-License-Identifier: Apache-2.0
"""The charts: bars in SVG, with the font and colours of the page that includes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from benchmarks.plan import MANY, MOST
from benchmarks.report import KIB, label
from benchmarks.summary import LIMIT, Summary, pick

WIDTH, LABELS, VALUES = 720, 190, 110
BAR, GAP, TOP = 20, 10, 34
STYLE = """
.chart { width: 100%; max-width: 720px; height: auto; display: block; margin: 1.5em 0;
  font: 14px var(--font-stack, system-ui, sans-serif) }
.chart text { fill: var(--color-foreground-primary, #1f2328) }
.chart .title { font-weight: 600 }
.chart .value { fill: var(--color-foreground-secondary, #57606a); font-variant-numeric: tabular-nums }
.chart .peer { fill: var(--color-foreground-muted, #6b6f76); opacity: 0.55 }
.chart .limit { fill: var(--color-foreground-secondary, #57606a) }
.chart .ours { fill: var(--color-brand-content, #0a66c2) }
"""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar.

    :param name: its label.
    :param value: its length.
    :param text: the text at its end.
    :param role: ``ours``, ``limit`` or ``peer``, which selects its colour.
    """

    name: str
    value: float
    text: str
    role: str


def charts(results: dict[str, Any]) -> dict[str, str]:
    """Return all charts, by the names of their files."""
    rows: list[Summary] = results["summaries"]
    return {
        "poll.svg": draw(f"CPU of a poll, relative to a bare aiohttp loop; {MANY:,} triggers, TLS", _polls(rows)),
        "memory.svg": draw("Memory of a waiting trigger, without what Airflow holds for each, in KiB", _memory(rows)),
        "lag.svg": draw(f"Worst lag of the event loop with {MOST:,} waits, in milliseconds", _lag(rows)),
        "imports.svg": draw("CPU of parsing a DAG file with operator and sensor, in milliseconds", _imports(rows)),
        "intervals.svg": draw("Polls for a publication of five days", _intervals(results["simulated"])),
    }


def draw(title: str, bars: Sequence[Bar]) -> str:
    """Return a chart with the bars from the shortest to the longest."""
    ordered = sorted(bars, key=lambda bar: bar.value)
    longest = max(bar.value for bar in ordered) or 1.0
    height = TOP + len(ordered) * (BAR + GAP)
    available = WIDTH - LABELS - VALUES
    description = "; ".join(f"{bar.name}: {bar.text}" for bar in ordered)
    lines = [
        f'<svg class="chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title><desc>{escape(description)}</desc><style>{STYLE}</style>",
        f'<text class="title" x="0" y="16">{escape(title)}</text>',
    ]
    for index, bar in enumerate(ordered):
        top = TOP + index * (BAR + GAP)
        length = max(2.0, available * bar.value / longest)
        middle = top + BAR / 2 + 5
        weight = ' font-weight="600"' if bar.role == "ours" else ""
        lines += [
            f'<text x="{LABELS - 12}" y="{middle:g}" text-anchor="end"{weight}>{escape(bar.name)}</text>',
            f'<rect class="{bar.role}" x="{LABELS}" y="{top}" width="{length:.1f}" height="{BAR}" rx="2"/>',
            f'<text class="value" x="{LABELS + length + 8:.1f}" y="{middle:g}"{weight}>{escape(bar.text)}</text>',
        ]
    return "\n".join([*lines, "</svg>\n"])


def _polls(rows: list[Summary]) -> list[Bar]:
    chosen = [row for row in rows if row["benchmark"] == "poll" and (row["scheme"], row["number"]) == ("https", MANY)]
    return [_bar(row, row["ratio"]["median"], "{:.1f}") for row in chosen if "ratio" in row]


def _memory(rows: list[Summary]) -> list[Bar]:
    held = {name: pick(rows, "memory", name)["bytes_per_trigger"] for name in ("idle", "sleep")}
    chosen = [row for row in rows if row["benchmark"] == "memory" and row["subject"] not in held]
    airflow = held["idle"] - held["sleep"]
    return [
        _bar(row, max(0.0, row["bytes_per_trigger"] - (airflow if row["subject"] != LIMIT else 0)) / KIB, "{:.1f}")
        for row in chosen
    ]


def _lag(rows: list[Summary]) -> list[Bar]:
    bars = []
    for row in (row for row in rows if row["benchmark"] == "lag"):
        name = label(row) if row["number"] else "an idle loop"
        role = "ours" if row["subject"] == "ours" else "peer" if row["number"] else "limit"
        bars.append(Bar(name, row["lag_worst"], f"{row['lag_worst']:,.1f}", role))
    return bars


def _imports(rows: list[Summary]) -> list[Bar]:
    return [_bar(row, row["milliseconds"], "{:.0f}") for row in rows if row["benchmark"] == "imports"]


def _intervals(simulated: dict[str, Any]) -> list[Bar]:
    return [
        Bar(
            row["schedule"],
            row["median"],
            f"{row['median']:,.0f}",
            "ours" if row["schedule"].startswith("default") else "peer",
        )
        for row in simulated["polls"]
        if row["publications"] == "of five days"
    ]


def _bar(row: Summary, value: float, form: str) -> Bar:
    roles = {"ours": "ours", LIMIT: "limit", "floor": "limit"}
    return Bar(label(row), value, form.format(value), roles.get(row["subject"], "peer"))
