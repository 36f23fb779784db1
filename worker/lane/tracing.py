"""What lanes tell of themselves to traces, where these are on. Where they are off nothing of this is ever called."""

import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol
from uuid import UUID

from worker.folding.sources import Span
from worker.folding.stretch import Stretch
from worker.lane.needs import Incoming
from worker.lane.ports import GroupOffset, Reader, Topics
from worker.lane.publisher import Handover, Publisher


class Traces(Protocol):
    """Takes what has happened, whole batches at a time. Never raises for the other end, and never waits for it."""

    def processed(
        self, incoming: Sequence[Incoming], outcomes: Sequence[str], defects: Mapping[int, str], seconds: float
    ) -> None:
        """A batch was committed just now, so many seconds after it had begun; `outcomes` are those of its records."""

    def failed(self, incoming: Sequence[Incoming], error: BaseException, seconds: float) -> None:
        """A batch came to nothing, and will be tried again."""

    def sent(self, lane: int, handovers: Sequence[Handover], began_ns: int, error: BaseException | None) -> None:
        """What hand-overs hold was published, or (with the error) was not."""


class TracedTopics:
    """The topics, with publishers that tell."""

    def __init__(self, topics: Topics, traces: Traces) -> None:
        self._topics = topics
        self._traces = traces

    def publisher(self, partition: int) -> Publisher:
        """A publisher for a lane, not started."""
        return TracedPublisher(self._topics.publisher(partition), self._traces, partition)

    def reader(self) -> AbstractAsyncContextManager[Reader]:
        """A reader, connected."""
        return self._topics.reader()

    def history(self, span: Span) -> AsyncGenerator[Stretch, None]:
        """What the topics hold of a lane, a stretch at a time, without a gap."""
        return self._topics.history(span)

    async def group_offset(self, partition: int) -> GroupOffset:
        """What the group's tools are told of the lane's position."""
        return await self._topics.group_offset(partition)


class TracedPublisher:
    """A publisher that tells. Whatever it is handed, from memory or from the journal, passes here."""

    def __init__(self, publisher: Publisher, traces: Traces, lane: int) -> None:
        self.tells_group = publisher.tells_group
        self._publisher = publisher
        self._traces = traces
        self._lane = lane

    async def start(self) -> None:
        """Connect, and shut out the lane's former publisher where the mode can."""
        await self._publisher.start()

    def sign(self, installation: UUID, epoch: int) -> None:
        """Whose the offsets are that go to the group with what is published from now on."""
        self._publisher.sign(installation, epoch)

    async def publish(self, handovers: Sequence[Handover]) -> int:
        """As the publisher behind it does; raises what that raises."""
        began_ns = time.time_ns()
        try:
            written_at = await self._publisher.publish(handovers)
        except Exception as error:
            self._traces.sent(self._lane, handovers, began_ns, error)
            raise
        self._traces.sent(self._lane, handovers, began_ns, None)
        return written_at

    async def stop(self) -> None:
        """Let go. Never raises."""
        await self._publisher.stop()
