"""What a lane has published is let go at once: it may wait long for its next batch, and every lane would keep one."""

# ruff: noqa: SLF001  what a lane keeps is its own affair, and shows nowhere else

import asyncio
import weakref
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

from aiokafka.producer.message_accumulator import BatchBuilder

from tests.system.settling import until
from worker.broker.delivered import forget
from worker.lane.lane import Lane
from worker.lane.parts import Parts
from worker.lane.publisher import Handover
from worker.lane.turns import Turn
from worker.settings import Lanes
from worker.wire.outgoing import Outgoing, Topic

HORIZON = Outgoing(Topic.HORIZONS, b"commands/0", b"{}", (), 1)


class Records(list[Outgoing]):
    """Can be looked for after it is gone."""


class Visible:
    """A publisher that has published everything at once."""

    tells_group = True

    async def start(self) -> None: ...

    def sign(self, installation: UUID, epoch: int) -> None: ...

    async def publish(self, handovers: Sequence[Handover]) -> int:
        return handovers[-1].next_offset

    async def stop(self) -> None: ...


async def test_of_what_is_published_nothing_is_kept_while_the_next_batch_is_waited_for() -> None:
    lane = Lane(cast("Parts", SimpleNamespace(settings=SimpleNamespace(lanes=Lanes()))), 0, cast("Any", None))
    records = Records([HORIZON])
    kept, handovers = weakref.ref(records), asyncio.Queue[tuple[Handover, Turn] | None]()
    handovers.put_nowait((Handover(records, 7, HORIZON), Turn(None)))
    del records
    publishing = asyncio.create_task(lane._publish(Visible(), handovers))

    async def is_published() -> bool:
        return lane._published == (7, 7)

    await until(is_published, "it is published")
    assert not publishing.done()
    assert kept() is None

    handovers.put_nowait(None)
    await publishing


def test_of_a_batch_that_was_delivered_no_bytes_are_kept() -> None:
    batch = BatchBuilder(1_000, 0)
    batch.append(timestamp=1, key=b"key", value=b"value")
    batch._build()
    assert batch.size() > 0

    forget(batch)

    assert batch.size() == 0
