"""Running a coroutine and cancelling it where it waits for the n-th time."""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any


class _Counted:
    """Awaits a coroutine on behalf of a task, which it has cancelled at the coroutine's n-th wait."""

    def __init__(self, work: Coroutine[Any, Any, None], at: int) -> None:
        self._work = work
        self._left = at

    def __await__(self) -> Generator[Any, None, None]:
        task = asyncio.current_task()
        assert task is not None
        resume: Callable[[], Any] = partial(self._work.send, None)
        while True:
            try:
                waited_for = resume()
            except StopIteration:
                return
            self._left -= 1
            if self._left == 0:
                # As soon as the loop comes round: by then the task waits for what is yielded here.
                asyncio.get_running_loop().call_soon(task.cancel)
            try:
                yield waited_for
            except BaseException as thrown:  # noqa: BLE001 - handed on as it came
                resume = partial(self._work.throw, thrown)
            else:
                resume = partial(self._work.send, None)


async def cancelled_at(at: int, work: Coroutine[Any, Any, None]) -> bool:
    """Whether it was cancelled; False if it came to its end with fewer waits."""

    async def run() -> None:
        await _Counted(work, at)

    task = asyncio.create_task(run())
    await asyncio.wait({task})
    if task.cancelled():
        return True
    task.result()
    return False
