# SPDX-License-Identifier: Apache-2.0
"""The page on internals: its example runs, and the files that it names exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_cpp.core.models import StatusReport
from airflow_provider_cpp.core.status import Status

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/internals.md").read_text()
EXAMPLE = PAGE.partition("## A flow in 40 lines")[2].partition("\n## ")[0]


def test_the_example_of_a_flow_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """The example has at most 40 lines, retries the failed read, returns the status, and prints what the page shows."""
    (code,) = re.findall(r"^```python\n(.*?)^```", EXAMPLE, re.MULTILINE | re.DOTALL)
    (output,) = re.findall(r"^```text\n(.*?)^```", EXAMPLE, re.MULTILINE | re.DOTALL)
    assert len(code.splitlines()) <= 40
    scope: dict[str, Any] = {"__name__": "flow"}
    exec(compile(code, "internals.md", "exec"), scope)  # noqa: S102 - it is our own page
    assert scope["report"] == StatusReport(Status.SUCCEEDED, "succeeded")
    assert scope["responses"] == []
    assert capsys.readouterr().out == output


@pytest.mark.tree
def test_every_file_on_the_page_exists() -> None:
    """Each path that the page names leads to a file or folder of the repository or of the package."""
    paths = set(re.findall(r"`([\w/]+(?:\.py|\.md|/))`", PAGE))
    assert len(paths) > 30
    assert (
        sorted(
            path for path in paths if not any((base / path).exists() for base in (ROOT, ROOT / "airflow_provider_cpp"))
        )
        == []
    )
