"""Ending clients: their tasks to the end, their connections at once, and no cancellation that is nobody's.

A consumer's `stop` cancels the fetches that are under way and waits for them: when a broker has just died, the
CancelledError of one goes through `stop` to its caller, who takes it for his own, and the connections stay open.

TLS is ended by a word from either side. A broker to which it comes together with the last request answers that, and
then says nothing more: uvloop would wait for 30 seconds, and with it whoever takes a lane over.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.errors import KafkaError

T = TypeVar("T")

_CANCEL_AGAIN_SECONDS: Final = 1.0
"""Python 3.11's `wait_for` loses a cancellation that comes just when what it waits for is there."""

_GOODBYE_SECONDS: Final = 0.02
"""For what is written to leave. Nothing that counts is: clients wait for their answers before they close."""

_close_connection = AIOKafkaConnection.close

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


def _hang_up(
    self: AIOKafkaConnection, reason: CloseReason | None = None, exc: BaseException | None = None
) -> "asyncio.Future[None] | None":
    """As the library's own, but the broker's word that it has heard is not waited for."""
    writer: asyncio.StreamWriter | None = self._writer
    closed: asyncio.Future[None] | None = _close_connection(self, reason, exc)
    if writer is not None and writer.get_extra_info("ssl_object") is not None:
        self._loop.call_later(_GOODBYE_SECONDS, writer.transport.abort)
    return closed


def close_to_the_end() -> None:
    """Let every client of this process end so: two of the library's functions are replaced."""
    Fetcher.close = _close
    AIOKafkaConnection.close = _hang_up
