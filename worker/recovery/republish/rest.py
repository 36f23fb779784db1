"""A lane at rest: its row is held, and everything that it decided is published. So nobody writes beside whoever asks.

An owner goes on where he was when the block ends; it is kept far below what his statements wait for.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from worker.recovery.ground import Refused
from worker.recovery.republish.journal import at_ease
from worker.recovery.republish.survey import Survey
from worker.store import lanes
from worker.store.lanes import Lane
from worker.wire.horizons import horizon_key, read_horizon
from worker.wire.outgoing import Topic

HELD_SECONDS_MAX: Final = 5.0
"""How long a lane is held at most while its owner publishes what he has decided."""
REST_SECONDS_MAX: Final = 60.0
"""How long to try. A lane that nobody owns may never come to rest."""
_POLL_SECONDS: Final = 0.02
_AGAIN_SECONDS: Final = 0.5


@asynccontextmanager
async def at_rest(survey: Survey, lane: int) -> AsyncIterator[Lane]:
    """Hold a lane's row while everything before its position is published. Raises Refused when that never comes."""
    deadline = time.monotonic() + REST_SECONDS_MAX
    while True:
        async with survey.engine.connect() as connection:
            await at_ease(connection)
            row = await lanes.hold(connection, lane)
            if row is not None and await _is_published(survey, row):
                yield row
                return
        if time.monotonic() > deadline:
            raise Refused(
                f"Lane {lane} has decided commands that nobody publishes. Start a worker, and give the order once "
                "more: it goes on where it was."
            )
        await asyncio.sleep(_AGAIN_SECONDS)


@asynccontextmanager
async def held(survey: Survey, lane: int) -> AsyncIterator[Lane]:
    """Hold a lane's row, published or not: it decides nothing meanwhile."""
    async with survey.engine.connect() as connection:
        await at_ease(connection)
        row = await lanes.hold(connection, lane)
        if row is None:
            raise Refused(f"There is no lane {lane} any more.")
        yield row


async def _is_published(survey: Survey, row: Lane) -> bool:
    """Whether the topics say so, soon."""
    key = horizon_key(survey.commands, row.partition)
    log = survey.targets.own_log_of(Topic.HORIZONS, key)
    try:
        async with asyncio.timeout(HELD_SECONDS_MAX):
            while True:
                record = await survey.reader.newest_of_key(log, key, row.horizon_offset)
                horizon = read_horizon(record.value) if record else None
                if horizon is not None and horizon.offset >= row.next_offset:
                    return True
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError:
        return False
