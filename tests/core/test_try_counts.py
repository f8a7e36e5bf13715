# SPDX-License-Identifier: Apache-2.0
"""A retry or a clear: all that Airflow can do to a task's counts in a few steps, and what is made of them."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace

import pytest

from airflow_provider_cpp.core.checkpoint import TaskRun, TryCounts

RETRIES = range(4)
STEPS = ("retry", "clear", "clear, the DAG run stays as it is", "clear while it runs", "clear of another task")


def after(step: str, counts: TryCounts, retries: int) -> TryCounts | None:
    """Count as Airflow does; None where it would not begin another try.

    :param retries: the task's ``retries`` from now on: a new version of the DAG may have changed it.
    """
    now = replace(counts, retries=retries)
    if step == "retry":
        begins = retries > 0 and counts.try_number <= counts.max_tries
        return replace(now, try_number=counts.try_number + 1) if begins else None
    if step == "clear of another task":
        return replace(now, clear_number=counts.clear_number + 1)
    if step == "clear while it runs":
        return replace(now, try_number=counts.try_number + 1, clear_number=counts.clear_number + 1)
    resets = step == "clear"
    return TryCounts(
        try_number=counts.try_number + 1,
        max_tries=counts.try_number + retries,
        retries=retries,
        clear_number=counts.clear_number + resets,
    )


def histories(steps: tuple[str, ...], most: int) -> Iterator[tuple[TryCounts, TryCounts, tuple[tuple[str, int], ...]]]:
    """Return what was counted when a checkpoint was saved, what is counted now, and what happened in between.

    :param most: how many of the steps happen at most.
    """
    starts = [TryCounts(1, retries, retries, 0) for retries in RETRIES]
    starts += [cleared for one in starts if (cleared := after("clear", replace(one, try_number=2), one.retries))]
    for start, length in itertools.product(starts, range(most + 1)):
        for happened in itertools.product(itertools.product(steps, RETRIES), repeat=length):
            now: TryCounts | None = start
            for step, retries in happened:
                now = after(step, now, retries) if now is not None else None
            if now is not None:
                yield start, now, happened


def truth(happened: tuple[tuple[str, int], ...]) -> TaskRun:
    """Say what it was in fact."""
    clears = [step for step, _ in happened if step.startswith("clear") and step != "clear of another task"]
    return TaskRun.CLEARED if clears else TaskRun.SAME


def test_a_retry_is_never_taken_for_a_clear() -> None:
    """Whatever happens between two tries, a retry is known as one or undecided: to take it for a clear publishes twice."""
    answers = Counter(now.task_run_since(then) for then, now, _ in histories(("retry", STEPS[-1]), 3))
    assert answers[TaskRun.CLEARED] == 0
    assert min(answers[TaskRun.SAME], answers[TaskRun.UNDECIDED]) > 100


def test_a_clear_is_never_taken_for_a_retry() -> None:
    """A clear of a task that has ended is known as one or undecided, also with other ``retries`` than before."""
    answers: dict[str, Counter[TaskRun]] = defaultdict(Counter)
    for then, now, happened in histories(STEPS, 2):
        if happened and happened[-1][0] in ("clear", STEPS[2]):
            answers[happened[-1][0]][now.task_run_since(then)] += 1
    for step, found in answers.items():
        assert found[TaskRun.SAME] == 0, step
        assert found[TaskRun.CLEARED] > found[TaskRun.UNDECIDED] > 0, step


def test_with_unchanged_retries_nothing_is_undecided_but_for_other_clears() -> None:
    """Where ``retries`` stays, a retry and the clear of an ended task are always told apart."""
    for then, now, happened in histories(STEPS, 2):
        unchanged = all(retries == then.retries for _, retries in happened)
        plain = all(step in ("retry", "clear", STEPS[2]) for step, _ in happened)
        if unchanged and plain:
            assert now.task_run_since(then) is truth(happened), happened


@pytest.mark.parametrize(
    ("now", "task_run"),
    [
        (TryCounts(2, 3, 3, 0), TaskRun.SAME),
        (TryCounts(2, 3, 3, 1), TaskRun.SAME),
        (TryCounts(3, 3, 3, 0), TaskRun.SAME),
        (TryCounts(3, 3, 3, 1), TaskRun.UNDECIDED),
        (TryCounts(3, 5, 3, 1), TaskRun.CLEARED),
        (TryCounts(3, 3, 1, 0), TaskRun.UNDECIDED),
        (TryCounts(3, 3, 2, 0), TaskRun.SAME),
        (TryCounts(4, 3, 2, 0), TaskRun.SAME),
        (TryCounts(5, 3, 3, 0), TaskRun.CLEARED),
        (TryCounts(1, 3, 3, 0), TaskRun.CLEARED),
    ],
    ids=[
        *("the same try", "the same, another task cleared", "retry", "retry, another task cleared", "clear"),
        *("retries lowered to one", "lowered to two", "two retries later", "beyond the last retry", "another DAG run"),
    ],
)
def test_what_follows_a_second_try(now: TryCounts, task_run: TaskRun) -> None:
    """The rules, each by an example: what a try is that comes after the second one of a task with three retries."""
    assert now.task_run_since(TryCounts(2, 3, 3, 0)) is task_run


@pytest.mark.parametrize(
    ("counts", "follows"),
    [
        (TryCounts(1, 3, 3, 0), False),
        (TryCounts(2, 3, 3, 0), False),
        (TryCounts(3, 5, 3, 1), True),
        (TryCounts(4, 5, 3, 1), False),
        (TryCounts(3, 5, 3, 0), False),
        (TryCounts(2, 1, 0, 1), True),
    ],
)
def test_the_first_try_after_a_clear(counts: TryCounts, follows: bool) -> None:  # noqa: FBT001
    """Without anything kept, a first try after a clear is known only where all the counts say so."""
    assert counts.follows_clear is follows
