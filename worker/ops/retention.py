"""Letting go of what is too old, now and then: the way of a batch is no place for it."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.settings import Settings
from worker.store import retention

log = structlog.get_logger(__name__)

IDS_REMEMBERED_DAYS_MIN: Final = 30
"""As long as commands are kept, and no shorter than this: so the contract says."""

_IDS_AT_ONCE: Final = 5_000
_REST_SECONDS: Final = 0.1
"""Between two transactions: lanes go first."""


def ids_remembered(settings: Settings) -> timedelta:
    """How long used ids are remembered, with their answers."""
    return timedelta(days=max(settings.topics.commands_retention_days, IDS_REMEMBERED_DAYS_MIN))


class Retention:
    """Sweeps again and again. All workers try; one at a time does it."""

    def __init__(self, settings: Settings, engine: AsyncEngine, cause_of: Callable[[BaseException], str]) -> None:
        """`cause_of` gives what went wrong in a line."""
        self._settings = settings
        self._engine = engine
        self._cause_of = cause_of

    async def keep(self) -> None:
        """Sweep for ever, first after a while: a worker that starts has better things to do."""
        while True:
            await asyncio.sleep(self._settings.retention.sweep_seconds)
            try:
                await self.sweep()
            except Exception as error:  # noqa: BLE001 - it is tried again, and nothing waits for it
                log.warning("retention_waits", cause=self._cause_of(error))

    async def sweep(self) -> tuple[int, int]:
        """Let go of what is too old. Returns how many ids and how many pieces of journals it were."""
        ids, pieces = await self._forget_ids(), await self._drop_journals()
        if ids or pieces:
            log.info("swept", ids=ids, journal_pieces=pieces)
        return ids, pieces

    async def _forget_ids(self) -> int:
        age, forgotten, some = ids_remembered(self._settings), 0, _IDS_AT_ONCE
        while some == _IDS_AT_ONCE:
            async with self._engine.begin() as connection:
                some = await retention.forget_ids(connection, age, most=_IDS_AT_ONCE)
            forgotten += some
            await asyncio.sleep(_REST_SECONDS)
        return forgotten

    async def _drop_journals(self) -> int:
        days = self._settings.retention.journal_days
        if days is None:
            return 0
        async with self._engine.connect() as connection:
            lanes = await retention.lanes_known(connection)
        dropped = 0
        for lane in lanes:
            async with self._engine.begin() as connection:
                dropped += await retention.drop_journal(connection, lane, timedelta(days=days))
        return dropped
