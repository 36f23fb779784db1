"""Cancellation that is nobody's: the library lets that of its own tasks out, and whoever waits for them is ended too.

A consumer's `stop` cancels the fetches that are under way and waits for them: when a broker has just died, the
CancelledError of one goes through `stop` to its caller, who takes it for his own, and the connections stay open.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from aiokafka.consumer.fetcher import Fetcher
from aiokafka.errors import KafkaError

T = TypeVar("T")

_CANCEL_AGAIN_SECONDS: Final = 1.0
"""Python 3.11's `wait_for` loses a cancellation that comes just when what it waits for is there."""

_stopping: set["asyncio.Future[Any]"] = set()
"""Held until they are done: the loop itself holds tasks but weakly."""


class ClientCancelled(KafkaError):  # type: ignore[misc]  # noqa: N818  untyped; it is the client that did
    """A client ended somebody else's work with a cancellation of its own."""


async def uncancelled(work: Coroutine[Any, Any, T]) -> T:
    """Do some work. Raises ClientCancelled for a cancellation that nobody asked this task for."""
    try:
        return await work
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise ClientCancelled("the client's own cancellation came out of it") from None


async def ended(stopping: Coroutine[Any, Any, Any]) -> None:
    """Wait for a client's `stop`. Raises its errors, and CancelledError only when the caller himself is cancelled.

    Then it is stopped all the same, while nobody waits: broken off, it would leave its connections open.
    """
    task = asyncio.ensure_future(stopping)
    _stopping.add(task)
    task.add_done_callback(_forget)
    await asyncio.wait({task})
    if not task.cancelled():
        task.result()


def _forget(task: "asyncio.Future[Any]") -> None:
    """An error that nobody waits for any more is no news."""
    _stopping.discard(task)
    if not task.cancelled():
        task.exception()


async def _close(self: Fetcher) -> None:
    """As the library's own, but to the end: every task of the fetcher is cancelled and has ended."""
    self._closed = True
    tasks = pending = {self._fetch_task, *self._pending_tasks}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_CANCEL_AGAIN_SECONDS)
    for task in tasks:
        if not task.cancelled():
            task.exception()
    for waiter in list(self._fetch_waiters):
        self._notify(waiter)


def close_to_the_end() -> None:
    """Let every consumer of this process end so: the client's own function is replaced."""
    Fetcher.close = _close
