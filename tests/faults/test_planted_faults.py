# SPDX-License-Identifier: Apache-2.0
"""The matrix of ``make faults`` finds faults that are planted in the client, and nothing where there are none."""

from __future__ import annotations

import pytest
from faults.__main__ import counts
from faults.cases import choose
from faults.pool import run_here, that_count

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


def counted(*names: str, plant: str = "") -> dict[str, int]:
    """Run the inputs with these names, and return what was counted."""
    verdicts, heard = run_here([case for name in names for case in choose(name)], plant)
    inputs, hangs, doubles, refusals, successes, stray = counts(verdicts)
    assert inputs >= len(names)
    return {
        "hangs": hangs,
        "doubles": doubles,
        "not accepted": refusals,
        "success": successes,
        "stray": stray + len(that_count(heard)),
    }


def test_nothing_is_found_where_nothing_is_planted() -> None:
    """Inputs of each kind are counted in no column when the client is as it is."""
    assert set(counted(*FEW, TRICKLE).values()) == {0}


@pytest.mark.parametrize(
    ("plant", "names", "columns"),
    [
        ("103-is-a-refusal", FEW[:2], {"doubles", "not accepted"}),
        ("checkpoint-not-saved", OUTAGES, {"doubles"}),
        ("no-header-deadline", (TRICKLE,), {"hangs"}),
    ],
)
def test_a_planted_fault_is_found(plant: str, names: tuple[str, ...], columns: set[str]) -> None:
    """Each fault that the command can plant is counted in the columns that are about it."""
    found = {column for column, number in counted(*names, plant=plant).items() if number}
    assert found == columns
