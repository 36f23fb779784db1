"""Workers that are replaced when they die, as whatever supervises them in production would."""

import asyncio
import signal
from contextlib import ExitStack, suppress
from typing import Self

from tests.system.deployment import Deployment, WorkerProcess

START_SECONDS = 0.3


class Crew:
    """So many workers of one deployment. Ends them all when the block ends."""

    def __init__(self, deployment: Deployment, size: int, settings: dict[str, str]) -> None:
        self.started = 0
        self.ended_by_themselves = 0
        self._deployment = deployment
        self._settings = settings
        self._places: list[ExitStack | None] = [None] * size
        self._workers: list[WorkerProcess | None] = [None] * size

    async def __aenter__(self) -> Self:
        for place in range(len(self._places)):
            self._start(place)
        return self

    async def __aexit__(self, *_: object) -> None:
        for place in self._places:
            if place is not None:
                await asyncio.to_thread(place.close)

    @property
    def workers(self) -> dict[int, WorkerProcess]:
        """Those who work, by place."""
        return {place: worker for place, worker in enumerate(self._workers) if worker is not None}

    async def replace(self, place: int, number: signal.Signals, after_seconds: float) -> None:
        """End one with a signal, and start another in its place."""
        worker = self._workers[place]
        if worker is not None:
            worker.send(number)
            await asyncio.to_thread(worker.died)
            await self._clear(place)
        await asyncio.sleep(after_seconds)
        self._start(place)

    async def mind(self) -> None:
        """Start those anew who ended by themselves."""
        for place, worker in enumerate(self._workers):
            if worker is not None and worker.process.poll() is not None:
                self.ended_by_themselves += 1
                await self._clear(place)
                self._start(place)

    async def stop(self, place: int, seconds: float) -> None:
        """SIGSTOP, and SIGCONT after a while."""
        worker = self._workers[place]
        if worker is None:
            return
        with suppress(ProcessLookupError):
            worker.send(signal.SIGSTOP)
            await asyncio.sleep(seconds)
            worker.send(signal.SIGCONT)

    async def visit(self, seconds: float) -> None:
        """One more joins the group, and leaves it."""
        with ExitStack() as stack:
            guest = stack.enter_context(self._deployment.worker(**self._settings))
            await asyncio.sleep(seconds)
            guest.send(signal.SIGTERM)
            await asyncio.to_thread(guest.died)

    def _start(self, place: int) -> None:
        stack = ExitStack()
        self._workers[place] = stack.enter_context(self._deployment.worker(**self._settings))
        self._places[place] = stack
        self.started += 1

    async def _clear(self, place: int) -> None:
        stack, self._places[place], self._workers[place] = self._places[place], None, None
        if stack is not None:
            await asyncio.to_thread(stack.close)
