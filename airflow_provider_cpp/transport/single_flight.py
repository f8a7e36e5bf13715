# SPDX-License-Identifier: Apache-2.0
"""One of many that want the same thing at the same time gets it, for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class _Flight(Generic[T]):
    """What one is after, and the others wait for."""

    __slots__ = ("ended", "error", "result")

    def __init__(self) -> None:
        self.ended = asyncio.Event()
        self.result: T | None = None
        self.error: Exception | None = None


class SingleFlight(Generic[T]):
    """Runs one attempt at a time for each purpose; for one event loop.

    No task is made for it: the first to ask makes the attempt, within its own. If that one is canceled, it is the next
    one's turn, so that nobody is taken down by somebody else's end, and nothing is left once all have gone.
    """

    __slots__ = ("_in_progress",)

    def __init__(self) -> None:
        self._in_progress: dict[Hashable, _Flight[T]] = {}

    async def run(self, purpose: Hashable, make: Callable[[], Awaitable[T]]) -> T:
        """Return what an attempt makes: this one's, or that of whoever was first; an error is shared too.

        :param purpose: those who have the same one share.
        :param make: makes the attempt; what it makes is never None.
        """
        while (attempt := self._in_progress.get(purpose)) is not None:
            await attempt.ended.wait()
            if attempt.error is not None:
                raise attempt.error.with_traceback(None)
            if attempt.result is not None:
                return attempt.result
        attempt = self._in_progress[purpose] = _Flight()
        try:
            attempt.result = await make()
        except Exception as error:
            attempt.error = error
            raise
        finally:
            del self._in_progress[purpose]
            attempt.ended.set()
        return attempt.result
