"""An event loop in virtual time: nobody waits, and a seed draws what runs next of what could run.

Time jumps to the next timer when nothing is ready. Whatever runs belongs to a process, or to none (the servers). A
process that is stopped runs nothing: its callbacks, timers that went off among them, are held until it goes on.
"""

import asyncio
import heapq
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, ContextVar, copy_context
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")

PROCESS: ContextVar["Process | None"] = ContextVar("process", default=None)
"""To whom a callback belongs."""

GRAIN_SECONDS = 1 / 65_536

STEPS_MAX = 300_000
"""A history that takes more steps turns in circles."""


class Stuck(Exception):  # noqa: N818 - a state of affairs
    """Nothing can happen any more, or too much happened."""


class Process:
    """Something that can be stopped and killed: one worker."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_running = True
        self.is_dead = False
        self.held: list[Handle] = []
        self.context: Context = copy_context()
        self.context.run(PROCESS.set, self)

    def __repr__(self) -> str:
        return self.name


class Handle:
    """Something to be called, in its context. What it raises is raised from the loop: nobody swallows it."""

    __slots__ = ("args", "callback", "context", "is_cancelled")

    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...], context: Context) -> None:
        self.callback = callback
        self.args = args
        self.context = context
        self.is_cancelled = False

    def cancel(self) -> None:
        """Do not call it."""
        self.is_cancelled = True

    def cancelled(self) -> bool:
        """Whether it will not be called."""
        return self.is_cancelled


class NumberedTask(asyncio.Task[T]):
    """A task whose place in a set does not hang on where it lies in memory."""

    def __init__(self, number: int, coroutine: Coroutine[Any, Any, T], **options: Any) -> None:
        self.number = number
        super().__init__(coroutine, **options)

    def __hash__(self) -> int:
        return self.number


class Loop(asyncio.BaseEventLoop):
    """Virtual time, and an order drawn from a seed."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self.outside = copy_context()
        self.steps = 0
        self._draw = random.random
        self._at = 0.0
        self._ready: list[Handle] = []
        self._timers: list[tuple[float, int, Handle]] = []
        self._serial = 0
        self.tasks: list[NumberedTask[Any]] = []
        self._frozen = 0
        self._processes: list[Process] = []

    def time(self) -> float:
        """Virtual seconds since the history began."""
        return self._at

    def create_task(self, coro: Coroutine[Any, Any, T] | Generator[Any, None, T], **options: Any) -> "NumberedTask[T]":
        """A task that is numbered."""
        task = NumberedTask(len(self.tasks), coro, loop=self, **options)  # type: ignore[arg-type]
        self.tasks.append(task)
        return task

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Handle:
        """Later than now by a grain at least: clocks go on, and who waits out a rounding error gets there."""
        when = max(when, self._at + GRAIN_SECONDS)
        timer = Handle(callback, args, copy_context() if context is None else context)
        self._serial += 1
        heapq.heappush(self._timers, (when, self._serial, timer))
        return timer

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Handle:
        """After a while."""
        return self.call_at(self._at + delay, callback, *args, context=context)

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Handle:
        """At this instant, but in what order is drawn."""
        handle = Handle(callback, args, copy_context() if context is None else context)
        self._ready.append(handle)
        return handle

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Handle:
        """There is one thread; generators that are let go of come in by this."""
        return self.call_soon(callback, *args, context=context)

    def at(self, when: float, callback: Callable[..., object], *args: Any) -> Handle:
        """Have something happen outside every process."""
        return self.call_at(when, callback, *args, context=self.outside)

    def later(self, seconds: float, callback: Callable[..., object], *args: Any) -> Handle:
        """The same after a while."""
        return self.call_at(self._at + seconds, callback, *args, context=self.outside)

    def spawn(self, process: Process, coroutine: Coroutine[Any, Any, T]) -> "NumberedTask[T]":
        """A task of a process."""
        return self.create_task(coroutine, context=process.context)

    def halt(self, process: Process, *, for_good: bool = False) -> None:
        """Let a process run nothing any more, until it goes on."""
        if process.is_running:
            process.is_running = False
            self._frozen += 1
            self._processes.append(process)
        process.is_dead = process.is_dead or for_good

    def go_on(self, process: Process) -> None:
        """Let a process run again, with everything that went off meanwhile."""
        if process.is_running or process.is_dead:
            return
        self._release(process)

    def unwind(self) -> None:
        """End what is left of a history: nothing is looked at any more."""
        self.steps = 0
        for process in list(self._processes):
            self._release(process)
        left = [task for task in self.tasks if not task.done()]
        while left:
            for task in left:
                task.cancel()
            self.run_until_complete(asyncio.wait(left, timeout=1))
            left = [task for task in left if not task.done()]
        self.run_until_complete(self.shutdown_asyncgens())
        self.close()

    def _release(self, process: Process) -> None:
        process.is_running = True
        self._frozen -= 1
        self._processes.remove(process)
        self._ready += process.held
        process.held = []

    def _run_once(self) -> None:
        ready, draw = self._ready, self._draw
        while not self._stopping:  # type: ignore[attr-defined]
            if not ready:
                self._jump()
                continue
            if len(ready) == 1:
                handle = ready.pop()
            else:
                place = int(draw() * len(ready))
                handle = ready[place]
                ready[place] = ready[-1]
                ready.pop()
            if handle.is_cancelled:
                continue
            if self._frozen:
                process = handle.context.get(PROCESS)
                if process is not None and not process.is_running:
                    process.held.append(handle)
                    continue
            self.steps += 1
            if self.steps > STEPS_MAX:
                raise Stuck("too many steps")
            handle.context.run(handle.callback, *handle.args)

    def _jump(self) -> None:
        """To the next timer, and to all others of the same instant."""
        timers, ready = self._timers, self._ready
        if not timers:
            raise Stuck("nothing is left to happen")
        at, _, timer = heapq.heappop(timers)
        if timer.is_cancelled:
            return
        self._at = at
        ready.append(timer)
        while timers and timers[0][0] <= at:
            ready.append(heapq.heappop(timers)[2])

    def _write_to_self(self) -> None:
        """Nobody sleeps who would have to be woken."""

    def _process_events(self, event_list: object) -> None:
        """There are none."""
