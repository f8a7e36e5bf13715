# SPDX-License-Identifier: Apache-2.0
"""The status vocabulary: every spelling of the CPP API, and nothing else."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import airflow_provider_cpp
from airflow_provider_cpp.apis.cloud_partner_portal.status import SPELLINGS, parse_status
from airflow_provider_cpp.core.outcome import WaitResult
from airflow_provider_cpp.core.status import Status

PACKAGE = Path(airflow_provider_cpp.__file__).parent
WORDS = [(status, word) for status, words in SPELLINGS.items() for word in words]


@pytest.mark.parametrize(("status", "word"), WORDS)
@pytest.mark.parametrize("write", [str, str.upper, lambda word: word[0].upper() + word[1:], lambda word: f" {word}\n"])
def test_every_spelling_is_understood(status: Status, word: str, write: type) -> None:
    """A word means the same in any case and with spaces around it."""
    assert parse_status(write(word)) is status


@pytest.mark.parametrize(
    "word", ["", "frobnicating", "success", "succeed", "done", "ok", "live", "not succeeded", "uncanceled"]
)
def test_an_unknown_status_ends_nothing(word: str) -> None:
    """A word outside the vocabulary is unknown: it ends no wait, and does not count as known to be in progress."""
    status = parse_status(word)
    assert status is Status.UNKNOWN
    assert not status.is_terminal
    assert not status.is_success
    assert not status.is_pending_or_in_progress


def test_the_terminal_statuses() -> None:
    """Four statuses end a publication, one of them with success."""
    assert {status.value for status in Status if status.is_terminal} == {"succeeded", "failed", "rejected", "canceled"}
    assert [status for status in Status if status.is_success] == [Status.SUCCEEDED]


def test_an_operation_that_has_not_started_is_pending() -> None:
    """An operation that has not started is pending: not in progress yet, and not ended."""
    status = Status.NOT_STARTED
    assert not status.is_in_progress
    assert status.is_pending_or_in_progress
    assert not status.is_terminal


def test_the_statuses_in_progress() -> None:
    """Three statuses are known to be in progress, and one awaits sign-off."""
    assert {status.value for status in Status if status.is_in_progress} == {"running", "waitingForApproval", "blocked"}
    assert [status.value for status in Status if status.awaits_sign_off] == ["waitingForPublisherReview"]


def docstrings(tree: ast.AST) -> set[int]:
    return {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


def test_one_file_holds_the_status_words() -> None:
    """Only status.py contains status words, except for the results of outcomes."""
    words = {word.casefold() for _, word in WORDS} - {result.value for result in WaitResult}
    matches = []
    for path in sorted(PACKAGE.rglob("*.py")):
        if "emulator" in path.parts or path.name == "status.py":
            continue
        tree = ast.parse(path.read_text())
        skipped = docstrings(tree)
        constants = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in skipped)
        matches += [
            (path.name, node.value)
            for node in constants
            if isinstance(node.value, str) and node.value.casefold() in words
        ]
    assert matches == []
