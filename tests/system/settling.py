"""Waiting for something to become true, with a limit."""

import asyncio
import time
from collections.abc import Awaitable, Callable


async def until(is_so: Callable[[], Awaitable[bool]], what: str, seconds: float = 60) -> None:
    """Ask until the answer is yes."""
    deadline = time.monotonic() + seconds
    while not await is_so():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        await asyncio.sleep(0.1)
