"""Ticks: lane time goes on while nobody sends anything, so that due work is done and answers become final."""

import asyncio
from collections.abc import Callable
from typing import NoReturn

import structlog

from worker.lane.batch import Standing
from worker.lane.buffer import Buffer, Flow
from worker.lane.faults import cause_of
from worker.lane.progress import Progress, now

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.25
"""How often it is looked whether something falls due."""

BACK_SECONDS = 0.01
"""How often it is looked whether a tick that was sent has come back."""

LOST_SECONDS = 2.0
"""A tick that has not come back by then is sent again."""

ACKNOWLEDGED_SECONDS_MAX = 5.0
"""A tick that no broker has acknowledged by then counts as not sent; the lane is not ready until one has."""


class Ticker:
    """Sends a lane its ticks."""

    def __init__(
        self,
        partition: int,
        flow: Flow,
        buffer: Buffer,
        progress: Progress,
        standing: Callable[[], Standing],
        *,
        idle_seconds: float,
    ) -> None:
        self._partition = partition
        self._flow = flow
        self._buffer = buffer
        self._progress = progress
        self._standing = standing
        self._idle_seconds = idle_seconds

    async def run(self) -> NoReturn:
        """Tick until cancelled; never raises for a fault."""
        while True:
            if (seconds := self._wanted_in_seconds()) > 0:
                # Looked at again and again: a command may have brought something about that falls due sooner.
                await asyncio.sleep(min(seconds, LOOK_SECONDS))
                continue
            sent_at = now()
            try:
                await self._send()
            except Exception as error:  # noqa: BLE001 - a lost tick is sent again
                log.warning("tick_not_sent", lane=self._partition, cause=cause_of(error))
                self._progress.ticked(cause_of(error))
            else:
                if self._progress.moved_at < sent_at:
                    self._progress.ticked(None)
            await self._moved_since(sent_at)

    async def _send(self) -> None:
        """Raises TimeoutError also where the client would wait for its broker for ever."""
        try:
            async with asyncio.timeout(ACKNOWLEDGED_SECONDS_MAX):
                await self._flow.tick()
        except TimeoutError:
            raise TimeoutError(f"Kafka took no tick within {ACKNOWLEDGED_SECONDS_MAX:g} s") from None

    async def _moved_since(self, sent_at: float) -> None:
        deadline = sent_at + LOST_SECONDS
        while self._progress.moved_at < sent_at and now() < deadline:  # noqa: ASYNC110 - a time, not an event
            await asyncio.sleep(BACK_SECONDS)

    def _wanted_in_seconds(self) -> float:
        """When a tick is wanted: after a while of silence, or as soon as something is due by lane time.

        Lane time is the broker's: it is reckoned from the last record, for this machine's clock may be wrong.
        """
        silent_seconds = now() - self._progress.moved_at
        wanted = self._idle_seconds - silent_seconds
        standing = self._standing()
        if standing.due_at is not None and not self._buffer:
            due_in_seconds = (standing.due_at - standing.row.latest_at).total_seconds() - silent_seconds
            wanted = min(wanted, due_in_seconds)
        return wanted
