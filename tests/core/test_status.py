# SPDX-License-Identifier: Apache-2.0
"""The vocabulary: every spelling of the portal, and nothing else."""

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
def test_a_word_nobody_knows_ends_nothing(word: str) -> None:
    """What is not in the vocabulary is unknown: not success, not failure, and still running."""
    status = parse_status(word)
    assert (status, status.is_terminal, status.is_success, status.is_running) == (Status.UNKNOWN, False, False, True)


def test_the_terminal_statuses() -> None:
    """Four statuses end a publication, one of them well."""
    assert {status.value for status in Status if status.is_terminal} == {"succeeded", "failed", "rejected", "canceled"}
    assert [status for status in Status if status.is_success] == [Status.SUCCEEDED]


def test_an_operation_that_has_not_started_is_coming() -> None:
    """An offer that has not started is idle; an operation that has not is open, and known to be under way."""
    status = Status.NOT_STARTED
    assert (status.is_running, status.is_at_work, status.is_open, status.is_under_way) == (False, False, True, True)
    assert {one for one in Status if not one.is_open} == {one for one in Status if one.is_terminal}
    assert (Status.UNKNOWN.is_open, Status.UNKNOWN.is_under_way) == (True, False)


def docstrings(tree: ast.AST) -> set[int]:
    return {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


def test_one_file_holds_the_status_words() -> None:
    """No other file of the client has a status word in it; an outcome's own words, which cross to the worker, aside."""
    words = {word.casefold() for _, word in WORDS} - {result.value for result in WaitResult}
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        if "emulator" in path.parts or path.name == "status.py":
            continue
        tree = ast.parse(path.read_text())
        skipped = docstrings(tree)
        constants = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in skipped)
        found += [
            (path.name, one.value) for one in constants if isinstance(one.value, str) and one.value.casefold() in words
        ]
    assert found == []
