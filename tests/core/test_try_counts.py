# SPDX-License-Identifier: Apache-2.0
"""A retry or a clear: every sequence of a few steps that Airflow can count, and how it is classified."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace

import pytest

from airflow_provider_cpp.core.checkpoint import TaskRun, TryCounts

RETRIES = range(4)
STEPS = ("retry", "clear", "clear without the DAG run", "clear while it runs", "clear of another task")


def after(step: str, counts: TryCounts, retries: int) -> TryCounts | None:
    """Count as Airflow does; return None where it would not begin another try.

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
    """Yield the counts when a checkpoint was saved, the counts now, and the steps in between.

    :param most: the maximum number of steps.
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
    """Return what really happened."""
    clears = [step for step, _ in happened if step.startswith("clear") and step != "clear of another task"]
    return TaskRun.CLEARED if clears else TaskRun.SAME


def test_a_retry_is_never_taken_for_a_clear() -> None:
    """A retry is classified as one or as undecided, whatever happens between: taking it for a clear publishes twice."""
    results = Counter(now.task_run_since(then) for then, now, _ in histories(("retry", STEPS[-1]), 3))
    assert results[TaskRun.CLEARED] == 0
    assert min(results[TaskRun.SAME], results[TaskRun.UNDECIDED]) > 100


def test_a_clear_is_never_taken_for_a_retry() -> None:
    """A clear of a task that has ended is classified as one or as undecided, also after a change of ``retries``."""
    results: dict[str, Counter[TaskRun]] = defaultdict(Counter)
    for then, now, happened in histories(STEPS, 2):
        if happened and happened[-1][0] in ("clear", STEPS[2]):
            results[happened[-1][0]][now.task_run_since(then)] += 1
    for step, counts in results.items():
        assert counts[TaskRun.SAME] == 0, step
        assert counts[TaskRun.CLEARED] > counts[TaskRun.UNDECIDED] > 0, step


def test_with_unchanged_retries_only_other_clears_are_undecided() -> None:
    """With unchanged ``retries``, a retry and the clear of an ended task are always distinguished."""
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
        *("retries lowered to one", "lowered to two", "two retries later", "past the last retry", "another DAG run"),
    ],
)
def test_what_follows_a_second_try(now: TryCounts, task_run: TaskRun) -> None:
    """Each rule by an example: the try that follows the second one of a task with three retries."""
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
    """Without a checkpoint, a first try after a clear is recognized only if all counts agree."""
    assert counts.follows_clear is follows
