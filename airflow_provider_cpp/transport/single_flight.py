# SPDX-License-Identifier: Apache-2.0
"""Share the result of one running coroutine among all concurrent callers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class _Flight(Generic[T]):
    __slots__ = ("ended", "error", "result")

    def __init__(self) -> None:
        self.ended = asyncio.Event()
        self.result: T | None = None
        self.error: Exception | None = None


class SingleFlight(Generic[T]):
    """Run one coroutine at a time for each key, on one event loop.

    The coroutine runs in the task of the first caller; this class creates no task. If that caller is cancelled, the next caller
    starts a new coroutine. So cancelling one caller does not cancel the others, and no task is left when all are cancelled.
    """

    __slots__ = ("_in_progress",)

    def __init__(self) -> None:
        self._in_progress: dict[Hashable, _Flight[T]] = {}

    async def run(self, key: Hashable, make: Callable[[], Awaitable[T]]) -> T:
        """Return the result of ``make``, or of the call in progress for the same key; errors are shared too.

        :param make: returns the coroutine; its result must not be None.
        """
        while (flight := self._in_progress.get(key)) is not None:
            await flight.ended.wait()
            if flight.error is not None:
                raise flight.error.with_traceback(None)
            if flight.result is not None:
                return flight.result
        flight = self._in_progress[key] = _Flight()
        try:
            flight.result = await make()
        except Exception as error:
            flight.error = error
            raise
        finally:
            del self._in_progress[key]
            flight.ended.set()
        return flight.result
