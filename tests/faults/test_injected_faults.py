# SPDX-License-Identifier: Apache-2.0
"""The matrix of ``make faults`` detects faults injected into the client, and reports nothing without one."""

from __future__ import annotations

import pytest
from faults.__main__ import counts
from faults.cases import choose
from faults.pool import countable, run_here

FEW = (
    "publish / cloud_partner_portal / requests / interim response / 103, then reset / ",
    "publish / product_ingestion / requests / interim response / 103, then real / ",
    "go-live / product_ingestion / requests / connection / reset after the request / ",
    "poll / cloud_partner_portal / aiohttp / body / half of it, then reset / ",
    "sign-in / cloud_partner_portal / aiohttp / encoding / gzip cut short / token",
)
OUTAGES = tuple(
    f"publish / {api} / requests / status / {status} / accepted, then an outage"
    for api in ("cloud_partner_portal", "product_ingestion")
    for status in (421, 500, 503)
)
TRICKLE = "poll / cloud_partner_portal / requests / status line, headers / a header byte by byte / the offer, once"


def run_and_count(*names: str, injected_fault: str = "") -> dict[str, int]:
    """Run the inputs with these names, and return the counts."""
    verdicts, unassigned = run_here([case for name in names for case in choose(name)], injected_fault)
    inputs, hangs, doubles, refusals, successes, stray = counts(verdicts)
    assert inputs >= len(names)
    return {
        "hangs": hangs,
        "doubles": doubles,
        "not accepted": refusals,
        "success": successes,
        "stray": stray + len(countable(unassigned)),
    }


def test_no_failure_without_an_injected_fault() -> None:
    """Inputs of each kind are run_and_count in no column if no fault is injected."""
    assert set(run_and_count(*FEW, TRICKLE).values()) == {0}


@pytest.mark.parametrize(
    ("injected_fault", "names", "columns"),
    [
        ("103-is-a-refusal", FEW[:2], {"doubles", "not accepted"}),
        ("checkpoint-not-saved", OUTAGES, {"doubles"}),
        ("no-header-deadline", (TRICKLE,), {"hangs"}),
    ],
)
def test_an_injected_fault_is_detected(injected_fault: str, names: tuple[str, ...], columns: set[str]) -> None:
    """Each fault that the command can inject is run_and_count in the columns for it."""
    nonzero = {column for column, number in run_and_count(*names, injected_fault=injected_fault).items() if number}
    assert nonzero == columns
