"""The threads of one connection: what hangs or is paced there takes nothing from the waits on another one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

AT_ONCE = 8
"""Calls that run at the same time, those that are slow aside."""

SLOW = 2.0
"""Seconds after which a call is slow: it continues, and another may begin."""

MOST_THREADS = 64


class ConnectionThreads:
    """Calls blocking functions for the waits on one connection."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="batch-polls")
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def begin(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Call a function, and return when it has ended or is slow; a slow one continues.

        :return: its result, once there is one
        """
        async with self._gate:
            call = asyncio.get_running_loop().run_in_executor(self._executor, partial(function, *args, **kwargs))
            try:
                await asyncio.wait([call], timeout=SLOW)
            except asyncio.CancelledError:
                call.cancel()
                raise
            return call

    def close(self) -> None:
        """Let the threads end when they have done what they are doing."""
        self._executor.shutdown(wait=False)

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function and return what it returns."""
        return await (await self.begin(function, *args, **kwargs))
