"""Waiting for several things at once: what comes next while what came before is worked at, and work side by side."""

import asyncio
import gc
from collections.abc import AsyncGenerator, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Final, TypeVar

T = TypeVar("T")

_COLLECT_AFTER: Final = (100_000, 20, 20)


@asynccontextmanager
async def ahead(source: AsyncGenerator[T, None], items_max: int) -> AsyncGenerator[AsyncGenerator[T, None], None]:
    """The same items, so many of them ahead of whoever takes them. Raises what the source raises, in its turn."""
    queue: asyncio.Queue[T | None] = asyncio.Queue(items_max)

    async def fetch() -> None:
        async for item in source:
            await queue.put(item)
        await queue.put(None)

    async def items() -> AsyncGenerator[T, None]:
        while True:
            taking = asyncio.ensure_future(queue.get())
            await asyncio.wait({taking, fetching}, return_when=asyncio.FIRST_COMPLETED)
            if not taking.done():
                taking.cancel()
                fetching.result()
                taking = asyncio.ensure_future(queue.get())
            item = await taking
            if item is None:
                return
            yield item

    fetching = asyncio.create_task(fetch())
    try:
        yield items()
    finally:
        fetching.cancel()
        with suppress(asyncio.CancelledError):
            await fetching
        await source.aclose()


async def side_by_side(works: Iterable[Coroutine[object, object, None]]) -> None:
    """All of them at once. When one fails the others are ended, and then its error is raised.

    Whoever is cancelled meanwhile hears nothing but that, whatever else comes of ending them.
    """
    tasks = [asyncio.create_task(work) for work in works]
    if not tasks:
        return
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def rarely_collecting() -> Iterator[None]:
    """Look for cycles less often: whoever holds many records and few cycles spends a fifth of his time on it."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
